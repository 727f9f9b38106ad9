"""The upstream of the pages that are measured: "N then M" in a question asks for N characters at once and M paced ones.

    python benchmarks/page_upstream.py PORT

Answers any other question, and whatever is not streamed (titles and the like), with a few words. `GET /finished` says
how many paced streams have ended. The paced part comes a token of four characters at a time, `RATE` a second.
"""

import asyncio
import json
import re
import sys

from page_stream import RATE, answer, tokens

finished = 0
_MODELS = {"object": "list", "data": [{"id": "mock", "object": "model", "owned_by": "mock"}]}


def _choice(what: dict[str, object]) -> dict[str, object]:
    return {"id": "x", "created": 1, "model": "mock", "choices": [{"index": 0, **what}]}


def _whole(writer: asyncio.StreamWriter, said: object) -> None:
    body = json.dumps(said).encode()
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body))
    writer.write(body)


async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of one connection."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            found = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
            body = await reader.readexactly(int(found[1])) if found else b""
            asked = re.findall(rb"(\d+) then (\d+)", body)
            is_title = b"Name the conversation" in body
            if not body:
                _whole(writer, finished if head.startswith(b"GET /finished") else _MODELS)
            elif not re.search(rb'"stream": *true', body):
                _whole(
                    writer, _choice({"message": {"role": "assistant", "content": "A title"}, "finish_reason": "stop"})
                )
            else:
                fast, paced = (0, 8) if is_title or not asked else map(int, asked[-1])
                await stream(writer, fast, paced)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def stream(writer: asyncio.StreamWriter, fast: int, paced: int) -> None:
    """Answer with the first part at once and the second at the measured rate."""
    global finished  # noqa: PLW0603 - the program's one number
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")

    def say(delta: dict[str, str], finish: str | None = None) -> None:
        chunk = _choice({"delta": delta, "finish_reason": finish}) | {"object": "chat.completion.chunk"}
        writer.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")

    text = answer(fast + paced)
    for at in range(0, fast, 400):
        say({"content": text[at : min(at + 400, fast)]})
        await asyncio.sleep(0.005)
    if fast:
        await asyncio.sleep(2)
    due = asyncio.get_running_loop().time()
    for token in tokens(text[fast:]):
        say({"content": token})
        due += 1 / RATE
        await asyncio.sleep(max(0, due - asyncio.get_running_loop().time()))
    say({}, "stop")
    writer.write(b"data: [DONE]\n\n")
    await writer.drain()
    writer.close()
    finished += paced > RATE


async def main() -> None:
    """Serve until ended."""
    server = await asyncio.start_server(handle, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
