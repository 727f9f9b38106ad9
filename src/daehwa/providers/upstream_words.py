"""What an upstream says of a fault: its own words in any of the forms that are about, and how long it asks to wait."""

import re
import time
from collections.abc import Mapping

import msgspec

LONGEST_WAIT = 366 * 86_400.0
"""Seconds: an upstream that asks for more is not believed."""

_OF_THE_KEY = (
    r"(?i)(?<![a-z])(?:api)?keys?(?![a-z])|permission|credential|unregistered|authenticat|authori[sz]|"
    r"(?:invalid|expired|security|access|bearer)[-_ ]?token|access denied|firewall|suspended|deactivated|billing"
)
"""Words of what this server may: its key, its account, its network."""
_OF_THE_REQUEST = r"(?i)moderation|content|polic|country|region|territor|safety"
"""Words of what was asked, or from where, in the codes by which programs know it."""


class Said(msgspec.Struct, frozen=True):
    """What an upstream said about its fault: its sentence, and the code or type by which programs know it."""

    message: str = ""
    code: str = ""


def said(body: object) -> Said:
    """Find the upstream's own words in a decoded error body, in any of the forms that are about."""
    if isinstance(body, list) and body:
        body = body[0]
    if isinstance(body, dict):
        inner = body.get("error", body)
        if isinstance(inner, dict):
            message = inner.get("message") or inner.get("detail") or inner.get("msg") or ""
            code = " ".join(str(inner[name]) for name in ("code", "type", "status") if inner.get(name))
            return Said(message if isinstance(message, str) else msgspec.json.encode(message).decode(), code)
        body = inner
    return Said(body) if isinstance(body, str) else Said()


def said_in(body: bytes) -> Said:
    """Find the upstream's own words in an error body; a web page says nothing."""
    try:
        return said(msgspec.json.decode(body))
    except RecursionError:
        return Said()
    except (msgspec.DecodeError, UnicodeDecodeError):
        text = body[:2000].decode("utf-8", "replace")
        return Said() if "<" in text else Said(text)


def refuses_the_key(status: int, told: Said) -> bool:
    """Whether it is the key that is not accepted: a 403 is about what was asked (its content, its country) where it has
    words, and none of them is of keys and rights. Without words it may be a gateway's, before which no key is right.
    """
    if status != 403:  # noqa: PLR2004 - HTTP statuses are known by their numbers
        return status == 401  # noqa: PLR2004 - HTTP statuses are known by their numbers
    words = f"{told.code} {told.message}"
    if re.search(_OF_THE_REQUEST, told.code):
        return False
    says_nothing = re.sub(r"[\W\d_]+", "", words).lower() in {"", "forbidden"}
    return says_nothing or re.search(_OF_THE_KEY, words) is not None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return how many seconds to wait, from milliseconds, seconds or an HTTP date; None where nothing is said, or
    nothing that can be meant.
    """
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) / unit
        except ValueError:
            continue
        return seconds if 0 <= seconds <= LONGEST_WAIT else None  # `inf` and `nan` are floats too
    return _until(headers["retry-after"]) if "retry-after" in headers else None


def _until(date: str) -> float | None:
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - brings 20 modules for a rare form

    try:
        seconds = parsedate_to_datetime(date).timestamp() - time.time()
    except (ValueError, OverflowError, OSError):  # a year that no clock has
        return None
    return max(0.0, seconds) if seconds <= LONGEST_WAIT else None
