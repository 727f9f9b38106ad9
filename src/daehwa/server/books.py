"""What the server knows of keys and money: the stores and the meter behind the page's usage, keys and budgets."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from daehwa.accounts.errors import NotAllowed
from daehwa.accounts.groups import Group
from daehwa.accounts.metering import LedgerMeter
from daehwa.accounts.people import User
from daehwa.accounts.people_ports import GroupStore
from daehwa.accounts.ports import AccountStore, KeyStore, LedgerStore
from daehwa.accounts.unshown import Unshown
from daehwa.conversation.ids import now_ms


class Exposition(Protocol):
    """Knows how it goes."""

    async def text(self, *, requests: int) -> bytes:
        """Return it in the text format of Prometheus; so many `requests` are being answered."""
        ...


class Books(Unshown, frozen=True, kw_only=True):
    """Keys, the ledger, prices and budgets, who is known here, and what Prometheus is told, where it may ask; `word` is
    a secret by which commands on this machine, which can read the data folder anyway, are told it too.
    """

    keys: KeyStore
    ledger: LedgerStore
    accounts: AccountStore
    groups: GroupStore
    meter: LedgerMeter
    exposition: Exposition | None = None
    word: str | None = None
    clock: Callable[[], int] = now_ms

    async def names_of(self, asker: User, *, everybody: bool) -> Mapping[str, str]:
        """Return what people are called, by id: their name, else their login or e-mail address; both where several have
        the name.
        """
        users = [asker]
        if everybody:
            users += [user for user in await self.accounts.list_users() if user.id != asker.id]
        return told_apart(users)

    async def group_names(self) -> Mapping[str, str]:
        """Return what groups made on the page are called, by id. Those of the settings have their name for an id."""
        return names_of_groups(await self.groups.list_groups())


def names_of_groups(groups: Sequence[Group]) -> Mapping[str, str]:
    """Return what these groups are called, by id."""
    return {group.id: group.name for group in groups}


def told_apart(users: Sequence[User]) -> Mapping[str, str]:
    """Return what these people are called, by id, as on `Books.names_of`."""
    times = Counter(user.called for user in users)
    return {user.id: user.called if times[user.called] == 1 else _told_apart(user) for user in users}


def _told_apart(user: User) -> str:
    return f"{user.called} ({user.login or user.email or user.id})"


def whose(asker: User, *, everybody: bool) -> str | None:
    """Return whose things are asked for, None for everybody's, which only admins see. Raise `NotAllowed`."""
    if not everybody:
        return asker.id
    if asker.role != "admin":
        raise NotAllowed("Only an admin sees what others have and use. Ask for your own, without everybody=true.")
    return None
