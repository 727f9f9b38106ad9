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


@dataclass
class StreamResult:
    """Times in milliseconds; `bytes` of body."""

    first: float = 0.0
    total: float = 0.0
    frames: int = 0
    bytes: int = 0
    gaps: list[float] = field(default_factory=list)
    failed: bool = False


class _Stream(asyncio.Protocol):
    def __init__(self, target: Target, tokens: int) -> None:
        self.result = StreamResult()
        self.done = asyncio.get_running_loop().create_future()
        self.tail = b""
        self.last = 0.0
        self.first_mark = b"event: delta" if target.page else b'"content":"the '
        self.end_mark = re.compile(rb"event: (?:done|error)" if target.page else rb"data: \[DONE\]")
        body = self._body(target, tokens)
        path = "/api/turns" if target.page else "/v1/chat/completions"
        self.request = (
            f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1:{target.port}\r\ncontent-type: application/json\r\n"
            f"accept: text/event-stream\r\nauthorization: Bearer none\r\ncontent-length: {len(body)}\r\n\r\n"
        ).encode() + body

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

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
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

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.result.failed = not self.result.total or not self.result.first
        if not self.done.done():
            self.done.set_result(None)


async def stream_once(target: Target, tokens: int, *, timeout: float = 120.0) -> StreamResult:
    """Open one stream, read it to its end."""
    loop = asyncio.get_running_loop()
    _, stream = await loop.create_connection(lambda: _Stream(target, tokens), "127.0.0.1", target.port)
    try:
        async with asyncio.timeout(timeout):
            await stream.done
    except TimeoutError:
        stream.transport.abort()
        stream.result.failed = True
    return stream.result


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
