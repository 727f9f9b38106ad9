"""A light client for streams: opens them, counts tokens, times the first and the gaps. Used by the other benchmarks."""

import asyncio
import json
import os
import re
import time
from dataclasses import dataclass, field

_MS = 1000.0


def new_id() -> str:
    """Return a UUIDv7."""
    raw = f"{time.time_ns() // 1_000_000:012x}{os.urandom(10).hex()}"
    return f"{raw[:8]}-{raw[8:12]}-7{raw[13:16]}-{'89ab'[int(raw[16], 16) % 4]}{raw[17:20]}-{raw[20:32]}"


@dataclass(frozen=True)
class Target:
    """Where a stream comes from: `page` speaks daehwa's own dialect, else OpenAI's."""

    name: str
    port: int
    page: bool = False
    model: str = "mock"
    key: str = "none"


@dataclass
class StreamResult:
    """Times in milliseconds; `bytes` of body."""

    first: float = 0.0
    total: float = 0.0
    frames: int = 0
    bytes: int = 0
    gaps: list[float] = field(default_factory=list)
    failed: bool = False


_landing = memoryview(bytearray(64 * 1024))  # asyncio would allocate four times as much for every read


class _Stream(asyncio.BufferedProtocol):
    def __init__(self, target: Target, tokens: int) -> None:
        self.result = StreamResult()
        self.done = asyncio.get_running_loop().create_future()
        self.tail = b""
        self.last = 0.0
        self.first_mark = b"event: delta" if target.page else b'"content":"the '
        self.end_mark = re.compile(rb"event: (?:done|error)" if target.page else rb"data: \[DONE\]")
        body = self._body(target, tokens)
        self.request = _request(target, "text/event-stream", body)

    @staticmethod
    def _body(target: Target, tokens: int) -> bytes:
        if target.page:
            message = {"id": new_id(), "parent": None, "parts": [{"type": "text", "text": "Tell me."}]}
            turn = {"conversation": new_id(), "reply": new_id(), "model": target.model, "message": message}
            return json.dumps(turn).encode()
        question = {"role": "user", "content": "Tell me."}
        return json.dumps(
            {"model": target.model, "stream": True, "max_tokens": tokens, "messages": [question]}
        ).encode()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.began = time.perf_counter()
        transport.write(self.request)

    def get_buffer(self, sizehint: int) -> memoryview:
        del sizehint
        return _landing

    def buffer_updated(self, nbytes: int) -> None:
        now = time.perf_counter()
        data = bytes(_landing[:nbytes])
        result = self.result
        result.bytes += len(data)
        result.frames += data.count(b"data: ")
        if not result.first:
            self.tail += data
            if self.first_mark in self.tail:
                result.first = (now - self.began) * _MS
                self.last = now
        else:
            result.gaps.append((now - self.last) * _MS)
            self.last = now
        recent = self.tail[-64:] + data
        self.tail = recent[-64:] if result.first else self.tail
        if self.end_mark.search(recent):
            result.total = (now - self.began) * _MS
            self.transport.close()

    async def result_within(self, seconds: float) -> StreamResult:
        """Wait for the end."""
        try:
            async with asyncio.timeout(seconds):
                await self.done
        except TimeoutError:
            self.transport.abort()
            self.result.failed = True
        return self.result

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.result.failed = not self.result.total or not self.result.first
        if not self.done.done():
            self.done.set_result(None)


def _request(target: Target, accept: str, body: bytes) -> bytes:
    path = "/api/turns" if target.page else "/v1/chat/completions"
    return (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{target.port}\r\ncontent-type: application/json\r\n"
        f"accept: {accept}\r\nauthorization: Bearer {target.key}\r\ncontent-length: {len(body)}\r\n\r\n"
    ).encode() + body


async def stream_once(target: Target, tokens: int, *, timeout: float = 120.0) -> StreamResult:
    """Open one stream, read it to its end."""
    return await (await open_stream(target, tokens)).result_within(timeout)


async def open_stream(target: Target, tokens: int) -> _Stream:
    """Open one stream and leave it open."""
    loop = asyncio.get_running_loop()
    _, stream = await loop.create_connection(lambda: _Stream(target, tokens), "127.0.0.1", target.port)
    return stream


async def streams_at_once(target: Target, count: int, tokens: int, *, ramp: float = 1.0) -> list[StreamResult]:
    """Open `count` streams spread over `ramp` seconds, read all to their end."""

    async def later(index: int) -> StreamResult:
        await asyncio.sleep(ramp * index / count)
        return await stream_once(target, tokens)

    return list(await asyncio.gather(*(later(index) for index in range(count))))


async def streams_in_turn(target: Target, count: int, tokens: int, *, pause: float = 0.0) -> list[StreamResult]:
    """Open `count` streams one after another, `pause` seconds apart: nobody asks again in the same millisecond."""
    results = []
    for _ in range(count):
        results.append(await stream_once(target, tokens))
        await asyncio.sleep(pause)
    return results


class _Asking(asyncio.BufferedProtocol):
    """Asks on one connection for whole answers, one after another, until `until`."""

    def __init__(self, target: Target, until: float) -> None:
        question = {"role": "user", "content": "Tell me."}
        body = json.dumps({"model": target.model, "max_tokens": 16, "messages": [question]}).encode()
        self.request = _request(target, "application/json", body)
        self.until = until
        self.answered = self.failed = 0
        self.tail = b""
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self.request)

    def get_buffer(self, sizehint: int) -> memoryview:
        del sizehint
        return _landing

    def buffer_updated(self, nbytes: int) -> None:
        self.tail += _landing[:nbytes]
        head, found, body = self.tail.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
        if not found or (length is not None and len(body) < int(length[1])):
            return
        if length is None and not body.endswith(b"0\r\n\r\n"):
            return
        self.tail = b""
        self.answered += 1
        self.failed += not head.startswith(b"HTTP/1.1 200")
        if time.perf_counter() < self.until:
            self.transport.write(self.request)
        else:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if not self.done.done():
            self.done.set_result(None)


async def answers_per_second(target: Target, connections: int, seconds: float) -> tuple[float, int]:
    """Return how many whole answers a second come over so many connections, and how many were no answers."""
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    asking = []
    for _ in range(connections):
        _, one = await loop.create_connection(lambda: _Asking(target, began + seconds), "127.0.0.1", target.port)
        asking.append(one)
    async with asyncio.timeout(seconds + 30):
        await asyncio.gather(*(one.done for one in asking))
    took = time.perf_counter() - began
    return sum(one.answered for one in asking) / took, sum(one.failed for one in asking)
