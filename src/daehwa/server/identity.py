"""Who asks: the person whose session the request's cookie is, or, where nobody signs in, always the owner."""

import contextlib

from daehwa.accounts.errors import NotSignedIn
from daehwa.accounts.people import Session, User
from daehwa.conversation.errors import StoreError
from daehwa.server.asgi import Request, Scope
from daehwa.server.cookies import Cookie
from daehwa.server.entrances import Entrances
from daehwa.server.options import ServerOptions
from daehwa.server.visiting import address_of
from daehwa.sign_in.acts import Acts
from daehwa.sign_in.sessions import SESSION_SECONDS, Sessions


class Identity:
    """Knows people by their requests, through whichever door they came."""

    def __init__(self, entrances: Entrances, options: ServerOptions) -> None:
        self.as_now, self.is_held = entrances.as_now, entrances.is_held
        sign_in, local = entrances.sign_in, entrances.local
        self._owner = options.user
        self._options = options
        self._sessions: Sessions | None = None
        self.acts = Acts(None)
        self.public_url = options.public_url
        if local is not None:
            self._sessions, self.acts, self.public_url = local.parts.sessions, local.parts.acts, local.public_url
        elif sign_in is not None:
            self._sessions, self.acts, self.public_url = sign_in.sessions, sign_in.acts, sign_in.public_url
        self.is_secure = self._sessions is not None and (self.public_url or "").startswith("https://")
        self.cookie = Cookie("daehwa", seconds=SESSION_SECONDS, is_secure=self.is_secure)

    @property
    def has_doors(self) -> bool:
        """Whether people sign in here."""
        return self._sessions is not None

    async def user_of(self, request: Request) -> User:
        """Return who asks. Raise `NotSignedIn`."""
        if self._sessions is None:
            return self._owner
        found = await self._sessions.found(self.cookie.read(request.scope))
        user = None if found is None else self.as_now(found[1])
        if found is None or user is None:
            raise NotSignedIn
        with contextlib.suppress(StoreError):  # it is told when a session was last used, and nothing hangs on it
            await self._sessions.touch(found[0], address_of(request.scope, self._options))
        return user

    async def end(self, request: Request) -> tuple[Session, User] | None:
        """End this browser's session, and return which it was."""
        return None if self._sessions is None else await self._sessions.end(self.cookie.read(request.scope))

    def has_cookie(self, scope: Scope) -> bool:
        """Whether a browser brings what may be a session, so that another site could make it ask."""
        return self._sessions is not None and self.cookie.read(scope) is not None
