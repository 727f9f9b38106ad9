"""Local accounts, wired: one value that the server asks, whichever way somebody comes."""

import asyncio
from collections.abc import Callable

from daehwa.accounts.people_ports import PeopleStores
from daehwa.conversation.errors import DaehwaError
from daehwa.conversation.ids import now_ms
from daehwa.sign_in.acts import Acts
from daehwa.sign_in.addresses import checked_origin
from daehwa.sign_in.challenges import Challenges
from daehwa.sign_in.entering import Entering
from daehwa.sign_in.errors import MailOff
from daehwa.sign_in.links import Links, MadeLink, Provider, has_admin
from daehwa.sign_in.own_account import OwnAccount
from daehwa.sign_in.parts import Mailer, Parts
from daehwa.sign_in.passkeys import RelyingParty
from daehwa.sign_in.passwords import HashCost, Passwords
from daehwa.sign_in.sessions import Sessions
from daehwa.sign_in.throttle import MAIL_FROM, Throttle
from daehwa.sign_in.visitors import Visitor

MOST_MAILS_WAITING = 50
ADMIN_KNOWN_MS = 60_000
"""So long it is remembered that there is an admin."""


class LocalAccounts:
    """The doors of local accounts; nothing is imported or begun before somebody comes.

    `provider` is the identity provider's door, where there is one as well. Raise `SignInMisconfigured` where
    `public_url` is no address to sign in at.
    """

    def __init__(
        self,
        people: PeopleStores,
        public_url: str,
        *,
        provider: Provider | None = None,
        mail: Mailer | None = None,
        cost: HashCost | None = None,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self.public_url = checked_origin(public_url)
        self.parts = Parts(
            people=people,
            public_url=self.public_url,
            passwords=Passwords(cost),
            throttle=Throttle(clock),
            sessions=Sessions(people.accounts, clock=clock),
            challenges=Challenges(clock),
            site=RelyingParty(self.public_url),
            acts=Acts(people.audit, clock),
            changing=asyncio.Lock(),
            clock=clock,
            mail=mail,
        )
        self.entering = Entering(self.parts)
        self.links = Links(self.parts, self.entering, provider=provider)
        self.own = OwnAccount(self.parts)
        self._issuer = None if provider is None else provider.issuer
        self._admin_known_until = 0
        self._mailing: set[asyncio.Task[None]] = set()

    @property
    def has_mail(self) -> bool:
        """Whether a new password can be asked for by mail."""
        return self.parts.mail is not None

    async def first_admin_link(self) -> MadeLink | None:
        """Return a new link for the first admin, while there is no admin; older ones are void."""
        if not await self.awaits_first_admin():
            return None
        return await self.links.maker.first_admin(now=self.parts.clock())

    async def awaits_first_admin(self) -> bool:
        """Whether no admin can come in. That one can is remembered for a minute, since anybody may ask this; no longer,
        since the last admin, who stays, may be one whose door is closed now.
        """
        now = self.parts.clock()
        if now >= self._admin_known_until and await has_admin(self.parts.people, self._issuer):
            self._admin_known_until = now + ADMIN_KNOWN_MS
        return now >= self._admin_known_until

    def ask_for_reset(self, login: str, visitor: Visitor) -> None:
        """Have a link for a new password sent, later: nothing here depends on whether anybody has this name.

        Raise `MailOff`, and `TooManyAttempts` for an address that asks too often.
        """
        if self.parts.mail is None:
            raise MailOff
        self.parts.throttle.take(f"mail from {visitor.network}", MAIL_FROM)
        if len(self._mailing) < MOST_MAILS_WAITING:
            task = asyncio.create_task(self._send(login, visitor))
            self._mailing.add(task)
            task.add_done_callback(self._mailing.discard)

    async def _send(self, login: str, visitor: Visitor) -> None:
        try:
            await self.links.send_reset(login, visitor)
        except DaehwaError:
            return  # nobody waits for it, and nobody may learn of it

    async def aclose(self) -> None:
        """Send what is to be sent, and let go of threads."""
        if self._mailing:
            await asyncio.wait(self._mailing, timeout=2)
        for task in self._mailing:
            task.cancel()
        await asyncio.gather(*self._mailing, return_exceptions=True)
        await self.parts.passwords.aclose()
