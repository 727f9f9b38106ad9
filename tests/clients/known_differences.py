"""What a client sees otherwise through daehwa than directly, and why: all else must be the same, field by field."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from clients.asks import Ask

from daehwa.accounts.answer_lengths import ASSUMED_OUTPUT

Record: TypeAlias = dict[str, Any]
OWN_HEADERS = frozenset(
    {
        # Of the connection, which ends at daehwa; each server gives a request an id of its own, and daehwa says the
        # upstream's beside it.
        *("connection", "content-length", "date", "keep-alive", "server", "transfer-encoding"),
        *("x-request-id", "x-upstream-request-id"),
        # What daehwa says of every answer, so that no browser or proxy takes it for something else or keeps it.
        *("cache-control", "content-security-policy", "cross-origin-opener-policy", "cross-origin-resource-policy"),
        *("permissions-policy", "referrer-policy", "x-accel-buffering", "x-content-type-options", "x-frame-options"),
    }
)


def differences(direct: Record, through: Record) -> list[str]:
    """Return each place in which two records differ, and how."""
    return list(_differences(direct, through, ""))


def _differences(direct: Any, through: Any, path: str) -> list[str]:
    if isinstance(direct, Mapping) and isinstance(through, Mapping):
        names = [*direct, *(name for name in through if name not in direct)]
        found = [_differences(direct.get(n, "(nothing)"), through.get(n, "(nothing)"), f"{path}.{n}") for n in names]
        return [line for lines in found for line in lines]
    if isinstance(direct, list) and isinstance(through, list) and len(direct) == len(through):
        pairs = enumerate(zip(direct, through, strict=True))
        return [line for at, (one, other) in pairs for line in _differences(one, other, f"{path}[{at}]")]
    if path.endswith(".max_output_tokens") and direct is None and through == ASSUMED_OUTPUT:
        return []  # where a budget applies daehwa sends a limit along, and a response repeats its limit
    return [] if direct == through else [f"{path}: directly {direct!r}, through daehwa {through!r}"]


def without_own_headers(record: Record) -> Record:
    """Return a record without the headers that are each server's own."""
    kept = {name: text for name, text in record.get("headers", {}).items() if name not in OWN_HEADERS}
    return {**record, **({"headers": kept} if "headers" in record else {})}


def _cut(record: Record) -> None:
    """Take out how an answer is cut off. Daehwa says so in words, which clients read, where it can do no more."""
    for name in ("class", "message", "code", "param", "type", "body", "error", "status", "headers"):
        record.pop(name, None)


def _not_found(record: Record) -> None:
    """Take out the sentence: daehwa's names the list of its own models."""
    for name in ("message", "body", "error", "headers", "param"):
        record.pop(name, None)


_KNOWN: dict[str, Callable[[Record], None]] = {"fails-cut": _cut, "nobody": _not_found}


def compared(ask: Ask, direct: Record, through: Record) -> list[str]:
    """Return how two records of an ask differ beyond what is known."""
    records = [without_own_headers(direct), without_own_headers(through)]
    for model, forget in _KNOWN.items():
        if ask.body.get("model") == model:
            for record in records:
                forget(record)
    return [f"{ask.name}{line}" for line in differences(*records)]
