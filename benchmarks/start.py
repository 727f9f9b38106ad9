"""Parts of `run.py`: how long each takes to its first 200, what it weighs idle and under load, and what is installed.

Each is started anew in every round, bytecode compiled: from spawning the process to the first 200 of its own health
page, of nginx and the relays, which have none, of the upstream's list of models; the peers that take long are started
once. Memory is the proportional set size of its process tree, what it shares with the benchmark's own program counted
whole: soon after, and with streams of a chunk a second held open. Installed size: the packages of an environment of its
own, without bytecode and without Python.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import load
import peers
import programs
from contestants import BARE, DAEHWA, DAEHWA_UVLOOP, DIRECT, NAIVE, NGINX, Contest, Contestant, Served, served
from load import Work
from results import Bench, Measure, reason

SECTION = "Start, memory, size"
READY = Measure("ready", SECTION, "start to the first 200, ms", 0)
IDLE = Measure("idle", SECTION, "memory idle, MB")
LOADED = Measure("loaded", SECTION, "memory with those streams open, MB")
STREAM = Measure("per_stream", SECTION, "memory for each of 1,000 open streams (naive stack: 200, peers: 50), KB")
SIZE = Measure("size", SECTION, "installed, MB")

_SETTLE_SECONDS = 1.5
_HOLD_SECONDS = (3.5, 8.0)
_WEIGHED_ROUNDS = 2
_PACKAGES = {
    BARE: ("aiohttp", "starlette", "uvicorn", "httptools"),
    NAIVE: ("fastapi", "openai", "sse-starlette", "uvicorn", "httptools"),
    DAEHWA: (str(programs.ROOT),),
    DAEHWA_UVLOOP: (f"{programs.ROOT}[uvloop]",),
}


def starts(bench: Bench, contestants: Mapping[str, Contestant]) -> None:
    """Start each anew, look at its memory, hold streams open."""
    weighed = 1 if bench.is_quick else _WEIGHED_ROUNDS
    with programs.mock_upstream(tokens=1000, pace_ms=1000) as upstream:
        for number in bench.in_rounds("start and memory"):
            for name, contestant in contestants.items():
                if name == DIRECT or not _starts(bench, contestant, number):
                    continue
                with served(contestants, [name], upstream, bench.results) as running:
                    for one in running:
                        started(bench, one, weighs=number < weighed)
                        if contestant.speaks_openai and number < weighed:
                            _hold(bench, one, contestant.held)


def _starts(bench: Bench, contestant: Contestant, number: int) -> bool:
    """Whether it is started in this round: a peer in two, and in none where it shall be quick or is started later."""
    if not contestant.is_in("start"):
        return False
    return not contestant.is_peer or (number in {0, 2} and not bench.is_quick and not contestant.speaks_openai)


def peers_started(bench: Bench, contest: Contest) -> None:
    """Add what there is to say of the peers' only start, which is that before the parts over one upstream."""
    programs.set_pace(contest.upstream, pace_ms=1000, tokens=1000)
    for one in contest.running:
        contestant = contest.contestants[one.name]
        if contestant.is_peer:
            started(bench, one)
            if not bench.is_quick:
                _hold(bench, one, contestant.held)


def started(bench: Bench, one: Served, *, weighs: bool = True) -> None:
    """Add how long it took to start, and what it weighs soon after, which hardly differs from start to start."""
    if one.program is None:
        return
    bench.results.add(READY, one.name, one.program.ready_ms)
    if weighs:
        time.sleep(_SETTLE_SECONDS)
        bench.results.add(IDLE, one.name, one.memory())


def _hold(bench: Bench, one: Served, streams: int) -> None:
    """Add what it weighs with so many streams open; the second time is for a machine that is busy."""
    try:
        if not load.run(one.target, Work(tokens=1, repeat=20, seconds=20)).whole:
            return
        before, open_then = one.memory(), 0
        for seconds in _HOLD_SECONDS:
            with load.running(one.target, Work(streams=streams, tokens=1000, ramp=1.5)) as client:
                time.sleep(seconds)
                after = one.memory()
            open_then = client.load.open if client.load else 0
            if open_then >= streams:
                bench.results.add(LOADED, one.name, after)
                bench.results.add(STREAM, one.name, 1024 * (after - before) / streams)
                return
        bench.results.remark(f"{one.name}, memory: only {open_then} of {streams} streams were open")
    except subprocess.SubprocessError as problem:
        bench.results.remark(f"{one.name}, memory: {reason(problem)}")


def sizes(bench: Bench, contestants: Mapping[str, Contestant]) -> None:
    """Weigh what is installed for each."""
    for name, packages in _PACKAGES.items():
        print(f"  installing {name}", flush=True)
        bench.results.add(SIZE, name, _installed_mb(packages))
    for name, package in peers.PACKAGES.items():
        if name in contestants:
            bench.results.add(SIZE, name, package.weigh())
    nginx = shutil.which("nginx") or "/usr/sbin/nginx"
    if Path(nginx).exists():
        bench.results.add(SIZE, NGINX, Path(nginx).stat().st_size / 1e6)


def _installed_mb(packages: tuple[str, ...]) -> float:
    """Return the size of a fresh environment's packages, without bytecode."""
    with tempfile.TemporaryDirectory() as folder:
        env = {**os.environ, "VIRTUAL_ENV": folder}
        subprocess.run(
            [programs.uv(), "venv", "-q", "--clear", "--python", sys.executable, folder], check=True, timeout=60
        )
        subprocess.run([programs.uv(), "pip", "install", "-q", *packages], check=True, env=env, timeout=120)
        return sum(programs.folder_mb(place) for place in Path(folder, "lib").glob("python*/site-packages"))
