"""Codes of authenticator apps (TOTP, RFC 6238: SHA-1, six digits, 30 seconds), and the codes for a lost app."""

import base64
import hmac
import os
import secrets
from urllib.parse import quote, urlencode

STEP_SECONDS = 30
DIGITS = 6
SECRET_BYTES = 20
"""As long as SHA-1's output, as RFC 4226 recommends."""
NEIGHBOURS = 1
"""So many steps before and after now count too: clocks differ, and typing takes time."""
RECOVERY_CODES = 10
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
"""No letter that looks like another one."""
_RECOVERY_CHARACTERS = 12


def new_secret() -> bytes:
    """Return a new shared secret."""
    return os.urandom(SECRET_BYTES)


def written(secret: bytes) -> str:
    """Return a secret as apps take it: base32."""
    return base64.b32encode(secret).decode().rstrip("=")


def code_at(secret: bytes, step: int, *, digits: int = DIGITS) -> str:
    """Return the code of a step (RFC 4226, section 5.3)."""
    mac = hmac.digest(secret, step.to_bytes(8, "big"), "sha1")
    offset = mac[-1] & 0xF
    number = int.from_bytes(mac[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**digits:0{digits}d}"


def step_of(secret: bytes, code: str, *, now: int, after: int = -1) -> int | None:
    """Return the step whose code this is, None where it is none of these minutes'. `now` is in ms.

    No step up to `after` counts: that is the last one used, so that a code is good once.
    """
    current = now // 1000 // STEP_SECONDS
    found = None
    for step in range(max(0, current - NEIGHBOURS), current + NEIGHBOURS + 1):
        if hmac.compare_digest(code_at(secret, step).encode(), code.encode("utf-8", "replace")) and step > after:
            found = step
    return found


def is_code(text: str) -> bool:
    """Whether a text can be an app's code; spaces are taken out before."""
    return len(text) == DIGITS and text.isascii() and text.isdecimal()


def provisioning_uri(secret: bytes, login: str, issuer: str) -> str:
    """Return what a QR code says to an authenticator app."""
    label = quote(f"{issuer}:{login}", safe="")
    query = urlencode(
        {"secret": written(secret), "issuer": issuer, "algorithm": "SHA1", "digits": DIGITS, "period": STEP_SECONDS}
    )
    return f"otpauth://totp/{label}?{query}"


def new_recovery_codes() -> tuple[str, ...]:
    """Return codes for a lost app: 58 bits each, so that one round of SHA-256 keeps them safe behind the throttle."""
    return tuple(_recovery_code() for _ in range(RECOVERY_CODES))


def recovery_text(code: str) -> str:
    """Return a recovery code as it is compared, however it was typed."""
    return "".join(letter for letter in code.lower() if letter in _ALPHABET)


def _recovery_code() -> str:
    text = "".join(secrets.choice(_ALPHABET) for _ in range(_RECOVERY_CHARACTERS))
    return f"{text[:4]}-{text[4:8]}-{text[8:]}"
