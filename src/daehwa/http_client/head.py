"""The head of an answer: its lines as they came, and the headers that they make."""

from typing import Final

from daehwa.http_client.errors import NotHttp

_PRELIMINARY: Final = 100


def headers_of(lines: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return the headers by their names in lower case; of repeated ones, all, with commas.

    Those are joined once: of one name there may be tens of thousands.
    """
    found: dict[str, str] = {}
    repeated: dict[str, list[str]] = {}
    for line in lines:
        name, text = line[0].decode("latin-1").lower(), line[1].decode("latin-1")
        if name in found:
            repeated.setdefault(name, [found[name]]).append(text)
        else:
            found[name] = text
    for name, texts in repeated.items():
        found[name] = ", ".join(texts)
    return found


def check_preliminary(status: int, lines: list[tuple[bytes, bytes]]) -> None:
    """Raise `NotHttp` where a head before the answer's is none: with a status that HTTP does not have, or with a body,
    which would be taken for the beginning of the answer's.
    """
    if status < _PRELIMINARY:
        raise NotHttp(f"the status {status}, which HTTP does not have")
    headers = headers_of(lines)
    if headers.get("content-length", "0") != "0" or "transfer-encoding" in headers:
        raise NotHttp(f"the status {status} with a body")
