"""What the doctor says of people and mail: counted in the file as it is, and asked of the mail server."""

import time
from pathlib import Path
from typing import NamedTuple

import msgspec

from daehwa.conversation.errors import DaehwaError
from daehwa.data_folder import DataFolder
from daehwa.services.entrances import accounts_address, build_mail
from daehwa.services.local import OWNER
from daehwa.services.money_report import file_version
from daehwa.settings import ConfiguredMail, LoadedSettings
from daehwa.sign_in.errors import PasskeysOff
from daehwa.sign_in.passkeys import RelyingParty
from daehwa.stores.sqlite import SqliteStore
from daehwa.stores.sqlite_accounts import SqliteAccounts
from daehwa.stores.sqlite_schema import MIGRATIONS

MAIL_SECONDS = 5.0


class MailReport(msgspec.Struct, frozen=True, kw_only=True):
    """The mail server, and how it answered. Nothing is sent, and the password is not tried."""

    address: str
    sender: str
    round_trip_ms: float
    fault: str | None


class PeopleReport(msgspec.Struct, frozen=True, kw_only=True):
    """Whether people have accounts here, and who. `people` and `admins`, those who may come in, are None where the file
    cannot be read as it is. `is_owner_missed`: conversations are the owner's, and nobody who signs in is that, though
    there are admins. `passkeys_fault` says why there can be no passkeys.
    """

    accounts: bool
    people: int | None
    admins: int | None
    is_owner_missed: bool
    passkeys_fault: str | None
    mail: MailReport | None


class _Counted(NamedTuple):
    people: int | None = None
    admins: int | None = None
    is_owner_missed: bool = False


async def people_report(loaded: LoadedSettings, folder: DataFolder) -> PeopleReport:
    """Look at all of it; nothing is changed by that."""
    counted = await _counted(folder.database)
    return PeopleReport(
        accounts=loaded.values.accounts,
        people=counted.people,
        admins=counted.admins,
        is_owner_missed=counted.is_owner_missed,
        passkeys_fault=_passkeys_fault(accounts_address(loaded, f"http://127.0.0.1:{loaded.values.port}")),
        mail=None if loaded.mail is None else await _mail(loaded.mail),
    )


async def _counted(database: Path) -> _Counted:
    version = file_version(database)
    if not version:
        return _Counted(people=0, admins=0)
    if version != len(MIGRATIONS):
        return _Counted()  # it would be changed by being opened
    try:
        store = await SqliteStore.open(database)
    except DaehwaError:
        return _Counted()  # what is wrong with the file is said elsewhere
    try:
        users = await SqliteAccounts(store).list_users()
        admins = sum(user.role == "admin" and user.disabled is None for user in users)
        is_missed = admins > 0 and OWNER not in {user.id for user in users}
        owned = (await store.list_conversations(OWNER, limit=1)).conversations if is_missed else ()
    finally:
        await store.aclose()
    return _Counted(people=len(users), admins=admins, is_owner_missed=bool(owned))


def _passkeys_fault(public_url: str) -> str | None:
    try:
        RelyingParty(public_url).check()
    except PasskeysOff as error:
        return error.message
    return None


async def _mail(configured: ConfiguredMail) -> MailReport:
    begun = time.perf_counter()
    fault = await build_mail(configured, seconds=MAIL_SECONDS).fault()
    return MailReport(
        address=f"{configured.host}:{configured.port}",
        sender=configured.sender,
        round_trip_ms=round((time.perf_counter() - begun) * 1000, 1),
        fault=fault,
    )
