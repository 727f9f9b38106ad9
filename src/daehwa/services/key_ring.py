"""The keys of a store, this machine's or an installation's on AWS, for the terminal; a server may be running on it."""

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, Final, Self

import msgspec

from daehwa.accounts.audit import TERMINAL, NewEvent
from daehwa.accounts.key_making import (
    MODEL_CHARACTERS,
    MOST_MODELS,
    MOST_MONEY,
    NAME_CHARACTERS,
    KeyWish,
    facts_of,
    is_live,
    make_key,
)
from daehwa.accounts.keys import ApiKey
from daehwa.accounts.people_ports import AuditStore
from daehwa.accounts.ports import AccountStore, KeyStore, LedgerStore
from daehwa.conversation.budget import BudgetKind, dollars
from daehwa.conversation.errors import InvalidRequest
from daehwa.conversation.ids import now_ms
from daehwa.data_folder import DataFolder
from daehwa.server.api.keys import Key, MadeKey, made_key, shown_keys
from daehwa.services.archives import AwsTable, open_table
from daehwa.services.known_people import KnownPeople
from daehwa.services.metering import budget_rules
from daehwa.services.opened_store import Closing, Opened, open_store
from daehwa.settings.values import ConfiguredMoney
from daehwa.stores.sqlite_accounts import SqliteAccounts
from daehwa.stores.sqlite_audit import SqliteAudit
from daehwa.stores.sqlite_keys import SqliteKeys
from daehwa.stores.sqlite_ledger import SqliteLedger

_MONEY: Final = f"A key may spend {dollars(MOST_MONEY)} at most."
_BOUNDS: Final = {
    "name": f"A key's name has 1 to {NAME_CHARACTERS} characters.",
    "models": f"A key names {MOST_MODELS} models at most, each with 1 to {MODEL_CHARACTERS} characters.",
    **dict.fromkeys(("day", "month", "total"), _MONEY),
}

__all__ = ["Key", "KeyRing", "MadeKey"]


class KeyRing(Opened):
    """The keys, and who may have some."""

    def __init__(
        self,
        keys: KeyStore,
        ledger: LedgerStore,
        accounts: AccountStore,
        audit: AuditStore,
        *owned: Closing,
        each: Mapping[BudgetKind, int] | None = None,
    ) -> None:
        self.each = each or {}
        """What the settings let each key spend beside its own limits, as far as they are known here."""
        self._keys = keys
        self._audit = audit
        self._ledger = ledger
        self._accounts = accounts
        super().__init__(*owned)

    @classmethod
    async def local(cls, folder: DataFolder, money: ConfiguredMoney) -> Self:
        """Open the store of this machine."""
        store = await open_store(folder)
        each = budget_rules(money).of_each_key
        return cls(SqliteKeys(store), SqliteLedger(store), SqliteAccounts(store), SqliteAudit(store), store, each=each)

    @classmethod
    def on_aws(cls, table: AwsTable) -> Self:
        """Open the store of an installation."""
        from daehwa.stores.dynamodb_accounts import DynamoAccounts  # noqa: PLC0415 - it needs the extra
        from daehwa.stores.dynamodb_audit import DynamoAudit  # noqa: PLC0415 - as above
        from daehwa.stores.dynamodb_keys import DynamoKeys  # noqa: PLC0415 - as above
        from daehwa.stores.dynamodb_ledger import DynamoLedger  # noqa: PLC0415 - as above

        store, http = open_table(table)
        made = store.table
        return cls(DynamoKeys(made), DynamoLedger(made), DynamoAccounts(made), DynamoAudit(made), store, http)

    async def people(self) -> KnownPeople:
        """Return who is known there."""
        return KnownPeople.of(await self._accounts.list_users())

    async def make(self, user: str, wish: Mapping[str, Any]) -> MadeKey:
        """Make a key of a person. Raise `InvalidRequest`."""
        try:
            checked = msgspec.convert(wish, KeyWish)
        except msgspec.ValidationError as error:
            raise _refused(str(error)) from None
        key, text = await make_key(self._keys, user, checked, now=now_ms())
        try:
            await self._note("key.made", key)
        except BaseException:  # its text is told to nobody now, and it would be good for years
            await self._keys.revoke_key(key.id, user=None, now=now_ms())
            raise
        return made_key(key, text)

    async def listed(self, user: str | None, *, old_too: bool) -> tuple[Key, ...]:
        """Return the keys of a person, or all, newest first."""
        now = now_ms()
        return await self._shown([key for key in await self._keys.list_keys(user) if old_too or is_live(key, now)])

    async def found(self, named: str, user: str | None) -> tuple[Key, ...]:
        """Return the keys that may be meant: by id or by the text's beginning, else by name.

        Of those of one name, the live ones; where none of them is live, the one last made.
        """
        keys, now = await self._keys.list_keys(user), now_ms()
        exact = [key for key in keys if named == key.id or named.startswith(key.prefix)]
        called = [key for key in keys if _composed(key.name) == _composed(named)]
        newest = sorted(called, key=lambda key: key.created)[-1:]
        return await self._shown(exact or [key for key in called if is_live(key, now)] or newest)

    async def revoke(self, key: str) -> Key:
        """Revoke a key at once and for good. Raise `KeyNotFound`."""
        revoked = await self._keys.revoke_key(key, user=None, now=now_ms())
        await self._note("key.revoked", revoked)
        return (await self._shown([revoked]))[0]

    async def _note(self, action: str, key: ApiKey) -> None:
        """Write into the audit log, where people sign in, what was done about a key, as the page does."""
        if await self._accounts.list_users():
            new = NewEvent(at=now_ms(), action=action, actor_name=TERMINAL, subject=key.user, details=facts_of(key))
            await self._audit.append(new)

    async def _shown(self, keys: Sequence[ApiKey]) -> tuple[Key, ...]:
        return await shown_keys(keys, self._ledger, now=now_ms(), each=self.each)


def _composed(name: str) -> str:
    """Return a name as it reads: Korean may be written in parts that are shown as one."""
    return unicodedata.normalize("NFC", name)


def _refused(reason: str) -> InvalidRequest:
    """Return the error of a wish that is out of bounds; what else can be wrong with one says `reason` itself."""
    named = next((name for name in _BOUNDS if f"`$.{name}" in reason), None)
    return InvalidRequest(f"Such a key cannot be: {reason}." if named is None else _BOUNDS[named], param=named)
