"""Stores opened for a command: this machine's, of which is said where that has changed the file; and their end."""

import logging
from typing import Protocol

from daehwa.data_folder import DataFolder
from daehwa.stores.sqlite import SqliteStore

_log = logging.getLogger("daehwa")


class Closing(Protocol):
    """What is closed at the end."""

    async def aclose(self) -> None:
        """Finish and close."""
        ...


class Opened:
    """What a command works with, and what was opened for that."""

    def __init__(self, *owned: Closing) -> None:
        self._owned = owned

    async def aclose(self) -> None:
        """Finish and close."""
        for owned in self._owned:
            await owned.aclose()


async def open_store(folder: DataFolder) -> SqliteStore:
    """Open the store of a data folder, migrating it where no server of an older version works with it.

    Raise `StoreError`, and `DataFolderError` while such a server does.
    """
    store = await SqliteStore.open(folder.database, holding=folder.held_to_migrate)
    if store.backup is not None:
        _log.warning(
            "The database was brought to the schema of this version. A copy of it as it was is kept: '%s'. For an "
            "older version `daehwa restore` puts it back. Remove it once nothing of it is missed: what people delete "
            "from now on stays in it.",
            store.backup,
        )
    return store
