"""What everybody is told at the top of the page, for the terminal: on this machine or on AWS, while a server runs."""

from typing import Self

from daehwa.accounts.audit import TERMINAL, NewEvent
from daehwa.accounts.installation import (
    Announcement,
    InstallationChanges,
    announcement_facts,
    checked_announcement,
)
from daehwa.accounts.people_ports import PeopleStores
from daehwa.conversation.ids import now_ms
from daehwa.data_folder import DataFolder
from daehwa.services.archives import AwsTable, open_table
from daehwa.services.local import OWNER
from daehwa.services.opened_store import Closing, Opened, open_store
from daehwa.stores.sqlite_people import sqlite_people

__all__ = ["Announcement", "Announcing"]


class Announcing(Opened):
    """The announcement of a store."""

    def __init__(self, people: PeopleStores, *owned: Closing) -> None:
        self._people = people
        super().__init__(*owned)

    @classmethod
    async def local(cls, folder: DataFolder) -> Self:
        """Open the store of this machine."""
        store = await open_store(folder)
        return cls(sqlite_people(store, first_admin=OWNER), store)

    @classmethod
    def on_aws(cls, table: AwsTable) -> Self:
        """Open the store of an installation."""
        from daehwa.stores.dynamodb_people import dynamo_people  # noqa: PLC0415 - it needs the extra

        store, http = open_table(table)
        return cls(dynamo_people(store.table), store, http)

    async def reaches_anybody(self) -> bool:
        """Whether people sign in here: nobody else is told anything."""
        return bool(await self._people.accounts.list_users())

    async def current(self) -> Announcement | None:
        """Return what is announced now, None where nothing is, or it is over."""
        told = (await self._people.installation.get_installation()).announcement
        return None if told is None or told.is_over(now_ms()) else told

    async def announce(self, wish: Announcement | None) -> Announcement | None:
        """Tell everybody, or with None nobody any more; return it as it is kept. Raise `InvalidRequest`."""
        now = now_ms()
        told = None if wish is None else checked_announcement(wish, now)
        facts = announcement_facts(told)
        await self._people.audit.append(
            NewEvent(at=now, action="installation.changed", actor_name=TERMINAL, details=facts)
        )
        changed = await self._people.installation.change_installation(InstallationChanges(announcement=told))
        return changed.announcement
