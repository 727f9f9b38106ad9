"""What a function streams to API Gateway: JSON metadata, exactly eight NUL bytes, then the payload as it is.

The delimiter must come within the first 16 KB, and the metadata may hold four things only. API Gateway answers 502 to
anything else, so this reader raises `NotAFrame` for it.
"""

import json
from dataclasses import dataclass, field

from lambda_bed.errors import NotAFrame

DELIMITER = b"\0" * 8
DELIMITER_WITHIN_BYTES = 16 * 1024
_KNOWN = {"statusCode", "headers", "multiValueHeaders", "cookies"}


@dataclass(frozen=True)
class Metadata:
    """The head of an answer. Names are as the function wrote them; several values of a name stand side by side."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    cookies: tuple[str, ...] = ()

    def header(self, name: str) -> str | None:
        """Return the one value of a header, or None."""
        found = [value for other, value in self.headers if other.lower() == name]
        assert len(found) <= 1, f"{name} came {len(found)} times"
        return found[0] if found else None


@dataclass
class FrameReader:
    """Takes the bytes as they come; gives the metadata once it is whole, and payload from then on."""

    metadata: Metadata | None = None
    _head: bytes = field(default=b"", repr=False)

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes and return what of them is payload."""
        if self.metadata is not None:
            return data
        self._head += data
        head, delimiter, payload = self._head.partition(DELIMITER)
        if len(head) + len(DELIMITER) > DELIMITER_WITHIN_BYTES:
            raise NotAFrame("There are no eight NUL bytes within the first 16 KB.")
        if not delimiter:
            return b""
        self.metadata = read_metadata(head)
        return payload

    def end(self) -> None:
        """Say that nothing more comes."""
        if self.metadata is None:
            raise NotAFrame("The answer ended before its eight NUL bytes.")


def read_metadata(head: bytes) -> Metadata:
    """Read the JSON before the delimiter, as strictly as its documentation describes it."""
    try:
        read = json.loads(head)
    except ValueError as error:
        raise NotAFrame(f"The metadata is not JSON: {error}") from None
    if not isinstance(read, dict) or not set(read) <= _KNOWN:
        raise NotAFrame(f"The metadata holds something unknown: {head!r}")
    headers, many = read.get("headers", {}), read.get("multiValueHeaders", {})
    cookies = read.get("cookies", [])
    values = [*headers.values(), *cookies, *(value for several in many.values() for value in several)]
    if not all(isinstance(value, str) for value in values):
        # Two headers of one name are written as a list here by the adapter; API Gateway knows lists for cookies only.
        raise NotAFrame(f"A header or a cookie is not a string: {head!r}")
    pairs = [*headers.items(), *((name, value) for name, several in many.items() for value in several)]
    return Metadata(int(read.get("statusCode", 200)), tuple(pairs), tuple(cookies))
