"""Stores opened for moving conversations out and in, and the people who may own them: on this machine or on AWS."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Self, TypeAlias

import msgspec

from daehwa.accounts.ports import AccountStore
from daehwa.conversation.archive_ports import ConversationArchive
from daehwa.data_folder import DataFolder
from daehwa.services.known_people import KnownPeople
from daehwa.services.opened_store import Closing, Opened, open_store
from daehwa.stores.sqlite_accounts import SqliteAccounts

if TYPE_CHECKING:
    from daehwa.http_client.client import HttpClient
    from daehwa.stores.dynamodb import DynamoStore

AwsKey: TypeAlias = tuple[str, str, str | None]
"""Access key id, secret, and session token where there is one."""


class AwsTable(msgspec.Struct, frozen=True, kw_only=True):
    """An installation's table; `read_key` gives the person's credentials, fresh ones each time."""

    name: str
    region: str
    endpoint: str | None
    read_key: Callable[[], AwsKey]


def open_table(table: AwsTable) -> "tuple[DynamoStore, HttpClient]":
    """Return the store in an installation's table and the client that it asks by, both to be closed."""
    from daehwa.http_client.client import HttpClient  # noqa: PLC0415 - what follows needs the extra
    from daehwa.stores.dynamodb import DynamoStore  # noqa: PLC0415 - as above
    from daehwa.stores.dynamodb_client import Transport  # noqa: PLC0415 - as above
    from daehwa.stores.dynamodb_credentials import GivenCredentials  # noqa: PLC0415 - as above

    async def fresh_key() -> AwsKey:
        return table.read_key()

    http = HttpClient()
    store = DynamoStore.open(
        table=table.name,
        region=table.region,
        endpoint=table.endpoint,
        http=Transport(http),
        credentials=GivenCredentials(fresh_key),
    )
    return store, http


class OpenArchive(Opened):
    """A store whose conversations can be moved, and who is known there."""

    def __init__(self, archive: ConversationArchive, accounts: AccountStore, *owned: Closing) -> None:
        self.archive = archive
        self._accounts = accounts
        super().__init__(*owned)

    @classmethod
    async def local(cls, folder: DataFolder) -> Self:
        """Open the store of this machine; a server may be running on it."""
        store = await open_store(folder)
        return cls(store, SqliteAccounts(store), store)

    @classmethod
    def on_aws(cls, table: AwsTable) -> Self:
        """Open the store of an installation."""
        from daehwa.stores.dynamodb_accounts import DynamoAccounts  # noqa: PLC0415 - it needs the extra

        store, http = open_table(table)
        return cls(store, DynamoAccounts(store.table), store, http)

    async def people(self) -> KnownPeople:
        """Return who is known there."""
        return KnownPeople.of(await self._accounts.list_users())
