"""What local accounts are made of, in one value that their doors share."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple, Protocol

from daehwa.accounts.people_ports import PeopleStores
from daehwa.sign_in.acts import Acts
from daehwa.sign_in.challenges import Challenges
from daehwa.sign_in.passkeys import RelyingParty
from daehwa.sign_in.passwords import Passwords
from daehwa.sign_in.sessions import Sessions
from daehwa.sign_in.throttle import Throttle


class Mailer(Protocol):
    """Sends mail."""

    async def send_reset(self, to: str, link: str, *, site: str, hours: str) -> bool:
        """Send a link for a new password; whether it was taken."""
        ...


class Parts(NamedTuple):
    """The stores, and what checks and counts. Who changes how a person proves who they are holds `changing`."""

    people: PeopleStores
    public_url: str
    passwords: Passwords
    throttle: Throttle
    sessions: Sessions
    challenges: Challenges
    site: RelyingParty
    acts: Acts
    changing: asyncio.Lock
    clock: Callable[[], int]
    mail: Mailer | None = None
