"""Starts, watches and ends the programs that are measured. Linux only: it reads /proc and pins processors."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import native

ROOT = Path(__file__).resolve().parent.parent
SERVER_CORE, CLIENT_CORE = 0, 1
_TICK = 1 / os.sysconf("SC_CLK_TCK")


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
    """Return user and system time of these processes, in steps of a clock tick (10 ms)."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
    return total * _TICK


def memory_mb(pids: Sequence[int], kind: str = "Pss") -> float:
    """Return proportional set size in MB."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith(f"{kind}:"):
                    total += int(line.split()[1])
    return total / 1024


def wait_until_up(port: int, path: str = "/healthz", seconds: float = 30.0) -> None:
    """Return when a program answers on this port with any status."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:
                answer.read()
        except urllib.error.HTTPError:
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.005)
        else:
            return


@contextlib.contextmanager
def program(
    command: Sequence[str], *, core: int, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program on one processor; end it at the end of the block."""
    process = subprocess.Popen(
        ["taskset", "-c", str(core), *command],
        env={**os.environ, **(env or {})},
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
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
def mock_upstream(*, tokens: int, pace_ms: float) -> Iterator[int]:
    """Run the mock upstream; yield its port."""
    port = free_port()
    command = [native.built("mock_upstream"), "--port", str(port), "--tokens", str(tokens)]
    command += ["--pace-us", str(int(pace_ms * 1000))]
    with program(command, core=CLIENT_CORE):
        wait_until_up(port, "/v1/models")
        yield port


@contextlib.contextmanager
def nginx(upstream_port: int) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Run nginx as a plain streaming relay of the upstream; yield its port and process."""
    path = shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(path).exists():
        raise SystemExit("nginx is not installed; it is the reference here (Debian: apt-get install nginx-light).")
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
        with program([path, "-p", folder, "-c", str(config)], core=SERVER_CORE) as process:
            wait_until_up(port, "/v1/models")
            yield port, process


@contextlib.contextmanager
def asgi(name: str, upstream_port: int) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Run one of the relays beside this file on uvicorn, with the loop and the parser that daehwa has."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", f"{name}:app", "--port", str(port), "--no-access-log"]
    command += ["--loop", "asyncio", "--http", "httptools", "--log-level", "error"]
    env = {"UPSTREAM": f"http://127.0.0.1:{upstream_port}"}
    with program(command, core=SERVER_CORE, env=env, cwd=ROOT / "benchmarks") as process:
        wait_until_up(port, "/v1/models")
        yield port, process


def daehwa_command() -> str:
    """Return the installed program."""
    return str(Path(sys.executable).with_name("daehwa"))


def compile_bytecode() -> None:
    """Compile the package and its dependencies, as an installer does."""
    env = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    places = [str(ROOT / "src"), str(Path(sys.prefix, "lib"))]
    subprocess.run([sys.executable, "-m", "compileall", "-q", "-j", "2", *places], env=env, check=False)


@contextlib.contextmanager
def daehwa(
    upstream_port: int | None, *, core: int = SERVER_CORE, env: Mapping[str, str] | None = None
) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Run daehwa with a data folder of its own, stored on a real disk; yield its port and process."""
    port = free_port()
    with tempfile.TemporaryDirectory(dir=ROOT / "benchmarks") as folder:
        given = dict(env or {})
        if upstream_port is not None:
            given["OPENAI_BASE_URL"] = f"http://127.0.0.1:{upstream_port}/v1"
            given["OPENAI_API_KEY"] = "benchmark"
        command = [daehwa_command(), "serve", "--no-open", "--port", str(port), "--data-dir", folder]
        with program(command, core=core, env=given, cwd=Path(folder)) as process:
            wait_until_up(port)
            yield port, process
