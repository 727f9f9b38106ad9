"""Opens this machine's store, and says so where that has changed the file."""

import logging

from daehwa.data_folder import DataFolder
from daehwa.stores.sqlite import SqliteStore

_log = logging.getLogger("daehwa")


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
