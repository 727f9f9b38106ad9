"""What admins act on, in one value that their operations share, and the names that several of them need."""

from typing import Annotated, NamedTuple

from msgspec import Meta

from daehwa.accounts.audit import FactValue, NewEvent
from daehwa.accounts.erasure import Erasure
from daehwa.accounts.errors import UserNotFound
from daehwa.accounts.people import User
from daehwa.accounts.people_ports import PeopleStores
from daehwa.conversation.errors import InvalidRequest
from daehwa.conversation.ids import now_ms
from daehwa.server.asgi import Request
from daehwa.server.books import Books
from daehwa.server.identity import Identity
from daehwa.server.options import ServerOptions
from daehwa.server.under_way import UnderWay
from daehwa.server.visiting import visitor_of
from daehwa.sign_in.acts import Acts
from daehwa.sign_in.errors import AccountsOff
from daehwa.sign_in.links import LinkMaker
from daehwa.sign_in.local_accounts import LocalAccounts
from daehwa.sign_in.passwords import Passwords

MOST_GROUPS = 100
"""How many groups there are at most, and so how many one person is in."""
GroupIds = Annotated[
    tuple[Annotated[str, Meta(max_length=100)], ...], Meta(description="Ids of groups.", max_length=MOST_GROUPS)
]


class Administration(NamedTuple):
    """The stores of people, and what is around them. `local` None: people come through an identity provider alone."""

    people: PeopleStores
    erasure: Erasure
    books: Books
    local: LocalAccounts | None
    identity: Identity
    options: ServerOptions
    under_way: UnderWay

    def clock(self) -> int:
        """Return the time by which people and their links are judged (ms since 1970)."""
        return now_ms() if self.local is None else self.local.parts.clock()

    async def note(self, request: Request, action: str, subject: str = "", **details: FactValue) -> None:
        """Write into the audit log what whoever asks has done, and to whom or what."""
        await self.people.audit.append(self.event(request, action, subject, **details))

    def event(self, request: Request, action: str, subject: str = "", **details: FactValue) -> NewEvent:
        """Return what is written into the audit log of what whoever asks does."""
        visitor = visitor_of(request.scope, self.options)
        acts = Acts(self.people.audit, self.clock)
        return acts.event(action, visitor, actor=request.user, subject=subject, **details)

    async def person(self, request: Request) -> User:
        """Return the person whom the path names. Raise `UserNotFound`."""
        found = await self.people.accounts.get_user(request.path["person"])
        if found is None:
            raise UserNotFound
        return found

    async def check_groups(self, groups: tuple[str, ...], *, kept: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Return ids of groups, each once. Raise `InvalidRequest` where there is no such group; whoever is in one that
        was removed (`kept`) may stay so.
        """
        known = {group.id for group in await self.people.groups.list_groups()} if groups else set()
        if not known.union(kept).issuperset(groups):
            raise InvalidRequest("One of these groups is not there any more. Look at the list again.", param="groups")
        return tuple(dict.fromkeys(groups))

    @property
    def passwords(self) -> Passwords:
        """Hashes passwords. Raise `AccountsOff`."""
        if self.local is None:
            raise AccountsOff
        return self.local.parts.passwords

    @property
    def links(self) -> LinkMaker:
        """Makes links for people with an account here. Raise `AccountsOff`."""
        if self.local is None:
            raise AccountsOff
        return self.local.links.maker
