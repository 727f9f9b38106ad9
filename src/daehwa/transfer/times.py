"""Times as other products write them: seconds or milliseconds since 1970, or ISO 8601. Pure."""

from datetime import UTC, datetime
from typing import Final

AHEAD_MS: Final = 86_400_000
"""So far may a clock elsewhere be ahead of ours; what is later has not come yet."""
_LONGEST: Final = 40
_MOST: Final = 2**63
_SECONDS_BELOW: Final = 100_000_000_000
"""Of seconds, this is the year 5138; of milliseconds, 1973."""


def time_of(value: object, now: int) -> int | None:
    """Return a time in milliseconds since 1970; None of what is no time, or one that has not come yet (`now`, ms)."""
    if isinstance(value, str):
        found = _of_text(value)
    elif isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _MOST:
        found = _of_number(value)
    else:
        return None
    return found if found is not None and 0 < found <= now + AHEAD_MS else None


def _of_number(value: float) -> int:
    for _ in range(2):  # nanoseconds, microseconds
        if abs(value) >= _SECONDS_BELOW * 1000:
            value /= 1000
    return int(value if abs(value) >= _SECONDS_BELOW else value * 1000)


def _of_text(value: str) -> int | None:
    try:
        moment = datetime.fromisoformat(value[:_LONGEST].strip())
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        return int(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
