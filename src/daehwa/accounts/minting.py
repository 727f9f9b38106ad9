"""Makes API keys: the text that is shown once, and what is kept of it."""

import hashlib
import secrets
import string

from daehwa.accounts.keys import ApiKey, KeyLimits
from daehwa.conversation.ids import new_id

KEY_BEGINNING = "dh_"
"""What every key's text begins with, so that people and scanners for leaked secrets know one when they see it."""
NO_LIMITS = KeyLimits()
_NAMED_CHARACTERS = 8
_SECRET_CHARACTERS = 40
_ALPHABET = string.ascii_letters + string.digits


def mint_key(
    user: str, name: str, *, limits: KeyLimits = NO_LIMITS, expires: int | None = None, now: int
) -> tuple[ApiKey, str]:
    """Return a new key of `user` and its text, which is to be shown once and kept nowhere. Times are in ms."""
    prefix = KEY_BEGINNING + _random(_NAMED_CHARACTERS)
    text = f"{prefix}_{_random(_SECRET_CHARACTERS)}"
    key = ApiKey(
        id=new_id(),
        user=user,
        name=name,
        prefix=prefix,
        digest=digest_of(text),
        limits=limits,
        created=now,
        expires=expires,
    )
    return key, text


def digest_of(text: str) -> str:
    """Return what is kept of a key's text. The text is random and long, so one round of SHA-256 is enough."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
