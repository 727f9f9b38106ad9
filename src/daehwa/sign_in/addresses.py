"""Addresses that signing in may use: https everywhere, plain http on this machine alone, and never away from here."""

import re
from urllib.parse import quote, urlsplit

from daehwa.accounts.errors import SignInMisconfigured
from daehwa.conversation.errors import InvalidRequest

HOME_PATH = "/chat.html"
CALLBACK_PATH = "/auth/callback"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_PATH_CHARACTERS = 2000
_MADE_BY_NOBODY = re.compile(r"[\x00-\x20\x7f\\]")
_KEPT_AS_IS = "/?#[]@!$&'()*+,;=:%~-._"


def is_safe_address(url: str) -> bool:
    """Whether secrets may be sent there: https with a host and no user in it, or http on this machine."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    if not parts.hostname or parts.username is not None or _MADE_BY_NOBODY.search(url):
        return False
    if not url.isascii():  # it could not stand in a header
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


def is_safe_endpoint(url: str, issuer: str) -> bool:
    """Whether an issuer may have us ask this address. One that is elsewhere has no business on this machine, where on
    Lambda the runtime itself listens.
    """
    return is_safe_address(url) and (urlsplit(url).scheme == "https" or urlsplit(issuer).scheme == "http")


def checked_issuer(url: str) -> str:
    """Return an issuer's address as it is. Raise `SignInMisconfigured`."""
    if not is_safe_address(url) or "?" in url or "#" in url:
        raise SignInMisconfigured(
            f"The sign-in's issuer is '{url}'. It is an address such as https://login.example.com, with https, as the "
            "identity provider's documentation names it."
        )
    return url


def checked_origin(url: str) -> str:
    """Return this site's own address, without the slash at its end. Raise `SignInMisconfigured`."""
    origin = url.removesuffix("/")
    if not is_safe_address(origin) or urlsplit(origin)[2:] != ("", "", ""):
        raise SignInMisconfigured(
            f"public_url is '{url}'. With sign-in it is the address under which browsers open this site, such as "
            "https://chat.example.com, without a path; plain http works on this machine only."
        )
    return origin.lower()


def checked_return_path(path: str) -> str:
    """Return a path of this site, fit for a header, to go back to. Raise `InvalidRequest` for anything else.

    Browsers read two slashes, even backslashes, as another site, and drop line breaks before they look.
    """
    is_path = path.startswith("/") and not path.startswith(("//", "/auth/", "/api/"))
    if not is_path or _MADE_BY_NOBODY.search(path) or len(path) > _PATH_CHARACTERS:
        raise InvalidRequest("'return_to' must be the path of a page here, such as /chat.html.", param="return_to")
    return quote(path, safe=_KEPT_AS_IS, errors="replace")
