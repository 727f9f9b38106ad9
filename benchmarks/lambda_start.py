"""A part of `run.py`: how much of a cold start is ours; and, by itself, the memory of one stream.

    uv run --group dev python benchmarks/lambda_start.py    the memory

Start: from the first line of the function's modules to a finished app, in the package as `daehwa deploy` builds it
(here for this machine and its Python), bytecode compiled, against the same for what such functions are usually made of:
FastAPI, openai with a client, boto3 with a client, in an environment of its own with bytecode compiled. In turn, each
in a fresh process; Python's own start is in neither. The same process then answers one request, the list of
conversations, for which it asks a stand-in for DynamoDB who is signed in: what ours puts off until it is asked counts
there. Then the same function without bytecode. Memory: the function's peak while it streams one answer behind the real
Lambda Web Adapter, which cargo builds once; the adapter's own beside.
"""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import table_stub
from contestants import DAEHWA, Contestant
from peers import Package
from results import Bench, Measure, Results

from daehwa.deployment.packaging import Target, build_function

ROOT = Path(__file__).resolve().parents[1]
SECTION = "A start on Lambda: import and building the app"
CLOCK = Measure("lambda_clock", SECTION, "by the clock, ms", 0)
WORK = Measure("lambda_work", SECTION, "of a processor's work, ms", 0)
ASKED_CLOCK = Measure("lambda_asked_clock", SECTION, "with a first request that asks the table, by the clock, ms", 0)
ASKED_WORK = Measure("lambda_asked_work", SECTION, "…, of a processor's work, ms", 0)
PACKED = Measure("lambda_packed", SECTION, "zip, MB", 2)
USUAL_NAME, BARE_NAME = "FastAPI + openai + boto3", "daehwa without bytecode"
_SECONDS = 60

USUAL = Package("usual-function", ("fastapi>=0.120", "openai>=3.50,<4", "boto3>=1.42,<2"))
_BEGIN = """
import time
began, busy = time.perf_counter(), time.process_time()
"""
_SAY = """
print(time.perf_counter() - began, time.process_time() - busy)
"""
_ASK = """
import asyncio

async def ask():
    said = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        said.append(message)

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "https",
        "path": "/api/conversations", "raw_path": b"/api/conversations", "query_string": b"", "root_path": "",
        "headers": [(b"host", b"chat.example.com"), (b"cookie", b"__Host-daehwa=TOKEN")],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8080),
    }
    await app(scope, receive, send)
    assert said[0]["status"] == 200, said

asyncio.run(ask())
""".replace("TOKEN", table_stub.TOKEN)
_OURS = """
from daehwa.services.aws import FunctionServices
from daehwa.settings import load_aws_surroundings, load_settings
app = FunctionServices(load_settings(), load_aws_surroundings()).app
"""
_THEIRS = """
import boto3, fastapi, openai
app = fastapi.FastAPI()
upstream = openai.AsyncOpenAI(api_key="sk-none")
table = boto3.client("dynamodb", region_name="us-east-1")
@app.get("/api/conversations")
async def list_conversations() -> dict[str, list[str]]:
    for key in ("S#session", "U#person"):
        table.get_item(TableName="table", Key={"pk": {"S": key}, "sk": {"S": key[0]}})
    of_person = {"KeyConditionExpression": "l = :l", "ExpressionAttributeValues": {":l": {"S": "L#person"}}}
    found = table.query(TableName="table", IndexName="lists", **of_person)
    return {"conversations": [item["pk"]["S"] for item in found["Items"]]}
"""
OURS, THEIRS = (f"{_BEGIN}{code}{_SAY}{_ASK}{_SAY}" for code in (_OURS, _THEIRS))
VARIABLES = {
    "DAEHWA_HOME": "aws",
    "DAEHWA_TABLE": "table",
    "DAEHWA_KEY_PARAMETER": "/daehwa/openai-key",
    "DAEHWA_PUBLIC_URL": "https://chat.example.com",
    "DAEHWA_SIGN_IN_ISSUER": "https://issuer.invalid",
    "DAEHWA_SIGN_IN_CLIENT_ID": "daehwa",
    "DAEHWA_SIGN_IN_ALLOWED_EMAILS": "*",
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
}


def start(bench: Bench, table: str, name: str, command: list[str], folder: Path, code: str) -> None:
    """Add what a fresh process took for it: by the clock, and in work, which a busy machine changes less."""
    env = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(folder), **VARIABLES}
    env["AWS_ENDPOINT_URL_DYNAMODB"] = table
    ended = subprocess.run(
        [*command, "-c", code], cwd=folder, env=env, capture_output=True, text=True, check=True, timeout=_SECONDS
    )
    for measure, seconds in zip((CLOCK, WORK, ASKED_CLOCK, ASKED_WORK), ended.stdout.split(), strict=True):
        bench.results.add(measure, name, float(seconds) * 1000)


def cold_starts(bench: Bench, _contestants: Mapping[str, Contestant]) -> None:
    """Start all in turn, after once that warms the disk's cache."""
    USUAL.install()
    with tempfile.TemporaryDirectory() as temporary, table_stub.table() as table:
        folder = Path(temporary)
        package = build_function(folder / "package", Target.of_this_machine())
        bench.results.add(PACKED, DAEHWA, package.packed / 1e6)
        bare, nothing = folder / "bare", folder / "nothing"
        shutil.copytree(package.folder, bare, ignore=shutil.ignore_patterns("__pycache__"))
        nothing.mkdir()
        ours, usual = [sys.executable, "-S"], [USUAL.program("python")]
        runs = [
            (DAEHWA, ours, package.folder, OURS),
            (USUAL_NAME, usual, nothing, THEIRS),
            (BARE_NAME, ours, bare, OURS),
        ]
        warming = Bench(Results({}), bench.is_quick, 1)
        for run in runs:
            start(warming, table, *run)
        for _ in bench.in_rounds("starts of a function"):
            for run in runs:
                start(bench, table, *run)


async def memory(folder: Path) -> dict[str, float]:
    """Return each process's memory at its peak after one stream, in MB."""
    sys.path.insert(0, str(ROOT / "tests"))
    from aws.home import a_home, read  # noqa: PLC0415 - found by the path set above
    from lambda_bed.deployed import built_layer  # noqa: PLC0415 - only this part needs it
    from lambda_bed.environment import Code  # noqa: PLC0415 - only this part needs it
    from server.serving import asked  # noqa: PLC0415 - only this part needs it
    from upstream import stream  # noqa: PLC0415 - only this part needs it

    package = build_function(folder / "package", Target.of_this_machine())
    async with a_home(Code(package.folder, built_layer()), folder / "bed") as home:
        home.model.says(stream("Words and words. " * 200, pace=0.005))
        await read(await home.begin(asked("Count.")))
        return home.function.environments[0].memory_mb()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as given:
        peak = asyncio.run(memory(Path(given)))
    print("memory at its peak, one stream:", ", ".join(f"{what} {mb:.1f} MB" for what, mb in peak.items()))
