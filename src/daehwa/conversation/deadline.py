"""How long before a process is stopped, where that is known, all that is under way in it ends itself."""

from typing import Final

BEFORE_DEADLINE_SECONDS: Final = 5.0
"""Enough to tell whoever waits, and to store what came."""
