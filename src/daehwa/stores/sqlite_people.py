"""Links, groups and what admins decide in the database file of the conversations, and all stores of people there."""
# ruff: noqa: D102 - what the methods do is written once, on the protocol
# ruff: noqa: S608 - what is put together are column names of ours

import sqlite3
from functools import partial
from typing import Final

import msgspec

from daehwa.accounts.errors import GroupNameTaken, GroupNotFound
from daehwa.accounts.groups import Group
from daehwa.accounts.installation import Installation, InstallationChanges
from daehwa.accounts.links import Link
from daehwa.accounts.people_ports import PeopleStores
from daehwa.accounts.preferences import Preferences
from daehwa.stores.records import storable
from daehwa.stores.sqlite import SqliteStore
from daehwa.stores.sqlite_accounts import SqliteAccounts
from daehwa.stores.sqlite_audit import SqliteAudit
from daehwa.stores.sqlite_credentials import SqliteCredentials
from daehwa.stores.sqlite_values import columns, put, value_of

_LINKS: Final = f"SELECT {columns(Link)} FROM links"
_encoder = msgspec.json.Encoder()
_group_decoder = msgspec.json.Decoder(Group)
_installation_decoder = msgspec.json.Decoder(Installation)
_preferences_decoder = msgspec.json.Decoder(Preferences)


def sqlite_people(store: SqliteStore, *, first_admin: str | None = None) -> PeopleStores:
    """Return all stores of people in a store's file."""
    return PeopleStores(
        accounts=SqliteAccounts(store, first_admin=first_admin),
        credentials=SqliteCredentials(store),
        links=SqliteLinks(store),
        groups=SqliteGroups(store),
        audit=SqliteAudit(store),
        installation=SqliteInstallation(store),
        preferences=SqlitePreferences(store),
    )


class SqliteLinks:
    """A `LinkStore` beside the conversations of a `SqliteStore`."""

    def __init__(self, store: SqliteStore) -> None:
        self._writer = store.writer
        self._reader = store.reader

    async def add_link(self, link: Link) -> None:
        await self._writer.run(partial(put, table="links", value=storable(link)))

    async def get_link(self, link: str, *, now: int) -> Link | None:
        return await self._reader.run(partial(_get_link, link=link, now=now))

    async def take_link(self, link: str, *, now: int) -> Link | None:
        return await self._writer.run(partial(_take_link, link=link, now=now))

    async def list_links(self, *, now: int) -> tuple[Link, ...]:
        return await self._reader.run(partial(_list_links, now=now))

    async def delete_link(self, link: str) -> bool:
        return await self._writer.run(partial(_delete_link, link=link))

    async def purge_expired(self, *, now: int) -> int:
        return await self._writer.run(partial(_purge_links, now=now))

    async def forget(self, user: str) -> None:
        await self._writer.run(partial(_forget_links, user=user))


class SqliteGroups:
    """A `GroupStore` beside the conversations of a `SqliteStore`, for people of its `SqliteAccounts`."""

    def __init__(self, store: SqliteStore) -> None:
        self._writer = store.writer
        self._reader = store.reader
        self._glance = store.glance

    async def list_groups(self) -> tuple[Group, ...]:
        return await self._glance.run(_list_groups)

    async def get_group(self, group: str) -> Group | None:
        return await self._glance.run(partial(_get_group, group=group))

    async def add_group(self, group: Group) -> None:
        await self._writer.run(partial(_save_group, group=storable(group)))

    async def replace_group(self, group: Group) -> None:
        await self._writer.run(partial(_replace_group, group=storable(group)))

    async def delete_group(self, group: str) -> None:
        await self._writer.run(partial(_delete_group, group=group))


class SqliteInstallation:
    """An `InstallationStore` beside the conversations of a `SqliteStore`."""

    def __init__(self, store: SqliteStore) -> None:
        self._writer = store.writer
        self._glance = store.glance

    async def get_installation(self) -> Installation:
        return await self._glance.run(_get_installation)

    async def change_installation(self, changes: InstallationChanges) -> Installation:
        return await self._writer.run(partial(_change_installation, changes=changes))


class SqlitePreferences:
    """A `PreferenceStore` beside the conversations of a `SqliteStore`."""

    def __init__(self, store: SqliteStore) -> None:
        self._writer = store.writer
        self._glance = store.glance

    async def get_preferences(self, user: str) -> Preferences:
        return await self._glance.run(partial(_get_preferences, user=user))

    async def set_preferences(self, user: str, preferences: Preferences) -> None:
        await self._writer.run(partial(_set_preferences, user=user, preferences=storable(preferences)))

    async def forget(self, user: str) -> None:
        await self._writer.run(partial(_forget_preferences, user=user))


def _get_link(database: sqlite3.Connection, link: str, now: int) -> Link | None:
    row = database.execute(f"{_LINKS} WHERE id = ? AND expires > ?", (link, now)).fetchone()
    return None if row is None else value_of(Link, row)


def _take_link(database: sqlite3.Connection, link: str, now: int) -> Link | None:
    found = _get_link(database, link, now)
    _delete_link(database, link)
    return found


def _list_links(database: sqlite3.Connection, now: int) -> tuple[Link, ...]:
    rows = database.execute(f"{_LINKS} WHERE expires > ? ORDER BY created DESC, id DESC", (now,))
    return tuple(value_of(Link, row) for row in rows)


def _delete_link(database: sqlite3.Connection, link: str) -> bool:
    return database.execute("DELETE FROM links WHERE id = ?", (link,)).rowcount > 0


def _purge_links(database: sqlite3.Connection, now: int) -> int:
    return database.execute("DELETE FROM links WHERE expires <= ?", (now,)).rowcount


def _forget_links(database: sqlite3.Connection, user: str) -> None:
    database.execute("DELETE FROM links WHERE user = ? OR made_by = ?", (user, user))


def _list_groups(database: sqlite3.Connection) -> tuple[Group, ...]:
    groups = [_group_decoder.decode(row[0]) for row in database.execute("SELECT value FROM people_groups").fetchall()]
    return tuple(sorted(groups, key=lambda group: (group.name.casefold(), group.id)))


def _get_group(database: sqlite3.Connection, group: str) -> Group | None:
    rows = database.execute("SELECT value FROM people_groups WHERE id = ?", (group,)).fetchall()
    return _group_decoder.decode(rows[0][0]) if rows else None


def _save_group(database: sqlite3.Connection, group: Group) -> None:
    folded = group.name.casefold()
    if database.execute("SELECT 1 FROM people_groups WHERE name_folded = ? AND id <> ?", (folded, group.id)).fetchone():
        raise GroupNameTaken
    database.execute(
        "INSERT OR REPLACE INTO people_groups (id, name_folded, value) VALUES (?, ?, ?)",
        (group.id, folded, _encoder.encode(group).decode()),
    )


def _replace_group(database: sqlite3.Connection, group: Group) -> None:
    if _get_group(database, group.id) is None:
        raise GroupNotFound
    _save_group(database, group)


def _delete_group(database: sqlite3.Connection, group: str) -> None:
    if not database.execute("DELETE FROM people_groups WHERE id = ?", (group,)).rowcount:
        raise GroupNotFound


def _get_installation(database: sqlite3.Connection) -> Installation:
    rows = database.execute("SELECT value FROM installation").fetchall()
    return _installation_decoder.decode(rows[0][0]) if rows else Installation()


def _change_installation(database: sqlite3.Connection, changes: InstallationChanges) -> Installation:
    changed = changes.of(_get_installation(database))
    database.execute(
        "INSERT OR REPLACE INTO installation (only, value) VALUES (1, ?)", (_encoder.encode(changed).decode(),)
    )
    return changed


def _get_preferences(database: sqlite3.Connection, user: str) -> Preferences:
    row = database.execute("SELECT value FROM preferences WHERE user = ?", (user,)).fetchone()
    return Preferences() if row is None else _preferences_decoder.decode(row[0])


def _set_preferences(database: sqlite3.Connection, user: str, preferences: Preferences) -> None:
    value = _encoder.encode(preferences).decode()
    database.execute("INSERT OR REPLACE INTO preferences (user, value) VALUES (?, ?)", (user, value))


def _forget_preferences(database: sqlite3.Connection, user: str) -> None:
    database.execute("DELETE FROM preferences WHERE user = ?", (user,))
