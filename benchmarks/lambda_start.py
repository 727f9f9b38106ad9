"""How much of a cold start is ours: importing and building the packaged function, and the memory of one stream.

    uv run --group dev python benchmarks/lambda_start.py [--rounds 9]

Start: from the first line of the function's modules to a finished app, in the package as `daehwa deploy` builds it
(here for this machine and its Python), bytecode compiled, against the same for what such functions are usually made
of: FastAPI, openai with a client, boto3 with a client, in an environment of its own with bytecode compiled. Both in
turn in one run, each in a fresh process; Python's own start is in neither. Then the same function without bytecode.
Memory: the function's peak while it streams one answer behind the real Lambda Web Adapter (cargo builds it the first
time); the adapter's own beside it.
"""

import argparse
import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from aws.home import PUBLIC_URL, a_home, read  # noqa: E402 - found by the path set above
from lambda_bed.deployed import built_layer  # noqa: E402
from lambda_bed.environment import Code  # noqa: E402
from server.serving import asked  # noqa: E402
from upstream import stream  # noqa: E402

from daehwa.deployment.packaging import Target, build_function  # noqa: E402
from daehwa.deployment.programs import PUBLISHED_BEFORE  # noqa: E402

USUAL = ("fastapi", "openai", "boto3")
OURS = """
import time
began, busy = time.perf_counter(), time.process_time()
from daehwa.aws.function import prepare
prepare()
from daehwa.services.aws import FunctionServices
from daehwa.settings import load_aws_surroundings, load_settings
FunctionServices(load_settings(), load_aws_surroundings())
print(time.perf_counter() - began, time.process_time() - busy)
"""
THEIRS = """
import time
began, busy = time.perf_counter(), time.process_time()
import boto3, fastapi, openai
app = fastapi.FastAPI()
upstream = openai.AsyncOpenAI(api_key="sk-none")
table = boto3.client("dynamodb", region_name="us-east-1")
@app.get("/healthz")
async def healthz() -> dict[str, str]:
    return {}
print(time.perf_counter() - began, time.process_time() - busy)
"""
VARIABLES = {
    "DAEHWA_HOME": "aws",
    "DAEHWA_TABLE": "table",
    "DAEHWA_KEY_PARAMETER": "/daehwa/openai-key",
    "DAEHWA_PUBLIC_URL": PUBLIC_URL,
    "DAEHWA_SIGN_IN_ISSUER": "https://issuer.invalid",
    "DAEHWA_SIGN_IN_CLIENT_ID": "daehwa",
    "DAEHWA_SIGN_IN_ALLOWED_EMAILS": "*",
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
}


def usual(folder: Path) -> str:
    """Install what such functions are usually made of; return that environment's Python."""
    options = ["--exclude-newer", PUBLISHED_BEFORE]
    subprocess.run(["uv", "venv", "-q", "--python", sys.executable, str(folder)], check=True)
    python = str(folder / "bin" / "python")
    install = ["uv", "pip", "install", "-q", "--compile-bytecode", "--python", python, *options, *USUAL]
    subprocess.run(install, check=True)
    return python


class Start(NamedTuple):
    """Milliseconds of one start: by the clock, and of a processor's work, which a busy machine changes less."""

    clock: float
    work: float


def start(python: str, code: str, folder: Path, *options: str) -> Start:
    """Return what a fresh process took for it."""
    env = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", **VARIABLES}
    if options:
        env["PYTHONPATH"] = str(folder)
    command = [python, *options, "-c", code]
    ended = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=True)
    clock, work = (float(seconds) * 1000 for seconds in ended.stdout.split())
    return Start(clock, work)


async def memory(task_root: Path, folder: Path) -> dict[str, float]:
    """Return each process's memory at its peak after one stream, in MB."""
    async with a_home(Code(task_root, built_layer()), folder) as home:
        home.model.says(stream("Words and words. " * 200, pace=0.005))
        await read(await home.begin(asked("Count.")))
        return home.function.environments[0].memory_mb()


def shown(name: str, taken: list[Start]) -> str:
    """Return a line of the table: medians and ranges."""
    clock, work = [one.clock for one in taken], [one.work for one in taken]
    return (
        f"{name:<44} {statistics.median(clock):6.0f} ms ({min(clock):.0f}–{max(clock):.0f}), "
        f"of work {statistics.median(work):6.0f} ms ({min(work):.0f}–{max(work):.0f})"
    )


def ratio(one: list[Start], other: list[Start]) -> str:
    """Return how many times as long the other takes, by the clock and in work."""
    clock = statistics.median(s.clock for s in other) / statistics.median(s.clock for s in one)
    work = statistics.median(s.work for s in other) / statistics.median(s.work for s in one)
    return f"{'ratio':<44} 1/{clock:.1f} by the clock, 1/{work:.1f} in work"


def in_turn(runs: Mapping[str, Callable[[], Start]], rounds: int) -> dict[str, list[Start]]:
    """Return what each took, after one round that warms the disk's cache for all."""
    taken: dict[str, list[Start]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            one = run()
            if number:
                taken[name].append(one)
    return taken


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rounds", type=int, default=9)
    rounds = arguments.parse_args().rounds
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        package = build_function(folder / "package", Target.of_this_machine())
        bare = folder / "bare"
        shutil.copytree(package.folder, bare, ignore=shutil.ignore_patterns("__pycache__"))
        python = usual(folder / "usual")
        runs: dict[str, Callable[[], Start]] = {
            "ours": lambda: start(sys.executable, OURS, package.folder, "-S"),
            "theirs": lambda: start(python, THEIRS, folder),
            "bare": lambda: start(sys.executable, OURS, bare, "-S"),
        }
        taken = in_turn(runs, rounds)
        print(f"{rounds} rounds in turn, Python {sys.version.split()[0]}; zip {package.packed / 1e6:.2f} MB")
        print(shown("the packaged function, imported and built", taken["ours"]))
        print(shown(f"{' + '.join(USUAL)}, with clients", taken["theirs"]))
        print(ratio(taken["ours"], taken["theirs"]))
        print(shown("the same function without bytecode", taken["bare"]), flush=True)
        peak = asyncio.run(memory(package.folder, folder / "bed"))
        print("memory at its peak, one stream:", ", ".join(f"{what} {mb:.1f} MB" for what, mb in peak.items()))


if __name__ == "__main__":
    main()
