"""A DynamoDB for the tests: Amazon's own DynamoDB Local from Maven Central where Java and Maven are there, else moto.

It is started once for a run, on a free port of 127.0.0.1, and ended by its process. `DAEHWA_TEST_DYNAMODB=moto` asks
for moto. The first run fetches about 40 MB into the user's cache folder.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from platformdirs import user_cache_path

from daehwa.conversation.ids import new_id
from daehwa.late_dataclasses import late_dataclasses
from daehwa.stores import dynamodb_table as names

with late_dataclasses():  # as the function has them
    from aiodynamo.credentials import Key, StaticCredentials
    from aiodynamo.errors import ResourceInUse
    from aiodynamo.http.types import HttpImplementation
    from aiodynamo.models import (
        GlobalSecondaryIndex,
        KeySchema,
        KeySpec,
        KeyType,
        PayPerRequest,
        Projection,
        ProjectionType,
    )

    from daehwa.stores.dynamodb_client import DynamoTable

VERSION = "3.3.1"
SDK_VERSION = "2.54.15"
"""The SDK that DynamoDB Local is run with: the one it names was not published whole."""
REGION = "eu-central-1"
CREDENTIALS = StaticCredentials(Key("test", "test"))
_START_SECONDS = 60
_FETCH_SECONDS = 600
_SERVER_CLASS = "software.amazon.dynamodb.services.local.main.ServerRunner"

_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion><groupId>daehwa</groupId><artifactId>dynamodb-local</artifactId><version>1</version>
<dependencyManagement><dependencies><dependency>
<groupId>software.amazon.awssdk</groupId><artifactId>bom</artifactId><version>{SDK_VERSION}</version>
<type>pom</type><scope>import</scope>
</dependency></dependencies></dependencyManagement>
<dependencies><dependency>
<groupId>software.amazon.dynamodb</groupId><artifactId>DynamoDBLocal</artifactId><version>{VERSION}</version>
</dependency></dependencies>
</project>
"""
# Its own command listens on every interface of the machine and cannot be told otherwise. Both servers end with their
# standard input, which a run of tests that is killed closes too.
_ON_LOOPBACK = f"""
public class OnLoopback {{
    public static void main(String[] options) throws Exception {{
        var local = {_SERVER_CLASS}.createServerFromCommandLineArgs(options);
        var field = local.getClass().getDeclaredField("server");
        field.setAccessible(true);
        var jetty = (org.eclipse.jetty.server.Server) field.get(local);
        for (var connector : jetty.getConnectors()) {{
            ((org.eclipse.jetty.server.ServerConnector) connector).setHost("127.0.0.1");
        }}
        local.start();
        while (System.in.read() >= 0) {{ }}
        System.exit(0);
    }}
}}
"""
# moto's own command serves with threads, between which its DynamoDB is not safe: a condition could hold for two.
_MOTO = """
import os, sys, threading
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
run_simple("127.0.0.1", int(sys.argv[1]), DomainDispatcherApplication(create_backend_app), threaded=False)
"""


class Choice(NamedTuple):
    """Which DynamoDB the tests run on, and why."""

    name: str
    reason: str

    @property
    def is_local(self) -> bool:
        return self.name.startswith("DynamoDB Local")

    def __str__(self) -> str:
        return f"{self.name} ({self.reason})"


class Unavailable(Exception):  # noqa: N818 - it is a fact, and moto takes its place
    """DynamoDB Local cannot be had on this machine; the text says why."""


class DynamoServer(NamedTuple):
    """A DynamoDB that runs."""

    choice: Choice
    endpoint: str

    def connect(self, table: str, http: HttpImplementation | None = None, retry_seconds: float = 20.0) -> DynamoTable:
        """Return a table of it; patient, since a test's machine may be busy."""
        return DynamoTable.connect(
            table=table,
            region=REGION,
            endpoint=self.endpoint,
            http=http,
            credentials=CREDENTIALS,
            retry_seconds=retry_seconds,
        )

    async def new_table(self) -> str:
        """Make an empty table as the AWS home has it, and return its name."""
        name = f"test-{new_id()}"
        table = self.connect(name)
        try:
            await create_table(table)
        finally:
            await table.aclose()
        _tables.append(name)
        return name


async def create_table(table: DynamoTable) -> None:
    """Make a table of the shape that `dynamodb_table` describes."""
    keys, listed = (
        KeySchema(KeySpec(partition, KeyType.string), KeySpec(sort, KeyType.string))
        for partition, sort in ((names.PARTITION_KEY, names.SORT_KEY), (names.LIST, names.ORDER))
    )
    projection = Projection(ProjectionType.include, list(names.LISTED))
    index = GlobalSecondaryIndex(name=names.LISTS, schema=listed, projection=projection, throughput=None)
    client = table._client
    with contextlib.suppress(ResourceInUse):  # a busy machine was slow to answer, so the same was asked twice
        await client.create_table(table.name, PayPerRequest(), keys, gsis=[index], wait_for_active=True)
    await client.enable_time_to_live(table.name, names.EXPIRES)


def planned() -> Choice:
    """Return what the tests will run on, as far as it can be known before anything is fetched."""
    if os.environ.get("DAEHWA_TEST_DYNAMODB") == "moto":
        return Choice("moto", "DAEHWA_TEST_DYNAMODB asks for it")
    missing = [command for command in ("java", "javac", "mvn") if shutil.which(command) is None]
    if missing and not _is_fetched():
        return Choice("moto", f"no {', '.join(missing)} on this machine")
    return Choice(f"DynamoDB Local {VERSION}", "Java is there")


@contextlib.contextmanager
def dynamodb_server() -> Iterator[DynamoServer]:
    """Run a DynamoDB until the block ends."""
    choice = planned()
    port = _free_port()
    with TemporaryDirectory(prefix="daehwa-dynamodb-") as folder:
        log = Path(folder, "log")
        process = None
        if choice.is_local:
            try:
                process = _started(_local_command(_fetched(), port), port, log)
            except Unavailable as why:
                choice = Choice("moto", str(why))
        if process is None:
            process = _started([sys.executable, "-c", _MOTO, str(port)], port, log)
        try:
            yield DynamoServer(choice, f"http://127.0.0.1:{port}")
        finally:
            process.terminate()
            process.communicate()


_running = contextlib.ExitStack()
_servers: list[DynamoServer] = []
_tables: list[str] = []
"""Made since tables were last dropped."""


def shared_server() -> DynamoServer:
    """Return the DynamoDB of this run, started when it is first asked for; `end` ends it."""
    if not _servers:
        _servers.append(_running.enter_context(dynamodb_server()))
    return _servers[0]


def started() -> DynamoServer | None:
    """Return the DynamoDB of this run if anybody asked for it, even after its end."""
    return _servers[0] if _servers else None


async def drop_tables() -> None:
    """Remove the tables that were made since the last time; moto's transactions copy all that is there."""
    while _tables:
        table = shared_server().connect(_tables.pop())
        try:
            await table._client.delete_table(table.name)
        finally:
            await table.aclose()


def end() -> None:
    """End the DynamoDB of this run, if there is one."""
    _running.close()


def _cache() -> Path:
    made_of = hashlib.sha256(f"{_POM}{_ON_LOOPBACK}".encode()).hexdigest()
    return user_cache_path("daehwa-tests") / f"dynamodb-local-{VERSION}-{made_of[:8]}"


def _is_fetched() -> bool:
    return (_cache() / "OnLoopback.class").exists() and shutil.which("java") is not None


def _fetched() -> Path:
    """Return the folder with DynamoDB Local, fetched the first time: by one process, whoever else waits for it."""
    folder = _cache()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _is_fetched():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            (folder / "pom.xml").write_text(_POM, "utf-8")
            (folder / "OnLoopback.java").write_text(_ON_LOOPBACK, "utf-8")
            copied = ("mvn", "-B", "-q", "dependency:copy-dependencies", "-DincludeScope=runtime")
            _run((*copied, f"-DoutputDirectory={folder}"), folder)
            _run(("javac", "-cp", f"{folder}/*", "OnLoopback.java"), folder)
    return folder


def _run(command: tuple[str, ...], folder: Path) -> None:
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=_FETCH_SECONDS)  # noqa: S603 - fixed words
    except (OSError, subprocess.SubprocessError) as error:
        output = str(getattr(error, "stdout", "") or error).strip().splitlines()
        raise Unavailable(
            f"{command[0]} could not bring DynamoDB Local: {output[0][:200] if output else error}"
        ) from error


def _local_command(folder: Path, port: int) -> list[str]:
    options = [f"-Djava.library.path={folder}", "-Xmx384m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]
    program = ["-cp", f"{folder}/*:{folder}", "OnLoopback", "-inMemory", "-disableTelemetry", "-port", str(port)]
    return ["java", *options, *program]


def _started(command: list[str], port: int, log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT)  # noqa: S603 - fixed words
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return process
        time.sleep(0.05)
    process.kill()
    process.communicate()
    last = log.read_text("utf-8", "replace").strip().splitlines()[-1:]
    raise Unavailable(f"{command[0]} did not start: {' '.join(last)[:200]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
