"""When what was deleted goes for good."""

from typing import Final

DAY_MS: Final = 24 * 60 * 60 * 1000
RESTORABLE_MS: Final = 10 * 60_000
"""For how long a deletion can be undone."""
