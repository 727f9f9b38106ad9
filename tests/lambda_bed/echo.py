"""A small ASGI application that says what it was asked and answers as it is told, to try the adapter itself.

It runs inside of an environment, as the only file of a zip: it imports nothing of the tests.
"""

import asyncio
import json
import os
from pathlib import Path
from typing import Any


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Answer by path; `/healthz` is what the adapter asks before it is ready."""
    if scope["type"] == "lifespan":
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    match scope["path"].removeprefix("/v1"):
        case "/stream":
            await _stream(send, dict(pair.split("=") for pair in scope["query_string"].decode().split("&")))
        case "/sign-in":
            cookies = [(b"set-cookie", b"session=new; HttpOnly"), (b"set-cookie", b"attempt=; Max-Age=0")]
            await _answer(send, 302, b"", [(b"location", b"/chat.html"), *cookies])
        case "/empty":
            await _answer(send, 204, b"", [])
        case "/vary":
            await _answer(send, 200, b"twice", [(b"vary", b"origin"), (b"vary", b"accept")])
        case "/broken":
            await _start(send, 200, [(b"content-type", b"text/event-stream")])
            await send({"type": "http.response.body", "body": b"data: half", "more_body": True})
            raise ConnectionError
        case "/late":
            await _late(send)
        case _:
            await _answer(send, 200, json.dumps(_said(scope, body)).encode(), [(b"content-type", b"application/json")])


def _said(scope: Any, body: bytes) -> dict[str, Any]:
    return {
        "method": scope["method"],
        "path": scope["raw_path"].decode(),
        "query": scope["query_string"].decode(),
        "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]],
        "body": body.decode("latin-1"),
    }


async def _late(send: Any) -> None:
    """Leave something to be done for after the last byte."""
    await _answer(send, 200, b"all there is", [])
    await asyncio.sleep(0.1)
    await asyncio.to_thread(Path(os.environ["TMPDIR"], "late").touch)


async def _stream(send: Any, told: dict[str, str]) -> None:
    await _start(send, 200, [(b"content-type", b"text/event-stream")])
    for number in range(int(told["pieces"])):
        body = b"data: %d\n\n" % number + b"." * int(told.get("size", "0"))
        await send({"type": "http.response.body", "body": body, "more_body": True})
        await asyncio.sleep(float(told["pause"]))
    await send({"type": "http.response.body", "body": b""})


async def _start(send: Any, status: int, headers: list[tuple[bytes, bytes]]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def _answer(send: Any, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    await _start(send, status, headers)
    await send({"type": "http.response.body", "body": body})
