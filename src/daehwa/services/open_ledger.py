"""A store opened to say what was used and what it cost: this machine's or an installation's on AWS."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Self

from daehwa.accounts.ledger import UsageRow
from daehwa.accounts.people import User
from daehwa.accounts.people_ports import GroupStore
from daehwa.accounts.ports import AccountStore, KeyStore, LedgerStore
from daehwa.conversation.ids import now_ms
from daehwa.data_folder import DataFolder
from daehwa.server.api.usage import UsageReport, csv_of, days_of, usage_report
from daehwa.server.books import names_of_groups, told_apart
from daehwa.services.archives import AwsTable, open_table
from daehwa.services.known_people import KnownPeople
from daehwa.services.opened_store import Closing, Opened, open_store
from daehwa.stores.sqlite_accounts import SqliteAccounts
from daehwa.stores.sqlite_keys import SqliteKeys
from daehwa.stores.sqlite_ledger import SqliteLedger
from daehwa.stores.sqlite_people import SqliteGroups

__all__ = ["OpenLedger", "UsageReport", "UsageRow", "csv_of"]


class OpenLedger(Opened):
    """A ledger, and what the keys and people in it are called."""

    def __init__(
        self, ledger: LedgerStore, keys: KeyStore, accounts: AccountStore, groups: GroupStore, *owned: Closing
    ) -> None:
        self._ledger = ledger
        self._groups = groups
        self._keys = keys
        self._accounts = accounts
        super().__init__(*owned)

    @classmethod
    async def local(cls, folder: DataFolder) -> Self:
        """Open the store of this machine; a server may be running on it."""
        store = await open_store(folder)
        return cls(SqliteLedger(store), SqliteKeys(store), SqliteAccounts(store), SqliteGroups(store), store)

    @classmethod
    def on_aws(cls, table: AwsTable) -> Self:
        """Open the store of an installation."""
        from daehwa.stores.dynamodb_accounts import DynamoAccounts  # noqa: PLC0415 - it needs the extra
        from daehwa.stores.dynamodb_keys import DynamoKeys  # noqa: PLC0415 - as above
        from daehwa.stores.dynamodb_ledger import DynamoLedger  # noqa: PLC0415 - as above
        from daehwa.stores.dynamodb_people import DynamoGroups  # noqa: PLC0415 - as above

        store, http = open_table(table)
        made = store.table
        return cls(DynamoLedger(made), DynamoKeys(made), DynamoAccounts(made), DynamoGroups(made), store, http)

    async def report(
        self, since: date | None, until: date | None, whose: Callable[[KnownPeople], str | None]
    ) -> UsageReport:
        """Return what the page tells of these days, of one person or of everybody. Raise `InvalidRequest`."""
        days = days_of(since, until, now=now_ms())
        users: Sequence[User] = await self._accounts.list_users()
        user = whose(KnownPeople.of(users))
        groups = names_of_groups(await self._groups.list_groups())
        return await usage_report(self._ledger, self._keys, told_apart(users), days, user=user, groups=groups)
