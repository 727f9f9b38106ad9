"""The two C programs that the benchmarks measure with: that they compile, and that what they count is right."""

import json
import os
import socket
import socketserver
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

NATIVE = Path(__file__).parents[2] / "benchmarks" / "native.py"
LIMIT_S = 60


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile both; warnings are errors."""
    folder = tmp_path_factory.mktemp("native")
    subprocess.run([sys.executable, NATIVE, folder], check=True, timeout=LIMIT_S)  # noqa: S603 - ours
    return folder


@contextmanager
def mock(built: Path, pace_us: int, tokens: int = 200) -> Iterator[int]:
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port = probe.getsockname()[1]
    command = [str(built / "mock_upstream"), "--port", str(port), "--pace-us", str(pace_us), "--tokens", str(tokens)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:  # noqa: S603 - ours
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"mock upstream on")
        try:
            yield port
        finally:
            process.terminate()


def load(built: Path, port: int, **options: object) -> Any:
    given = [
        part
        for name, value in {"seconds": 50, **options}.items()
        for part in (f"--{name.replace('_', '-')}", str(value))
    ]
    command = [str(built / "load_client"), "--port", str(port), *given]
    ended = subprocess.run(command, check=True, capture_output=True, timeout=LIMIT_S)  # noqa: S603 - ours
    return json.loads(ended.stdout)


def test_every_token_is_counted_and_the_pace_is_seen(built: Path) -> None:
    with mock(built, 5000) as port:
        seen = load(built, port, streams=20, tokens=23, ramp_ms=100)
        together = load(built, port, streams=20, tokens=40, ramp_ms=100, all_open=1)
    assert (seen["whole"], seen["failed"], seen["unfinished"], seen["tokens"]) == (20, 0, 0, 20 * 23)
    assert seen["first"]["count"] == 20
    assert seen["gap"]["count"] <= 20 * 22
    assert seen["total"]["p50"] >= 22 * 5 - 1  # the clocks' steps
    assert 0 < together["gap"]["count"] < 20 * 39


def test_a_stream_at_full_speed_is_whole_though_the_client_reads_it_in_pieces(built: Path) -> None:
    with mock(built, 0, 20_000) as port:
        seen = load(built, port, streams=3, tokens=20_000, ramp_ms=0)
    assert (seen["whole"], seen["tokens"]) == (3, 60_000)
    assert seen["bytes"] > 60_000 * 290


def test_pace_and_length_can_be_set_while_it_runs(built: Path) -> None:
    with mock(built, 1_000_000) as port:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/pace/2000/7", timeout=LIMIT_S) as answer:
            assert answer.status == 200
        seen = load(built, port, streams=2, tokens=7, ramp_ms=0)
        with saying_what_it_heard() as (heard, other):
            load(built, other, headers="x-one: 1\r\nx-two: 2\r\n")
    assert (seen["whole"], seen["tokens"]) == (2, 14)
    assert seen["total"]["p50"] < 1000
    assert b"\r\nx-one: 1\r\nx-two: 2\r\ncontent-length:" in heard[0]


def test_a_connection_is_kept_only_where_that_is_asked(built: Path) -> None:
    with mock(built, 0) as port:
        kept = load(built, port, repeat=7, tokens=3, reuse=1)
        new = load(built, port, repeat=7, tokens=3)
        answers = load(built, port, repeat=7, kind="whole", reuse=1)
    assert [(seen["whole"], seen["connections"]) for seen in (kept, new, answers)] == [(7, 1), (7, 7), (7, 1)]


def test_the_99th_percentile_of_a_hundred_is_not_the_largest_and_that_of_fifty_is(built: Path) -> None:
    with mock(built, 0) as port:
        hundred = load(built, port, repeat=100, tokens=3, reuse=1)["first"]
        fifty = load(built, port, repeat=50, tokens=3, reuse=1)["first"]
        lone = load(built, port, tokens=3)["first"]
    assert hundred["p50"] <= hundred["p90"] <= hundred["p99"] < hundred["max"]
    assert fifty["p99"] == fifty["max"] > fifty["p50"]
    assert lone["p50"] == lone["p99"] == lone["max"] > 0


def told_to_end(built: Path, port: int, seconds: float) -> Any:
    """Return what the client says of 50 streams when it is told to end so long after they are connected."""
    command = [str(built / "load_client"), "--port", str(port), "--streams", "50", "--ramp-ms", "10"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as client:  # noqa: S603 - ours
        deadline = time.monotonic() + LIMIT_S
        while len(os.listdir(f"/proc/{client.pid}/fd")) < 50 and time.monotonic() < deadline:  # noqa: PTH208 - one count
            time.sleep(0.01)
        time.sleep(seconds)
        client.terminate()
        return json.loads(client.communicate(timeout=LIMIT_S)[0])


def test_streams_that_stay_open_are_counted_when_the_client_is_told_to_end(built: Path) -> None:
    seen: Any = None
    with mock(built, 1_000_000) as port:
        for seconds in (0.05, 0.5, 5, 20):  # the longer ones for a machine that is busy
            seen = told_to_end(built, port, seconds)
            if seen["open"] == 50:
                break
    assert (seen["open"], seen["unfinished"], seen["failed"]) == (50, 50, 0)


STAYING = b": stays\n"


class Answers(socketserver.BaseRequestHandler):
    """Answers every request with the server's `said`, in pieces of a few bytes, and hangs up unless it shall stay."""

    def handle(self) -> None:
        self.request.recv(65536)
        said: bytes = getattr(self.server, "said")  # noqa: B009 - a test's own attribute
        for at in range(0, len(said), 7):
            self.request.sendall(said[at : at + 7])
        if said.endswith(STAYING):
            self.request.recv(1)


@contextmanager
def saying(said: bytes) -> Iterator[int]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answers) as server:
        setattr(server, "said", said)  # noqa: B010 - a test's own attribute
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@contextmanager
def saying_what_it_heard() -> Iterator[tuple[list[bytes], int]]:
    heard: list[bytes] = []

    class Listener(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            heard.append(self.request.recv(65536))

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Listener) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield heard, server.server_address[1]
        server.shutdown()


def streamed(*words: str, end: str = "data: [DONE]\n\n") -> bytes:
    events = "".join(f'data: {{"choices":[{{"delta":{{"content":"{word}"}}}}]}}\n\n' for word in words) + end
    half = len(events) // 2 + 1
    chunks = "".join(f"{len(part):x}\r\n{part}\r\n" for part in (events[:half], events[half:]))
    return f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n".encode()


def test_a_wrong_word_has_failed_a_stream_that_still_runs(built: Path) -> None:
    head = b"HTTP/1.1 200 OK\r\n\r\n"
    for words, failed in ((b"the quick ", 0), (b"the brown ", 1)):
        with saying(head + b'event: delta\ndata: "' + words + b'"\n\n' + STAYING) as port:
            seen = load(built, port, tokens=3, kind="page", seconds=1)
        assert (seen["failed"], seen["wrong"], seen["open"]) == (failed, failed, 1)


@pytest.mark.parametrize(
    ("said", "kind", "whole"),
    [
        (streamed("the ", "quick ", "brown "), "openai", 1),
        (streamed("the quick ", "brown "), "openai", 1),  # merged on the way: nothing is lost
        (streamed("the ", "brown "), "openai", 0),
        (streamed("the ", "the ", "quick ", "brown "), "openai", 0),
        (streamed("the ", "quick "), "openai", 0),
        (streamed("the ", "quick ", "brown ", end=""), "openai", 0),
        (streamed("the ", "quick ", "brown ")[:-9], "openai", 0),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy", "openai", 0),
        (
            b'HTTP/1.1 200 OK\r\n\r\nevent: delta\nid: 3\ndata: "the quick brown "\n\nevent: done\ndata: {}\n\n',
            "page",
            1,
        ),
        (b'HTTP/1.1 200 OK\r\n\r\nevent: delta\ndata: "the quick brown "\n\nevent: error\ndata: {}\n\n', "page", 0),
        (b'HTTP/1.1 200 OK\r\n\r\n{"choices":[{"message":{"content": "A title"}}]}', "whole", 1),
        (b'HTTP/1.1 200 OK\r\n\r\n{"choices":[{"message":{"content": "A tit', "whole", 0),
        (b'HTTP/1.1 200 OK\r\n\r\n{"error":{"message":"no content"}}', "whole", 0),
    ],
)
def test_a_stream_is_whole_only_with_every_word_in_its_place_and_its_end(
    built: Path, said: bytes, kind: str, whole: int
) -> None:
    with saying(said) as port:
        seen = load(built, port, tokens=3, kind=kind)
    assert (seen["whole"], seen["failed"]) == (whole, 1 - whole)
    assert seen["refused"] == (b"503" in said)
