"""Starts, watches and ends the programs that are measured. Linux only: it reads /proc and pins processors."""

import contextlib
import os
import platform
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import native

ROOT = Path(__file__).resolve().parent.parent
SERVER_CORE, CLIENT_CORE = 0, 1


@dataclass(frozen=True)
class Program:
    """A program that answers on a port, and the milliseconds from its start to its first 200."""

    port: int
    pid: int
    ready_ms: float


@dataclass(frozen=True, kw_only=True)
class Command:
    """How a server is started: what is run, where it answers 200, within how many seconds; its output goes to `log`."""

    line: Sequence[str]
    port: int
    ready: str
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    log: Path | None = None
    seconds: float = 30.0


def lacking() -> str | None:
    """Return in a sentence what this machine lacks for a benchmark; None where it has all of it."""
    if not sys.platform.startswith("linux"):
        return f"The benchmarks need Linux: they read /proc and pin processors. This is {platform.system()}."
    may_use = os.sched_getaffinity(0)
    if not {SERVER_CORE, CLIENT_CORE} <= may_use:
        numbers = ", ".join(map(str, sorted(may_use)))
        return f"The benchmarks need the processors 0 and 1, one for the server, one for the load; here is {numbers}."
    for name, package in (("taskset", "util-linux"), ("cc", "gcc libc6-dev")):
        if shutil.which(name) is None:
            return f"The benchmarks need {name}, which is not here (Debian: apt-get install {package})."
    return None


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def process_tree(pid: int) -> list[int]:
    """Return a process and all below it that are alive."""
    found, todo = [], [pid]
    while todo:
        now = todo.pop()
        found.append(now)
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{now}/task").iterdir():
                todo += [int(child) for child in (task / "children").read_text().split()]
    return found


def cpu_seconds(pids: Sequence[int]) -> float:
    """Return user and system time of these processes, by each one's own clock, which counts nanoseconds."""
    total = 0.0
    for pid in pids:
        with contextlib.suppress(OSError):
            total += time.clock_gettime((~pid << 3) | 2)  # what clock_getcpuclockid(3) returns
    return total


def memory_mb(pids: Sequence[int]) -> float:
    """Return the memory of processes in MB: the proportional set size, but whole where this program has part of it.

    Most that is measured runs on this program's own interpreter, whose pages would else count half.
    """
    here = {name for name, _ in _mappings(os.getpid()) if name.startswith("/")}
    total, shared = 0, dict[str, int]()
    for pid in pids:
        of_process = dict[str, int]()
        for name, kb in _mappings(pid):
            if name in here:
                total += kb["Private_Clean"] + kb["Private_Dirty"]
                of_process[name] = of_process.get(name, 0) + kb["Shared_Clean"] + kb["Shared_Dirty"]
            else:
                total += kb["Pss"]
        shared |= {name: max(kb, shared.get(name, 0)) for name, kb in of_process.items()}
    return (total + sum(shared.values())) / 1024


def _mappings(pid: int) -> Iterator[tuple[str, Mapping[str, int]]]:
    """Yield each mapping of a process, by what is mapped, with its sizes in KB (proc(5), smaps)."""
    name, sizes = "", dict[str, int]()
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps").read_text("utf-8", "replace").splitlines():
            field, _, value = line.partition(":")
            if value.endswith(" kB"):
                sizes[field] = int(value.split()[0])
            elif field == "VmFlags":
                yield name, sizes
            elif "-" in field.partition(" ")[0]:
                name, sizes = line[73:], {}


def folder_mb(folder: Path) -> float:
    """Return the size of a folder's files in MB of a million bytes, bytecode left out."""
    files = (path for path in folder.rglob("*") if path.suffix != ".pyc" and path.is_file() and not path.is_symlink())
    return sum(path.stat().st_size for path in files) / 1e6


def wait_until_up(
    port: int, path: str = "/healthz", seconds: float = 30.0, process: subprocess.Popen[bytes] | None = None
) -> None:
    """Return when a program answers 200 on this port; an OSError says why it did not."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
                answer.read()
                return
        except (OSError, urllib.error.HTTPError) as problem:
            if process is not None and process.poll() is not None:
                raise OSError(f"it ended with code {process.returncode} before it answered") from problem
            if time.monotonic() > deadline:
                raise OSError(f"no 200 at {path} within {seconds:.0f} s: {problem}") from problem
            time.sleep(0.005)


@contextlib.contextmanager
def program(
    command: Sequence[str],
    *,
    core: int,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    log: Path | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program on one processor, its output into `log` or nowhere; end it at the end of the block."""
    with contextlib.ExitStack() as stack:
        output = subprocess.DEVNULL if log is None else stack.enter_context(log.open("wb"))
        process = subprocess.Popen(
            ["taskset", "-c", str(core), *command],
            env={**os.environ, **(env or {})},
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextlib.contextmanager
def server(command: Command) -> Iterator[Program]:
    """Run a server on the server's processor and wait until it is ready."""
    began = time.perf_counter()
    with program(command.line, core=SERVER_CORE, env=command.env, cwd=command.cwd, log=command.log) as process:
        wait_until_up(command.port, command.ready, command.seconds, process)
        yield Program(command.port, process.pid, (time.perf_counter() - began) * 1000)


@contextlib.contextmanager
def mock_upstream(*, tokens: int, pace_ms: float) -> Iterator[int]:
    """Run the mock upstream; yield its port."""
    port = free_port()
    command = [native.built("mock_upstream"), "--port", str(port), "--tokens", str(tokens)]
    command += ["--pace-us", str(int(pace_ms * 1000))]
    with program(command, core=CLIENT_CORE):
        wait_until_up(port, "/v1/models")
        yield port


def set_pace(upstream: int, *, pace_ms: float, tokens: int) -> None:
    """Let the mock upstream go at another pace, and answer with so many tokens where nobody asks for a number."""
    wait_until_up(upstream, f"/pace/{int(pace_ms * 1000)}/{tokens}")


@contextlib.contextmanager
def nginx(upstream_port: int) -> Iterator[Program]:
    """Run nginx as a plain streaming relay of the upstream."""
    path = shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(path).exists():
        raise FileNotFoundError("nginx is not installed (Debian: apt-get install nginx-light)")
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "nginx.conf")
        config.write_text(
            f"daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;\n"
            "events { worker_connections 4096; }\n"
            f"http {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;\n"
            f"fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n"
            f"upstream up {{ server 127.0.0.1:{upstream_port}; keepalive 256; }}\n"
            f"server {{ listen 127.0.0.1:{port}; tcp_nodelay on;\n"
            "location / { proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection '';\n"
            "proxy_buffering off; proxy_cache off; } } }\n"
        )
        with server(Command(line=[path, "-p", folder, "-c", str(config)], port=port, ready="/v1/models")) as running:
            yield running


@contextlib.contextmanager
def asgi(name: str, upstream_port: int, *, loop: str = "asyncio") -> Iterator[Program]:
    """Run one of the relays beside this file on uvicorn, with the parser that daehwa has."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", f"{name}:app", "--port", str(port), "--no-access-log"]
    command += ["--loop", loop, "--http", "httptools", "--log-level", "error"]
    env = {"UPSTREAM": f"http://127.0.0.1:{upstream_port}"}
    started = Command(line=command, port=port, ready="/v1/models", env=env, cwd=ROOT / "benchmarks")
    with server(started) as running:
        yield running


def uv() -> str:
    """Return uv's path: the one that runs this, else the machine's, else the environment's own."""
    return os.environ.get("UV") or shutil.which("uv") or str(Path(sys.executable).with_name("uv"))


def daehwa_command() -> str:
    """Return the installed program."""
    return str(Path(sys.executable).with_name("daehwa"))


def compile_bytecode() -> None:
    """Compile the package, its dependencies and what is beside this file, as an installer does."""
    env = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    places = [str(ROOT / "src"), str(ROOT / "benchmarks"), str(Path(sys.prefix, "lib"))]
    subprocess.run([sys.executable, "-m", "compileall", "-q", "-j", "2", *places], env=env, check=False)


@contextlib.contextmanager
def daehwa(upstream_port: int | None, *, env: Mapping[str, str] | None = None) -> Iterator[Program]:
    """Run daehwa with a data folder of its own, stored on a real disk, and `env` beside what says its upstream."""
    port = free_port()
    with tempfile.TemporaryDirectory(dir=ROOT / "benchmarks") as folder:
        given = dict(env or {})
        if upstream_port is not None:
            given["OPENAI_BASE_URL"] = f"http://127.0.0.1:{upstream_port}/v1"
            given["OPENAI_API_KEY"] = "benchmark"
        command = [daehwa_command(), "serve", "--no-open", "--port", str(port), "--data-dir", folder]
        with server(Command(line=command, port=port, ready="/healthz", env=given, cwd=Path(folder))) as running:
            yield running
