"""All stores of people in memory, for tests and trials: what the process forgets with its end."""
# ruff: noqa: D102 - what the methods do is written once, on the protocol

from collections.abc import AsyncIterator, Collection

import msgspec

from daehwa.accounts.audit import (
    FIRST_PREVIOUS,
    AuditCheck,
    AuditEvent,
    ChainWalk,
    NewEvent,
    chained,
    erased,
    is_same_act,
)
from daehwa.accounts.credentials import Credentials, Passkey, Password, Totp
from daehwa.accounts.errors import GroupNameTaken, GroupNotFound
from daehwa.accounts.groups import Group
from daehwa.accounts.installation import Installation, InstallationChanges
from daehwa.accounts.links import Link
from daehwa.accounts.people_changes import counts_up
from daehwa.accounts.people_ports import PeopleStores
from daehwa.accounts.preferences import Preferences
from daehwa.conversation.errors import IdTaken
from daehwa.stores.memory_accounts import MemoryAccounts
from daehwa.stores.records import storable


class MemoryCredentials:
    """A `CredentialStore` in dictionaries. No method awaits, so each is one transaction."""

    def __init__(self) -> None:
        self._passwords: dict[str, Password] = {}
        self._totps: dict[str, Totp] = {}
        self._codes: dict[str, set[str]] = {}
        self._passkeys: dict[str, Passkey] = {}

    async def get_credentials(self, user: str) -> Credentials:
        passkeys = (passkey for passkey in self._passkeys.values() if passkey.user == user)
        return Credentials(
            password=self._passwords.get(user),
            totp=self._totps.get(user),
            recovery_codes=len(self._codes.get(user, ())),
            passkeys=tuple(sorted(passkeys, key=lambda passkey: (passkey.created, passkey.id))),
        )

    async def set_password(self, password: Password) -> None:
        self._passwords[password.user] = password

    async def save_totp(self, totp: Totp) -> None:
        self._totps[totp.user] = totp

    async def use_totp_step(self, user: str, step: int, *, confirmed: int | None = None) -> bool:
        totp = self._totps.get(user)
        if totp is None or step <= totp.last_step:
            return False
        since = confirmed if totp.confirmed is None else totp.confirmed
        self._totps[user] = msgspec.structs.replace(totp, last_step=step, confirmed=since)
        return True

    async def delete_totp(self, user: str) -> None:
        self._totps.pop(user, None)
        self._codes.pop(user, None)

    async def set_recovery_codes(self, user: str, codes: Collection[str]) -> None:
        self._codes[user] = set(codes)

    async def use_recovery_code(self, user: str, code: str) -> bool:
        codes = self._codes.get(user, set())
        was_there = code in codes
        codes.discard(code)
        return was_there

    async def add_passkey(self, passkey: Passkey) -> None:
        if passkey.id in self._passkeys:
            raise IdTaken("passkey")
        self._passkeys[passkey.id] = storable(passkey)

    async def find_passkey(self, passkey: str) -> Passkey | None:
        return self._passkeys.get(passkey)

    async def note_passkey_used(self, passkey: str, *, sign_count: int, now: int) -> bool:
        known = self._passkeys.get(passkey)
        if known is None or not counts_up(known.sign_count, sign_count):
            return False
        self._passkeys[passkey] = msgspec.structs.replace(known, sign_count=sign_count, last_used=now)
        return True

    async def delete_passkey(self, user: str, passkey: str) -> bool:
        known = self._passkeys.get(passkey)
        if known is None or known.user != user:
            return False
        del self._passkeys[passkey]
        return True

    def forget(self, user: str) -> None:
        """Remove all that somebody has."""
        self._passwords.pop(user, None)
        self._totps.pop(user, None)
        self._codes.pop(user, None)
        self._passkeys = {name: passkey for name, passkey in self._passkeys.items() if passkey.user != user}


class MemoryLinks:
    """A `LinkStore` in a dictionary. No method awaits, so each is one transaction."""

    def __init__(self) -> None:
        self._links: dict[str, Link] = {}

    async def add_link(self, link: Link) -> None:
        self._links[link.id] = storable(link)

    async def get_link(self, link: str, *, now: int) -> Link | None:
        found = self._links.get(link)
        return None if found is None or found.expires <= now else found

    async def take_link(self, link: str, *, now: int) -> Link | None:
        taken = self._links.pop(link, None)
        return None if taken is None or taken.expires <= now else taken

    async def list_links(self, *, now: int) -> tuple[Link, ...]:
        found = (link for link in self._links.values() if link.expires > now)
        return tuple(sorted(found, key=lambda link: (link.created, link.id), reverse=True))

    async def delete_link(self, link: str) -> bool:
        return self._links.pop(link, None) is not None

    async def purge_expired(self, *, now: int) -> int:
        before = len(self._links)
        self._links = {name: link for name, link in self._links.items() if link.expires > now}
        return before - len(self._links)

    async def forget(self, user: str) -> None:
        self._links = {name: link for name, link in self._links.items() if user not in {link.user, link.made_by}}


class MemoryGroups:
    """A `GroupStore` in a dictionary."""

    def __init__(self) -> None:
        self._groups: dict[str, Group] = {}

    async def list_groups(self) -> tuple[Group, ...]:
        return tuple(sorted(self._groups.values(), key=lambda group: (group.name.casefold(), group.id)))

    async def get_group(self, group: str) -> Group | None:
        return self._groups.get(group)

    async def add_group(self, group: Group) -> None:
        self._check_name(group)
        self._groups[group.id] = storable(group)

    async def replace_group(self, group: Group) -> None:
        if group.id not in self._groups:
            raise GroupNotFound
        self._check_name(group)
        self._groups[group.id] = storable(group)

    async def delete_group(self, group: str) -> None:
        if self._groups.pop(group, None) is None:
            raise GroupNotFound

    def _check_name(self, group: Group) -> None:
        others = (other.name.casefold() for other in self._groups.values() if other.id != group.id)
        if storable(group.name).casefold() in others:
            raise GroupNameTaken


class MemoryAudit:
    """An `AuditStore` in a list. No method awaits, so each is one transaction."""

    def __init__(self) -> None:
        self._events: list[AuditEvent] = []

    async def append(self, new: NewEvent) -> AuditEvent:
        previous = self._events[-1].hash if self._events else FIRST_PREVIOUS
        event = chained(storable(new), seq=len(self._events) + 1, previous=previous)
        self._events.append(event)
        return event

    async def append_once(self, new: NewEvent) -> bool:
        is_there = any(is_same_act(event, storable(new)) for event in self._events)
        if not is_there:
            await self.append(new)
        return not is_there

    async def page(self, *, before: int | None = None, limit: int = 50) -> tuple[AuditEvent, ...]:
        end = len(self._events) if before is None else max(0, before - 1)
        return tuple(reversed(self._events[max(0, end - max(1, limit)) : end]))

    async def told(self, action: str, subject: str, *, limit: int) -> tuple[AuditEvent, ...]:
        found = [event for event in self._events if (event.action, event.subject) == (action, subject)]
        return tuple(reversed(found[-limit:]))

    async def events(self) -> AsyncIterator[AuditEvent]:
        for event in tuple(self._events):
            yield event

    async def check(self) -> AuditCheck:
        walk = ChainWalk()
        for event in self._events:
            walk.see(event)
        return walk.result

    async def forget(self, user: str, words: Collection[str] = ()) -> None:
        self._events = [erased(event, user, words) for event in self._events]


class MemoryInstallation:
    """An `InstallationStore` of this process alone."""

    def __init__(self) -> None:
        self._installation = Installation()

    async def get_installation(self) -> Installation:
        return self._installation

    async def change_installation(self, changes: InstallationChanges) -> Installation:
        self._installation = changes.of(self._installation)
        return self._installation


class MemoryPreferences:
    """A `PreferenceStore` of this process alone."""

    def __init__(self) -> None:
        self._preferences: dict[str, Preferences] = {}

    async def get_preferences(self, user: str) -> Preferences:
        return self._preferences.get(user, Preferences())

    async def set_preferences(self, user: str, preferences: Preferences) -> None:
        self._preferences[user] = storable(preferences)

    async def forget(self, user: str) -> None:
        self._preferences.pop(user, None)


def memory_people(accounts: MemoryAccounts | None = None) -> PeopleStores:
    """Return all stores of people, in memory."""
    accounts = accounts or MemoryAccounts()
    credentials = MemoryCredentials()
    accounts.forgets.append(credentials.forget)
    return PeopleStores(
        accounts=accounts,
        credentials=credentials,
        links=MemoryLinks(),
        groups=MemoryGroups(),
        audit=MemoryAudit(),
        installation=MemoryInstallation(),
        preferences=MemoryPreferences(),
    )
