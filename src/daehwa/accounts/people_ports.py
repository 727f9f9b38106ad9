"""What else is kept of people, as protocols. The docstrings here are the contract.

One contract suite holds every implementation to them: `tests/stores/test_contract_people.py`,
`test_contract_credentials.py`, `test_contract_audit.py` and `test_contract_erasure.py`. Any method
raises `StoreError` when the store cannot do its work.
"""

from collections.abc import AsyncIterator, Collection
from typing import NamedTuple, Protocol

from daehwa.accounts.audit import AuditCheck, AuditEvent, NewEvent
from daehwa.accounts.credentials import Credentials, Passkey, Password, Totp
from daehwa.accounts.groups import Group
from daehwa.accounts.installation import Installation, InstallationChanges
from daehwa.accounts.links import Link
from daehwa.accounts.ports import AccountStore
from daehwa.accounts.preferences import Preferences


class CredentialStore(Protocol):
    """Where it is kept how people prove who they are. `AccountStore.empty_user` removes all of it."""

    async def get_credentials(self, user: str) -> Credentials:
        """Return all that somebody has; empty where there is nothing."""
        ...

    async def set_password(self, password: Password) -> None:
        """Keep a password in place of the one before."""
        ...

    async def save_totp(self, totp: Totp) -> None:
        """Keep an authenticator app in place of the one before, confirmed or not."""
        ...

    async def use_totp_step(self, user: str, step: int, *, confirmed: int | None = None) -> bool:
        """Mark a time step as used, if neither it nor a later one was: of several callers one gets True. `confirmed`
        also confirms the app, where it was not yet.
        """
        ...

    async def delete_totp(self, user: str) -> None:
        """Remove the app and the recovery codes. Missing: no-op."""
        ...

    async def set_recovery_codes(self, user: str, codes: Collection[str]) -> None:
        """Keep the hashes of recovery codes in place of those before."""
        ...

    async def use_recovery_code(self, user: str, code: str) -> bool:
        """Remove a recovery code by its hash: of several callers one gets True."""
        ...

    async def add_passkey(self, passkey: Passkey) -> None:
        """Keep a new passkey. Raise `IdTaken` where its id is there already, whoever's it is."""
        ...

    async def find_passkey(self, passkey: str) -> Passkey | None:
        """Return a passkey by its id, whoever's it is."""
        ...

    async def note_passkey_used(self, passkey: str, *, sign_count: int, now: int) -> bool:
        """Keep the authenticator's count and the time, and return True; where the count is not above the one before
        (and not both are 0), as with a copied key, change nothing and return False. Missing: False.
        """
        ...

    async def delete_passkey(self, user: str, passkey: str) -> bool:
        """Remove a passkey of this user, and return whether it was there."""
        ...


class LinkStore(Protocol):
    """Where links that let somebody in once are kept. What has expired is not there, removed or not."""

    async def add_link(self, link: Link) -> None:
        """Keep a link; the same id again replaces it."""
        ...

    async def get_link(self, link: str, *, now: int) -> Link | None:
        """Look at a link without taking it."""
        ...

    async def take_link(self, link: str, *, now: int) -> Link | None:
        """Return a link and remove it in the same step: of several callers one gets it."""
        ...

    async def list_links(self, *, now: int) -> tuple[Link, ...]:
        """Return all links, the newest first."""
        ...

    async def delete_link(self, link: str) -> bool:
        """Remove a link, and return whether it was there."""
        ...

    async def purge_expired(self, *, now: int) -> int:
        """Remove what has expired and return how many; 0 where the store does so by itself."""
        ...

    async def forget(self, user: str) -> None:
        """Remove the links that are for this user, and those that they made: a link is good as its maker's word."""
        ...


class GroupStore(Protocol):
    """Where groups are kept that admins make in the page. A person's groups are kept with the person, who goes on
    being in one that is removed: whoever has only such groups may ask no model, until an admin says otherwise.
    """

    async def list_groups(self) -> tuple[Group, ...]:
        """Return all groups, by name without regard to case, then id. Sees at once what another process wrote."""
        ...

    async def get_group(self, group: str) -> Group | None:
        """Return a group by id."""
        ...

    async def add_group(self, group: Group) -> None:
        """Keep a new group. Raise `GroupNameTaken`, without regard to case."""
        ...

    async def replace_group(self, group: Group) -> None:
        """Keep a group in place of the one of its id. Raise `GroupNotFound`, `GroupNameTaken`."""
        ...

    async def delete_group(self, group: str) -> None:
        """Remove a group; people stay as they are. Raise `GroupNotFound`."""
        ...


class AuditStore(Protocol):
    """Where the audit log is kept: it is only ever added to."""

    async def append(self, new: NewEvent) -> AuditEvent:
        """Write an event down as the next one of the chain; several at once come one after the other."""
        ...

    async def append_once(self, new: NewEvent) -> bool:
        """Write an event down as `append` does, but where one of its action and subject stands in the log already;
        return whether it was written. Of several at once one is.
        """
        ...

    async def page(self, *, before: int | None = None, limit: int = 50) -> tuple[AuditEvent, ...]:
        """Return the newest events, or the newest of those whose `seq` is below `before`, newest first."""
        ...

    async def told(self, action: str, subject: str, *, limit: int) -> tuple[AuditEvent, ...]:
        """Return the newest events of an action and a subject, newest first. The whole log may be looked at for it."""
        ...

    def events(self) -> AsyncIterator[AuditEvent]:
        """Yield all events, the oldest first, for an export."""
        ...

    async def check(self) -> AuditCheck:
        """Walk along the whole chain and say whether it holds."""
        ...

    async def forget(self, user: str, words: Collection[str] = ()) -> None:
        """Erase who a person was from all events, as `audit.erased` does; the chain holds as before. `words` are their
        login and e-mail address, folded.
        """
        ...


class InstallationStore(Protocol):
    """Where it is kept what admins decide for the whole installation."""

    async def get_installation(self) -> Installation:
        """Return what was decided, or how things are where nobody decided. Sees at once what another process wrote."""
        ...

    async def change_installation(self, changes: InstallationChanges) -> Installation:
        """Apply changes and return the result."""
        ...


class PreferenceStore(Protocol):
    """Where it is kept what people have set for themselves. The owner of a server without sign-in has preferences too,
    under the id that the very first admin gets.
    """

    async def get_preferences(self, user: str) -> Preferences:
        """Return what somebody has set; what they have not is as it begins. Sees at once what another process wrote."""
        ...

    async def set_preferences(self, user: str, preferences: Preferences) -> None:
        """Keep these in place of those before."""
        ...

    async def forget(self, user: str) -> None:
        """Remove them. Missing: no-op."""
        ...


class Owned(Protocol):
    """Something that keeps what belongs to people."""

    async def forget(self, user: str) -> None:
        """Remove all that is a user's, for good and without a trace. Again, or with nothing there: no-op."""
        ...


class PeopleStores(NamedTuple):
    """All stores of people in one place, over one file or table."""

    accounts: AccountStore
    credentials: CredentialStore
    links: LinkStore
    groups: GroupStore
    audit: AuditStore
    installation: InstallationStore
    preferences: PreferenceStore
