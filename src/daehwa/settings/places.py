"""Places that settings name: paths on this machine, and addresses of sites as browsers write them."""

import contextlib
import re
from pathlib import Path
from urllib.parse import urlsplit

from daehwa.settings.described import SettingsError

_HOST = r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\.?"

_SHOWN = 100
"""So many characters of a path that cannot be are shown."""


def absolute_path(path: Path, place: str, *, beside: Path | None = None) -> Path:
    """Return a path as an absolute one; a relative one begins beside that file, else where the program was started.

    Raise `SettingsError` where no file could have it.
    """
    try:
        found = (Path.cwd() if beside is None else beside.parent) / path.expanduser()
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
            found.lstat()
    except (OSError, ValueError, RuntimeError) as error:  # too long; a NUL in it; the home of nobody
        why = (error.strerror if isinstance(error, OSError) else str(error)) or "it cannot be"
        shown = str(path) if len(str(path)) <= _SHOWN else f"{str(path)[:_SHOWN]}…"
        raise SettingsError(
            f"{place}: {shown!r} cannot be the path of anything here: {why}. Give another one."
        ) from None
    return found


def origin_of(address: str, *, of_apps: bool = False) -> str | None:
    """Return a site's address as browsers write it, without a slash at its end; None where it is none. `of_apps`: it
    may have any scheme, as those of extensions and apps do.
    """
    try:
        parts = urlsplit(address.strip().rstrip("/"))
        host, port = parts.hostname or "", parts.port
        if ":" in host:
            import ipaddress  # noqa: PLC0415 - nearly no site has such an address

            host = f"[{ipaddress.IPv6Address(host)}]"
        elif not re.fullmatch(_HOST, host := host if host.isascii() else host.encode("idna").decode()):
            return None
    except ValueError:
        return None
    has_scheme = bool(parts.scheme) if of_apps else parts.scheme in {"http", "https"}
    if not has_scheme or port == 0 or "@" in parts.netloc:
        return None
    if parts.path or "?" in address or "#" in address:
        return None
    return f"{parts.scheme}://{host}" + ("" if port is None else f":{port}")


def checked_public_url(url: str, place: str) -> str:
    """Return an origin, without a slash at its end. Raise `SettingsError`."""
    origin = origin_of(url)
    if origin is None:
        raise SettingsError(
            f'{place}: public_url is "{url}", which is not allowed. It is the address in the browser without any '
            "path, for example https://chat.example.com."
        )
    return origin


def check_cors(origins: tuple[str, ...], place: str) -> None:
    """Raise `SettingsError` where an address is none that the page of a site, an extension or an app would send."""
    for origin in origins:
        if origin_of(origin, of_apps=True) != origin:
            raise SettingsError(
                f'{place}: cors_origins has "{origin}", which is no address of a site. It is one such as '
                "https://tools.example.com or app://obsidian.md, in lower case, without a path."
            )
