"""How a setting is described, and what holds one that must not be shown."""

from typing import Any

import msgspec


class SettingsError(Exception):
    """A setting is wrong; the text is a paragraph for the person who set it."""


class Secret:
    """A key that never shows itself: `reveal()` is the one way to its text."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the key itself."""
        return self._text

    def __repr__(self) -> str:
        return f"Secret({len(self._text)} characters)"

    def __len__(self) -> int:
        return len(self._text)


def described(allowed: str, description: str, **limits: Any) -> msgspec.Meta:
    """Return the annotation of a setting: what it may be in words, what it is for, and limits as msgspec knows them."""
    return msgspec.Meta(description=description, extra={"allowed": allowed}, **limits)


YES_NO = "true or false"
