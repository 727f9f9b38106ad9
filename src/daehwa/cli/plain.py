"""Reads the words of a plain start of the server, without click.

`commands` is what they mean. What is not plain (another command, a file, `--port=8000`, a fault, a shell that asks for
completions) is left to click, which also has the words for whoever typed it.
"""

from collections.abc import Sequence
from typing import Final

from daehwa.settings import is_completing

_PORT_DIGITS: Final = 5
_SWITCHES: Final[dict[str, tuple[str, object]]] = {
    "--no-open": ("open_browser", "no"),
    "--log-json": ("log_json", True),
    "--accounts": ("accounts", True),
    "--allow-unprotected": ("allow_unprotected", True),
}


def plain_flags(words: Sequence[str]) -> dict[str, object] | None:
    """Return the flags of `daehwa serve`, as `run_server` takes them; None where the words are not plain."""
    if is_completing():
        return None
    flags: dict[str, object] = {}
    rest = iter(words[1:] if words[:1] == ["serve"] else words)
    for word in rest:
        if word in _SWITCHES:
            name, value = _SWITCHES[word]
            flags[name] = value
        elif word == "--port" and _is_plain(port := next(rest, "")):
            flags["port"] = int(port)
        elif word == "--host" and (host := next(rest, "")) and not host.startswith("-"):
            flags["host"] = host
        else:
            return None
    return flags


def _is_plain(port: str) -> bool:
    """Whether a port is digits, and no more of them than ports have: `int` refuses thousands."""
    return port.isascii() and port.isdigit() and len(port) <= _PORT_DIGITS
