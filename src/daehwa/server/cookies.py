"""The two cookies: the session, and the tie between a sign-in and the browser that began it. No script reads either."""

from daehwa.server.asgi import Scope

_HOST_ONLY = "__Host-"
"""With this prefix a browser takes a cookie only over https and from this very host, so no neighbour can set it."""
_BLANKS = " \t"


class Cookie:
    """One cookie by name: how it is read, set and removed.

    Over plain http, which is allowed on this machine alone, browsers would take neither the prefix nor `Secure`.
    """

    def __init__(self, name: str, *, seconds: int, is_secure: bool) -> None:
        self.name = f"{_HOST_ONLY}{name}" if is_secure else name
        self._seconds = seconds
        self._attributes = "; Path=/; HttpOnly; SameSite=Lax" + ("; Secure" if is_secure else "")

    def read(self, scope: Scope) -> str | None:
        """Return what the browser sent under this name."""
        for header, value in scope["headers"]:
            if header == b"cookie":
                for pair in value.decode("latin-1").split(";"):
                    # Blanks alone. Any further space that Python knows would let a neighbour's "\xa0__Host-…" be ours.
                    name, _, text = pair.strip(_BLANKS).partition("=")
                    if name == self.name:
                        return str(text)
        return None

    def set(self, text: str) -> tuple[bytes, bytes]:
        """Return the header that sets it."""
        return self._header(text, self._seconds)

    def remove(self) -> tuple[bytes, bytes]:
        """Return the header that removes it."""
        return self._header("", 0)

    def _header(self, text: str, seconds: int) -> tuple[bytes, bytes]:
        return b"set-cookie", f"{self.name}={text}; Max-Age={seconds}{self._attributes}".encode()
