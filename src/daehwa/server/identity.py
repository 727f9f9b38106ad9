"""Who asks: the person whose session the request's cookie is, or, where nobody signs in, always the owner."""

from daehwa.accounts.errors import NotSignedIn
from daehwa.accounts.people import User
from daehwa.server.asgi import Request, Scope
from daehwa.server.cookies import Cookie
from daehwa.server.options import ServerOptions
from daehwa.sign_in.flow import SESSION_SECONDS, SignIn


class Identity:
    """Knows people by their requests."""

    def __init__(self, sign_in: SignIn | None, options: ServerOptions) -> None:
        self._sign_in = sign_in
        self._owner = options.user
        is_secure = sign_in is not None and sign_in.public_url.startswith("https://")
        self.cookie = Cookie("daehwa", seconds=SESSION_SECONDS, is_secure=is_secure)

    async def user_of(self, request: Request) -> User:
        """Return who asks. Raise `NotSignedIn`."""
        if self._sign_in is None:
            return self._owner
        user = await self._sign_in.user_of(self.cookie.read(request.scope))
        if user is None:
            raise NotSignedIn
        return user

    def has_cookie(self, scope: Scope) -> bool:
        """Whether a browser brings what may be a session, so that another site could make it ask."""
        return self._sign_in is not None and self.cookie.read(scope) is not None
