"""A fast, paced upstream for benchmarks: speaks enough of OpenAI's wire to stream, and nothing more.

    python benchmarks/mock_upstream.py --port 9100 --tokens 200 --pace-ms 10

Every stream gets a role frame at once, then one ~300-byte `chat.completion.chunk` every `pace` milliseconds (0: all
at once), a usage frame and `[DONE]`. A request's `max_tokens` overrides `--tokens`.
"""

import argparse
import asyncio
import re

_ID = "chatcmpl-9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c"
_FRAME = (
    'data: {"id":"%s","object":"chat.completion.chunk","created":1763800000,"model":"mock","system_fingerprint":'
    '"fp_50cad350e4","service_tier":"default","choices":[{"index":0,"delta":{%s},"logprobs":null,'
    '"finish_reason":%s}],"usage":null}\n\n'
)
_ROLE = _FRAME % (_ID, '"role":"assistant","content":""', "null")
_LAST = _FRAME % (_ID, "", '"stop"')
_USAGE = (
    'data: {"id":"%s","object":"chat.completion.chunk","created":1763800000,"model":"mock","choices":[],"usage":'
    '{"prompt_tokens":12,"completion_tokens":%d,"total_tokens":%d}}\n\ndata: [DONE]\n\n'
)
_WORDS = ["the ", "quick ", "brown ", "fox ", "**jumps** ", "over ", "`lazy` ", "dogs, ", "and ", "rests.\n\n"]
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_MODELS = b'{"object":"list","data":[{"id":"mock","object":"model","owned_by":"mock"}]}'
_WHOLE = (
    b'{"id":"x","object":"chat.completion","created":1,"model":"mock","choices":[{"index":0,"message":'
    b'{"role":"assistant","content":"A title"},"finish_reason":"stop"}]}'
)


def chunked(text: str) -> bytes:
    """Return a text as one chunk of chunked transfer coding."""
    raw = text.encode()
    return b"%x\r\n%s\r\n" % (len(raw), raw)


FRAMES = [chunked(_FRAME % (_ID, f'"content":"{word}"'.replace("\n", "\\n"), "null")) for word in _WORDS]


class Upstream(asyncio.Protocol):
    """One connection; requests one after another."""

    tokens = 200
    pace = 0.01

    def __init__(self) -> None:
        self.buffer = b""
        self.timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the stream when the client has gone."""
        del exc
        if self.timer is not None:
            self.timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Answer when a whole request is there."""
        self.buffer += data
        head, found, body = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
        if length is not None and len(body) < int(length[1]):
            return
        self.buffer = b""
        if head.startswith(b"GET"):
            self.answer(_MODELS)
        elif re.search(rb'"stream": ?true', body) is None:
            self.answer(_WHOLE)
        else:
            self.stream(self.wanted_tokens(body))

    def wanted_tokens(self, body: bytes) -> int:
        """Return how many tokens this request is answered with; a request for a title gets five."""
        if b"Name the conversation below" in body:
            return 5
        asked = re.search(rb'"max_(?:completion_)?tokens": ?(\d+)', body)
        return int(asked[1]) if asked else self.tokens

    def answer(self, body: bytes) -> None:
        """Send a whole JSON answer."""
        self.transport.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
        )

    def stream(self, tokens: int) -> None:
        """Begin a stream of this many tokens."""
        self.sent, self.wanted = 0, tokens
        self.due = asyncio.get_running_loop().time()
        self.transport.write(_HEAD + chunked(_ROLE))
        if self.pace:
            self.tick()
        else:
            self.transport.write(b"".join(FRAMES[i % len(FRAMES)] for i in range(tokens)) + self.end())

    def tick(self) -> None:
        """Send the next token and set the time of the one after it."""
        self.transport.write(FRAMES[self.sent % len(FRAMES)])
        self.sent += 1
        if self.sent == self.wanted:
            self.transport.write(self.end())
            return
        self.due += self.pace
        self.timer = asyncio.get_running_loop().call_at(self.due, self.tick)

    def end(self) -> bytes:
        """Return the frames that end a stream."""
        return chunked(_LAST) + chunked(_USAGE % (_ID, self.wanted, self.wanted + 12)) + b"0\r\n\r\n"


async def main() -> None:
    """Serve until killed."""
    options = argparse.ArgumentParser()
    options.add_argument("--port", type=int, default=9100)
    options.add_argument("--tokens", type=int, default=200)
    options.add_argument("--pace-ms", type=float, default=10.0)
    given = options.parse_args()
    Upstream.tokens, Upstream.pace = given.tokens, given.pace_ms / 1000
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", given.port, backlog=2048)
    print(f"mock upstream on 127.0.0.1:{given.port}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
