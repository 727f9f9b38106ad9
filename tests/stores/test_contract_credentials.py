"""What every store of credentials does: each proof counts once, and nothing is left of who is forgotten."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from stores.homes import HOMES

from daehwa.accounts.credentials import Credentials, Passkey, Password, Totp
from daehwa.accounts.people import NewUser
from daehwa.accounts.people_ports import CredentialStore, PeopleStores
from daehwa.conversation.errors import IdTaken

NOW = 1_800_000_000_000


@pytest.fixture(params=list(HOMES))
async def people(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[PeopleStores]:
    async with HOMES[request.param](tmp_path) as opened:
        yield opened


@pytest.fixture
async def credentials(people: PeopleStores) -> CredentialStore:
    return people.credentials


@pytest.fixture
async def mina(people: PeopleStores) -> str:
    return (await people.accounts.add_user(NewUser(login="mina"), now=NOW)).id


def a_passkey(user: str, name: str = "one", *, sign_count: int = 0, created: int = NOW) -> Passkey:
    return Passkey(
        id=name,
        user=user,
        public_key=b"\x00key\xff",
        sign_count=sign_count,
        name="열쇠",
        transports=("usb", "nfc"),
        created=created,
    )


async def test_a_password_takes_the_place_of_the_one_before(credentials: CredentialStore, mina: str) -> None:
    assert await credentials.get_credentials(mina) == Credentials()
    for hashed in ("$argon2id$one", "$argon2id$two"):
        await credentials.set_password(Password(user=mina, hash=hashed, changed=NOW))
    found = await credentials.get_credentials(mina)
    assert found == Credentials(password=Password(user=mina, hash="$argon2id$two", changed=NOW))
    assert "argon2" not in repr(found)


async def test_each_time_step_is_used_once_and_in_order(credentials: CredentialStore, mina: str) -> None:
    assert not await credentials.use_totp_step(mina, 5)
    totp = Totp(user=mina, secret=b"secret\x00")
    await credentials.save_totp(totp)
    assert not (await credentials.get_credentials(mina)).asks_for_code
    used = await asyncio.gather(*(credentials.use_totp_step(mina, 5, confirmed=NOW) for _ in range(6)))
    assert sum(used) == 1
    assert not await credentials.use_totp_step(mina, 4)
    assert await credentials.use_totp_step(mina, 6, confirmed=NOW + 1)
    found = await credentials.get_credentials(mina)
    assert found.totp == msgspec.structs.replace(totp, confirmed=NOW, last_step=6)
    assert found.asks_for_code


async def test_each_recovery_code_is_used_once(credentials: CredentialStore, mina: str) -> None:
    await credentials.set_recovery_codes(mina, ["old"])
    await credentials.set_recovery_codes(mina, ["a", "b", "c"])
    assert (await credentials.get_credentials(mina)).recovery_codes == 3
    assert not await credentials.use_recovery_code(mina, "old")
    assert not await credentials.use_recovery_code("nobody", "a")
    used = await asyncio.gather(*(credentials.use_recovery_code(mina, "a") for _ in range(6)))
    assert sum(used) == 1
    assert await credentials.use_recovery_code(mina, "b")
    assert (await credentials.get_credentials(mina)).recovery_codes == 1
    await credentials.save_totp(Totp(user=mina, secret=b"s"))
    await credentials.delete_totp(mina)
    assert await credentials.get_credentials(mina) == Credentials()
    await credentials.delete_totp(mina)


async def test_a_passkey_counts_up(credentials: CredentialStore, mina: str) -> None:
    counting, silent = a_passkey(mina, sign_count=3), a_passkey(mina, "silent", created=NOW + 1)
    for passkey in (counting, silent):
        await credentials.add_passkey(passkey)
    assert (await credentials.get_credentials(mina)).passkeys == (counting, silent)
    with pytest.raises(IdTaken):
        await credentials.add_passkey(a_passkey("somebody else"))
    assert not await credentials.note_passkey_used("one", sign_count=3, now=NOW), "a copy of it may be about"
    used = await asyncio.gather(*(credentials.note_passkey_used("one", sign_count=4, now=NOW + 5) for _ in range(4)))
    assert sum(used) == 1
    assert await credentials.find_passkey("one") == msgspec.structs.replace(counting, sign_count=4, last_used=NOW + 5)
    assert await credentials.note_passkey_used("silent", sign_count=0, now=NOW + 5)
    assert not await credentials.note_passkey_used("none", sign_count=1, now=NOW)
    assert await credentials.find_passkey("none") is None


async def test_a_passkey_is_removed_by_its_owner_alone(credentials: CredentialStore, mina: str) -> None:
    await credentials.add_passkey(a_passkey(mina))
    assert not await credentials.delete_passkey("somebody else", "one")
    assert await credentials.delete_passkey(mina, "one")
    assert not await credentials.delete_passkey(mina, "one")
    assert await credentials.find_passkey("one") is None
    await credentials.add_passkey(a_passkey(mina, sign_count=9))
    assert (await credentials.get_credentials(mina)).passkeys == (a_passkey(mina, sign_count=9),)


async def test_whoever_is_forgotten_has_no_credentials(people: PeopleStores, mina: str) -> None:
    jun = (await people.accounts.add_user(NewUser(login="jun"), now=NOW)).id
    for user in (mina, jun):
        await people.credentials.set_password(Password(user=user, hash="h", changed=NOW))
        await people.credentials.save_totp(Totp(user=user, secret=b"s"))
        await people.credentials.set_recovery_codes(user, ["a"])
        await people.credentials.add_passkey(a_passkey(user, f"of {user}"))
    before = await people.credentials.get_credentials(jun)
    await people.accounts.empty_user(mina)
    await people.accounts.remove_user(mina)
    assert await people.credentials.get_credentials(mina) == Credentials()
    assert await people.credentials.find_passkey(f"of {mina}") is None
    assert await people.accounts.find_user("mina") is None
    assert await people.credentials.get_credentials(jun) == before
    await people.accounts.empty_user(mina)
    await people.accounts.remove_user(mina)
