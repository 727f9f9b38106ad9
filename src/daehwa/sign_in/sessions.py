"""Browsers that are signed in, through whichever door: begun with a text of their own, known by it, ended."""

from collections.abc import Callable

from daehwa.accounts.people import Session, User
from daehwa.accounts.ports import AccountStore
from daehwa.conversation.ids import now_ms
from daehwa.sign_in.tokens import digest, is_token, new_token
from daehwa.sign_in.visitors import NOWHERE, Visitor

SESSION_SECONDS = 30 * 24 * 3600


class Sessions:
    """The sessions of everybody."""

    def __init__(self, accounts: AccountStore, *, clock: Callable[[], int] = now_ms) -> None:
        self._accounts = accounts
        self._clock = clock

    async def begin(
        self, user: User, *, visitor: Visitor = NOWHERE, replaced: str | None = None, id_token: str | None = None
    ) -> str:
        """Begin a session and return the text for the cookie: always a new one, so that nobody can know it before.

        `replaced` is an older one of this browser, which ends.
        """
        if replaced is not None:
            await self._accounts.delete_session(digest(replaced))
        text, now = new_token(), self._clock()
        await self._accounts.save_session(
            Session(
                id=digest(text),
                user=user.id,
                created=now,
                expires=now + SESSION_SECONDS * 1000,
                id_token=id_token,
                last_seen=now,
                address=visitor.address,
                agent=visitor.agent,
            )
        )
        return text

    async def found(self, text: str | None) -> tuple[Session, User] | None:
        """Return the session of a cookie and whose it is; None where it has ended or they may not come in."""
        if text is None or not is_token(text):
            return None
        return await self._accounts.get_session(digest(text), now=self._clock())

    async def touch(self, session: Session, address: str | None) -> None:
        """Remember that a session is used, and from where: not each time."""
        await self._accounts.touch_session(session, now=self._clock(), address=address)

    async def end(self, text: str | None) -> tuple[Session, User] | None:
        """End a session, and return which it was."""
        found = await self.found(text)
        if text is not None and is_token(text):
            await self._accounts.delete_session(digest(text))
        return found
