"""The random texts that browsers carry: 256 bits each, known here by their SHA-256 alone."""

import base64
import hashlib
import os
import re

_WRITTEN = re.compile(r"[A-Za-z0-9_-]{43}")


def new_token() -> str:
    """Return 256 random bits as text for a header or a query."""
    return encoded(os.urandom(32))


def is_token(text: str | None) -> bool:
    """Whether a text can be one of ours."""
    return text is not None and _WRITTEN.fullmatch(text) is not None


def digest(token: str) -> str:
    """Return what is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def challenge(verifier: str) -> str:
    """Return PKCE's S256 challenge of a verifier (RFC 7636, section 4.2)."""
    return encoded(hashlib.sha256(verifier.encode()).digest())


def encoded(data: bytes) -> str:
    """Return bytes as base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
