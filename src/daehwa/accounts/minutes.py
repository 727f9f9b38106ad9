"""Pure: the minutes of the clock, within which what a key asks is counted."""

MINUTE_MS = 60_000


def seconds_left(now: int) -> float:
    """Return how many seconds the minute of `now` (ms) still has."""
    return (MINUTE_MS - now % MINUTE_MS) / 1000
