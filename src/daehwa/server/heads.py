"""Writes the heads of answers: what uvicorn looks for in each header, by two regular expressions, at once in all."""

from typing import Any

from daehwa.server.asgi import Headers
from daehwa.server.lean_uvicorn import STATUS_LINE, RequestResponseCycle

_CONTROLS = bytes({*range(0x20), 0x7F} - {0x09})
_LEFT_TO_UVICORN = frozenset({b"connection", b"transfer-encoding"})
_SAYS_LENGTH = frozenset({b"content-length", b"transfer-encoding"})
_NO_BODY = frozenset({204, 304})
_LINE_END = 2


class LeanCycle(RequestResponseCycle):
    """uvicorn's own, but for heads as nearly all of ours are: nothing in them about the connection, which is kept. And
    for clients of HTTP/1.0, which know no chunks (RFC 9112, section 6.1): a body without a length ends with theirs.
    """

    _ends_with_connection = False

    async def send(self, message: Any) -> None:
        """Send the head, or a piece of the body."""
        if self.scope["http_version"] < "1.1":
            self._send_without_chunks(message)
        if self.response_started or message["type"] != "http.response.start" or not self._sends_head(message):
            await super().send(message)

    def _send_without_chunks(self, message: Any) -> None:
        """Let uvicorn, which looks at no version, take a body without a length for one of the length that comes."""
        if message["type"] == "http.response.start":
            has_length = any(name in _SAYS_LENGTH for name, _ in message["headers"])
            if not has_length and self.scope["method"] != "HEAD" and message["status"] not in _NO_BODY:
                self._ends_with_connection, self.chunked_encoding = True, False
        elif self._ends_with_connection:
            self.expected_content_length = len(message.get("body", b""))

    def _sends_head(self, message: Any) -> bool:
        if self.disconnected or self.flow.write_paused or not self.keep_alive:
            return False
        status: int = message["status"]
        headers: Headers = [*self.default_headers, *message["headers"]]
        length: int | None = None
        parts = [STATUS_LINE[status]]
        for name, value in headers:
            if name in _LEFT_TO_UVICORN:
                return False
            if name == b"content-length":
                length = int(value)
            parts += (name, b": ", value, b"\r\n")
        is_chunked = length is None and self.scope["method"] != "HEAD" and status not in _NO_BODY
        parts.append(b"transfer-encoding: chunked\r\n\r\n" if is_chunked else b"\r\n")
        head = b"".join(parts)
        lines = 1 + len(headers) + is_chunked + 1
        if len(head) - len(head.translate(None, _CONTROLS)) != lines * _LINE_END:
            return False  # something would break out of its line: uvicorn says so
        self.response_started, self.waiting_for_100_continue = True, False
        if is_chunked or length is not None:
            self.chunked_encoding, self.expected_content_length = is_chunked, length or 0
        self.transport.write(head)
        return True
