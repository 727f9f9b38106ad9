"""Credentials, links, groups and what admins decide in the table of the AWS home, and all stores of people there.

How this works and why. What somebody proves themselves with lies in their own partition, so that one query has all of
it, and goes with the rest of it. What is used once is an item, taken away by whoever uses it. Links and groups are few:
each kind has one partition, which is read consistently.
"""
# ruff: noqa: D102 - what the methods do is written once, on the protocol

import hashlib
from collections.abc import Collection
from contextlib import suppress
from typing import Any, Final

import msgspec
from aiodynamo.errors import ConditionalCheckFailed
from aiodynamo.expressions import F, HashKey, RangeKey
from aiodynamo.operations import Put

from daehwa.accounts.credentials import Credentials, Passkey, Password, Totp
from daehwa.accounts.errors import GroupNameTaken, GroupNotFound
from daehwa.accounts.groups import Group
from daehwa.accounts.installation import Installation, InstallationChanges
from daehwa.accounts.links import Link
from daehwa.accounts.people_ports import PeopleStores
from daehwa.accounts.preferences import Preferences
from daehwa.conversation.errors import IdTaken, StoreError
from daehwa.stores import dynamodb_table as names
from daehwa.stores.dynamodb_accounts import DynamoAccounts
from daehwa.stores.dynamodb_audit import DynamoAudit
from daehwa.stores.dynamodb_client import DynamoTable, Item, changes
from daehwa.stores.records import storable

_ATTEMPTS: Final = 20
_encoder = msgspec.json.Encoder()
_password_decoder = msgspec.json.Decoder(Password)
_totp_decoder = msgspec.json.Decoder(Totp)
_passkey_decoder = msgspec.json.Decoder(Passkey)
_link_decoder = msgspec.json.Decoder(Link)
_group_decoder = msgspec.json.Decoder(Group)
_installation_decoder = msgspec.json.Decoder(Installation)
_preferences_decoder = msgspec.json.Decoder(Preferences)


def dynamo_people(table: DynamoTable) -> PeopleStores:
    """Return all stores of people in a table."""
    return PeopleStores(
        accounts=DynamoAccounts(table),
        credentials=DynamoCredentials(table),
        links=DynamoLinks(table),
        groups=DynamoGroups(table),
        audit=DynamoAudit(table),
        installation=DynamoInstallation(table),
        preferences=DynamoPreferences(table),
    )


class DynamoCredentials:
    """A `CredentialStore` in the table of the AWS home."""

    def __init__(self, table: DynamoTable) -> None:
        self._table = table

    async def get_credentials(self, user: str) -> Credentials:
        items = {item[names.SORT_KEY]: item for item in await self._items(user, names.CREDENTIAL_SORT)}
        password, totp = items.get(names.PASSWORD_SORT), items.get(names.TOTP_SORT)
        passkeys = [_passkey_of(item) for sort, item in items.items() if sort.startswith(names.PASSKEYS_SORT)]
        return Credentials(
            password=None if password is None else _password_decoder.decode(password[names.VALUE]),
            totp=None if totp is None else _totp_of(totp),
            recovery_codes=sum(sort.startswith(names.CODES_SORT) for sort in items),
            passkeys=tuple(sorted(passkeys, key=lambda passkey: (passkey.created, passkey.id))),
        )

    async def set_password(self, password: Password) -> None:
        await self._table.put(_item(names.owner_partition(password.user), names.PASSWORD_SORT, password))

    async def save_totp(self, totp: Totp) -> None:
        item = _item(names.owner_partition(totp.user), names.TOTP_SORT, totp)
        await self._table.put(item | {names.LAST_STEP: totp.last_step})

    async def use_totp_step(self, user: str, step: int, *, confirmed: int | None = None) -> bool:
        given = F(names.LAST_STEP).set(step)
        if confirmed is not None:
            given &= F(names.CONFIRMED).set_if_not_exists(confirmed)
        with suppress(ConditionalCheckFailed):
            is_newer = F(names.LAST_STEP).lt(step)
            await self._table.update(names.owner_partition(user), names.TOTP_SORT, given, condition=is_newer)
            return True
        return False

    async def delete_totp(self, user: str) -> None:
        codes = await self._items(user, names.CODES_SORT)
        sorts = [names.TOTP_SORT, *(item[names.SORT_KEY] for item in codes)]
        await self._table.write_many(deletes=[(names.owner_partition(user), sort) for sort in sorts])

    async def set_recovery_codes(self, user: str, codes: Collection[str]) -> None:
        partition = names.owner_partition(user)
        kept = {f"{names.CODES_SORT}{code}" for code in codes}
        gone = {item[names.SORT_KEY] for item in await self._items(user, names.CODES_SORT)} - kept
        await self._table.write_many(
            puts=[{names.PARTITION_KEY: partition, names.SORT_KEY: sort} for sort in kept],
            deletes=[(partition, sort) for sort in gone],
        )

    async def use_recovery_code(self, user: str, code: str) -> bool:
        return await self._table.delete(names.owner_partition(user), f"{names.CODES_SORT}{code}") is not None

    async def add_passkey(self, passkey: Passkey) -> None:
        passkey = storable(passkey)
        digest = _digest(passkey.id)
        partition = names.owner_partition(passkey.user)
        item = _item(partition, f"{names.PASSKEYS_SORT}{digest}", passkey)
        place = {
            names.PARTITION_KEY: names.passkey_partition(digest),
            names.SORT_KEY: names.PASSKEY_SORT,
            names.USER: passkey.user,
        }
        counted = {names.SIGN_COUNT: passkey.sign_count, names.DIGEST: digest}
        is_new = F(names.PARTITION_KEY).does_not_exist()
        if await self._table.transact([Put(self._table.name, each, is_new) for each in (place, item | counted)]):
            raise IdTaken("passkey")

    async def find_passkey(self, passkey: str) -> Passkey | None:
        place = await self._passkey_place(passkey)
        item = None if place is None else await self._table.get(*place)
        return None if item is None else _passkey_of(item)

    async def note_passkey_used(self, passkey: str, *, sign_count: int, now: int) -> bool:
        place = await self._passkey_place(passkey)
        if place is None:
            return False
        counts = F(names.SIGN_COUNT)
        counts_up = counts.equals(0) if sign_count == 0 else counts.lt(sign_count)
        given = changes({names.SIGN_COUNT: sign_count, names.LAST_SEEN: now})
        with suppress(ConditionalCheckFailed):
            await self._table.update(*place, given, condition=counts_up)
            return True
        return False

    async def delete_passkey(self, user: str, passkey: str) -> bool:
        digest = _digest(passkey)
        gone = await self._table.delete(names.owner_partition(user), f"{names.PASSKEYS_SORT}{digest}")
        if gone is not None:
            await self._table.delete(names.passkey_partition(digest), names.PASSKEY_SORT)
        return gone is not None

    async def _items(self, user: str, beginning: str) -> list[Item]:
        mine = HashKey(names.PARTITION_KEY, names.owner_partition(user))
        return await self._table.query(mine & RangeKey(names.SORT_KEY).begins_with(beginning))

    async def _passkey_place(self, passkey: str) -> tuple[str, str] | None:
        digest = _digest(passkey)
        place = await self._table.get(names.passkey_partition(digest), names.PASSKEY_SORT)
        return None if place is None else (names.owner_partition(place[names.USER]), f"{names.PASSKEYS_SORT}{digest}")


class DynamoLinks:
    """A `LinkStore` in the table of the AWS home."""

    def __init__(self, table: DynamoTable) -> None:
        self._table = table

    async def add_link(self, link: Link) -> None:
        item = _item(names.LINKS, link.id, storable(link))
        await self._table.put(item | {names.EXPIRES: -(-link.expires // 1000)})

    async def get_link(self, link: str, *, now: int) -> Link | None:
        return _link_of(await self._table.get(names.LINKS, link), now)

    async def take_link(self, link: str, *, now: int) -> Link | None:
        return _link_of(await self._table.delete(names.LINKS, link), now)

    async def list_links(self, *, now: int) -> tuple[Link, ...]:
        items = await self._table.query(HashKey(names.PARTITION_KEY, names.LINKS))
        found = [link for item in items if (link := _link_of(item, now)) is not None]
        return tuple(sorted(found, key=lambda link: (link.created, link.id), reverse=True))

    async def delete_link(self, link: str) -> bool:
        return await self._table.delete(names.LINKS, link) is not None

    async def purge_expired(self, *, now: int) -> int:  # noqa: ARG002 - DynamoDB looks at its own clock
        return 0

    async def forget(self, user: str) -> None:
        for item in await self._table.query(HashKey(names.PARTITION_KEY, names.LINKS)):
            link = _link_decoder.decode(item[names.VALUE])
            if user in {link.user, link.made_by}:
                await self._table.delete(names.LINKS, link.id)


class DynamoGroups:
    """A `GroupStore` in the table of the AWS home. Of two groups of one name made at the same moment, both are kept."""

    def __init__(self, table: DynamoTable) -> None:
        self._table = table

    async def list_groups(self) -> tuple[Group, ...]:
        items = await self._table.query(HashKey(names.PARTITION_KEY, names.GROUP_LIST))
        groups = [_group_decoder.decode(item[names.VALUE]) for item in items]
        return tuple(sorted(groups, key=lambda group: (group.name.casefold(), group.id)))

    async def get_group(self, group: str) -> Group | None:
        item = await self._table.get(names.GROUP_LIST, group)
        return None if item is None else _group_decoder.decode(item[names.VALUE])

    async def add_group(self, group: Group) -> None:
        await self._save(storable(group))

    async def replace_group(self, group: Group) -> None:
        if await self.get_group(group.id) is None:
            raise GroupNotFound
        await self._save(storable(group))

    async def delete_group(self, group: str) -> None:
        if await self._table.delete(names.GROUP_LIST, group) is None:
            raise GroupNotFound

    async def _save(self, group: Group) -> None:
        others = (other.name.casefold() for other in await self.list_groups() if other.id != group.id)
        if group.name.casefold() in others:
            raise GroupNameTaken
        await self._table.put(_item(names.GROUP_LIST, group.id, group))


class DynamoInstallation:
    """An `InstallationStore` in the table of the AWS home."""

    def __init__(self, table: DynamoTable) -> None:
        self._table = table

    async def get_installation(self) -> Installation:
        item = await self._table.get(names.INSTALLATION, names.INSTALLATION)
        return Installation() if item is None else _installation_decoder.decode(item[names.VALUE])

    async def change_installation(self, changes: InstallationChanges) -> Installation:
        for _ in range(_ATTEMPTS):
            known = await self._table.get(names.INSTALLATION, names.INSTALLATION)
            before = Installation() if known is None else _installation_decoder.decode(known[names.VALUE])
            changed = changes.of(before)
            value = F(names.VALUE)
            is_as_before = value.does_not_exist() if known is None else value.equals(known[names.VALUE])
            with suppress(ConditionalCheckFailed):
                item = _item(names.INSTALLATION, names.INSTALLATION, changed)
                await self._table.put(item, condition=is_as_before)
                return changed
        raise StoreError("Too many are changing this at once. Try again in a moment.")


class DynamoPreferences:
    """A `PreferenceStore` in the table of the AWS home: an item in somebody's own partition."""

    def __init__(self, table: DynamoTable) -> None:
        self._table = table

    async def get_preferences(self, user: str) -> Preferences:
        item = await self._table.get(names.owner_partition(user), names.PREFERENCES_SORT)
        return Preferences() if item is None else _preferences_decoder.decode(item[names.VALUE])

    async def set_preferences(self, user: str, preferences: Preferences) -> None:
        await self._table.put(_item(names.owner_partition(user), names.PREFERENCES_SORT, storable(preferences)))

    async def forget(self, user: str) -> None:
        await self._table.delete(names.owner_partition(user), names.PREFERENCES_SORT)


def _item(partition: str, sort: str, value: msgspec.Struct) -> dict[str, Any]:
    return {names.PARTITION_KEY: partition, names.SORT_KEY: sort, names.VALUE: _encoder.encode(value)}


def _totp_of(item: Item) -> Totp:
    totp = _totp_decoder.decode(item[names.VALUE])
    confirmed = item.get(names.CONFIRMED) if totp.confirmed is None else totp.confirmed
    return msgspec.structs.replace(totp, last_step=item[names.LAST_STEP], confirmed=confirmed)


def _passkey_of(item: Item) -> Passkey:
    passkey = _passkey_decoder.decode(item[names.VALUE])
    last_used = item.get(names.LAST_SEEN, passkey.last_used)
    return msgspec.structs.replace(passkey, sign_count=item[names.SIGN_COUNT], last_used=last_used)


def _link_of(item: Item | None, now: int) -> Link | None:
    link = None if item is None else _link_decoder.decode(item[names.VALUE])
    return None if link is None or link.expires <= now else link


def _digest(passkey: str) -> str:
    """Return what stands for a passkey's id, which may be longer than a sort key."""
    return hashlib.sha256(passkey.encode("utf-8", "surrogatepass")).hexdigest()
