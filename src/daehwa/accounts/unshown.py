"""Values that hold tokens, codes or what else is nobody's business, and so never show it in a log or a traceback."""

from typing import Any

import msgspec


class Unshown(msgspec.Struct, frozen=True):
    """A struct whose `repr` is its name alone."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Show no field to those either who ask a struct for them one by one."""
        return []
