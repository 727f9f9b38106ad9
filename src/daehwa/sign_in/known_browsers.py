"""What a browser carries in which its owner has signed in before: there nobody else can use up the tries.

So whoever guesses at an account from elsewhere slows down nobody but themselves. The seal is made with the password's
hash, needs no secret of its own, and ends with the password.
"""

import hashlib
import hmac

from daehwa.accounts.credentials import Password
from daehwa.sign_in.tokens import digest, encoded, is_token, new_token

KNOWN_SECONDS = 400 * 24 * 3600
"""As long as browsers keep a cookie at most."""


def new_known(password: Password) -> str:
    """Return what a browser shall carry from now on."""
    token = new_token()
    return f"{token}.{_seal(token, password)}"


def known_as(text: str | None, password: Password | None) -> str | None:
    """Return the name under which a browser's tries are counted; None where it is none of this account's."""
    token, _, seal = (text or "").partition(".")
    if password is None or not is_token(token):
        return None
    return digest(token) if hmac.compare_digest(seal.encode(), _seal(token, password).encode()) else None


def _seal(token: str, password: Password) -> str:
    secret = hashlib.sha256(f"known browser {password.user} {password.changed} {password.hash}".encode()).digest()
    return encoded(hmac.digest(secret, token.encode(), "sha256"))
