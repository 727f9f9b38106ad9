"""What the load client is asked to do, and what it says of the streams it opened, checked and timed."""

import contextlib
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import msgspec
import native


@dataclass(frozen=True)
class Target:
    """Where a stream comes from: `page` speaks daehwa's own dialect, else OpenAI's."""

    name: str
    port: int
    page: bool = False
    model: str = "mock"
    key: str = "none"
    path: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Work:
    """So many clients, begun over `ramp` seconds; each asks `repeat` times (0: until `seconds` are over), with pauses.

    `whole` asks for answers in one piece. `reuse` keeps connections, as SDKs do. `any_text` is for real models, whose
    words nobody knows; else every word is compared with the mock upstream's. With `all_open` only the gaps count
    that end while every stream is open.
    """

    streams: int = 1
    tokens: int = 200
    repeat: int = 1
    ramp: float = 1.0
    pause: float = 0.0
    seconds: int = 120
    whole: bool = False
    reuse: bool = False
    any_text: bool = False
    all_open: bool = False


class Times(msgspec.Struct, frozen=True):
    """Times of one kind, in milliseconds."""

    count: int
    p50: float
    p90: float
    p99: float
    max: float


class Gaps(Times, frozen=True):
    """Times between two reads of a stream that brought text."""

    p999: float = 0.0


class Load(msgspec.Struct, frozen=True):
    """What came of it: `failed` streams were `refused` or `wrong`; `unfinished` clients were still at work."""

    whole: int
    failed: int
    refused: int
    wrong: int
    unfinished: int
    open: int
    tokens: int
    reads: int
    bytes: int
    connections: int
    first: Times
    total: Times
    gap: Gaps
    seconds: float
    cpu_seconds: float

    @property
    def is_whole(self) -> bool:
        """Whether every stream came whole."""
        return not self.failed and not self.unfinished


@dataclass
class Running:
    """The load client at work; `load` once the block is left."""

    load: Load | None = field(default=None)


def _command(target: Target, work: Work) -> list[str]:
    kind = "page" if target.page else "whole" if work.whole else "openai"
    options: dict[str, object] = {
        "--port": target.port,
        "--kind": kind,
        "--model": target.model,
        "--key": target.key,
        "--streams": work.streams,
        "--tokens": work.tokens,
        "--repeat": work.repeat,
        "--ramp-ms": int(work.ramp * 1000),
        "--pause-ms": int(work.pause * 1000),
        "--seconds": work.seconds,
        "--reuse": int(work.reuse),
        "--any-text": int(work.any_text),
        "--all-open": int(work.all_open),
    }
    if target.path is not None:
        options["--path"] = target.path
    if target.headers:
        options["--headers"] = "".join(f"{name}: {value}\r\n" for name, value in target.headers.items())
    return [native.built("load_client"), *(str(part) for option in options.items() for part in option)]


def run(target: Target, work: Work) -> Load:
    """Do the work and return what came of it."""
    ended = subprocess.run(_command(target, work), check=True, capture_output=True, timeout=work.seconds + 30)
    return msgspec.json.decode(ended.stdout, type=Load)


@contextlib.contextmanager
def running(target: Target, work: Work) -> Iterator[Running]:
    """Do the work during the block; at its end the client is told to end."""
    client = subprocess.Popen(_command(target, work), stdout=subprocess.PIPE)
    seen = Running()
    try:
        yield seen
    finally:
        client.terminate()
        out, _ = client.communicate(timeout=30)
    seen.load = msgspec.json.decode(out, type=Load)
