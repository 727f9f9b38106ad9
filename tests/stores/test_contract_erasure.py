"""Whoever is deleted is in no store, no file and no table any more, and nobody else misses anything."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from stores.asking import ask, ended, found, grown, make_turn, titles
from stores.houses import HOUSES, House, nowhere

from daehwa.accounts.audit import AuditEvent, NewEvent
from daehwa.accounts.credentials import Credentials, Passkey, Password, Totp
from daehwa.accounts.erasure import Erasure
from daehwa.accounts.errors import AccountDisabled, LastAdmin, UserNotFound
from daehwa.accounts.installation import InstallationChanges
from daehwa.accounts.ledger import Entry, UsageQuery
from daehwa.accounts.links import Link
from daehwa.accounts.minting import mint_key
from daehwa.accounts.people import NewUser, Profile, Session, User, UserChanges
from daehwa.accounts.ports import AccountStore, Budget
from daehwa.accounts.preferences import Preferences
from daehwa.conversation.errors import ConversationNotFound, StoreError
from daehwa.conversation.ids import new_id, now_ms
from daehwa.conversation.messages import Usage
from daehwa.conversation.ports import ConversationChanges
from daehwa.gateway.ports import KeptAnswer
from daehwa.services.hourly import HourlyHousekeeping
from daehwa.stores.dynamodb_accounts import DynamoAccounts
from daehwa.stores.dynamodb_ledger import DynamoLedger

NOW = 1_795_305_600_000
DAY = "2026-11-22"
CANARY = "zanzibarcanary"
KOREAN = "카나리아새소리"
SAID = f"{CANARY} {KOREAN} "
DAY_MS = 24 * 60 * 60 * 1000
EVERYTHING = UsageQuery(since=NOW - DAY_MS, until=NOW + DAY_MS)


@pytest.fixture(params=list(HOUSES))
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    async with HOUSES[request.param](tmp_path) as opened:
        yield opened


async def lives(house: House, user: User, said: str) -> list[str]:
    """Do everything that leaves something of a person behind; return their conversations."""
    people, me = house.people, user.id
    listed = (await ask(house.store, f"listed {said}", f"answer {said}" * 300, owner=me)).conversation.id
    archived = (await ask(house.store, f"archived {said}", owner=me)).conversation.id
    await house.store.change_conversation(me, archived, ConversationChanges(archived=True, title=said))
    deleted = (await ask(house.store, f"deleted {said}", owner=me)).conversation.id
    await house.store.delete_conversation(me, deleted)
    await people.accounts.save_session(
        Session(id=f"s{me}", user=me, created=NOW, expires=2 * NOW, agent=said, id_token=said, address=said)
    )
    await people.credentials.set_password(Password(user=me, hash=said, changed=NOW))
    await people.credentials.save_totp(Totp(user=me, secret=said.encode()))
    await people.credentials.set_recovery_codes(me, [said])
    await people.credentials.add_passkey(
        Passkey(id=f"p{me}", user=me, public_key=said.encode(), sign_count=0, name=said, created=NOW)
    )
    link = Link(id=f"reset {user.name}", kind="reset", user=me, email=said, created=NOW, expires=2 * NOW)
    await people.links.add_link(link)
    await people.links.add_link(
        msgspec.structs.replace(
            link, id=f"invite by {user.role} {len(user.name)}", kind="invite", user=None, made_by=me, email=None
        )
    )
    await people.preferences.set_preferences(me, Preferences(instructions=said))
    given = {"login": user.login or "", "email": user.email}
    await people.audit.append(NewEvent(at=NOW, action="person.made", subject=me, address=said, details={**given}))
    await people.audit.append(NewEvent(at=NOW, action="key.made", actor=me, actor_name=said, address=said))
    key, _ = mint_key(me, said, now=NOW)
    await house.keys.add_key(key)
    await house.keys.revoke_key(key.id, user=me, now=NOW)
    for caller in (me, f"{me}/{key.id}"):
        await house.answers.claim(caller, said, said, now=NOW)
        kept = KeptAnswer(status=200, headers=(), body=said.encode())
        await house.answers.keep(caller, said, kept, began=NOW, now=NOW)
    entry = Entry(id=new_id(), created=NOW, user=me, kind="chat", model="test/parrot", key=key.id, reserved=9)
    await house.ledger.reserve(entry, [Budget(scope=f"user:{me}", period=DAY, limit=100)])
    await house.ledger.settle(msgspec.structs.replace(entry, usage=Usage(input=3, cost=7)))
    return [listed, archived, deleted]


async def a_person(house: House, login: str, said: str) -> User:
    new = NewUser(login=f"{login}{said}", name=said, email=f"{login}{said}@example.com", role="admin")
    return await house.people.accounts.add_user(new, now=NOW)


async def test_whoever_is_deleted_is_nowhere_any_more(house: House) -> None:
    root = await a_person(house, "root", "innocent")
    mina = await a_person(house, "mina", CANARY)
    await lives(house, root, "innocent words")
    conversations = await lives(house, mina, SAID)
    rows = await house.ledger.usage(EVERYTHING)
    before = sum(row.cost for row in rows), await house.ledger.spent("all", DAY)
    for word in (CANARY, KOREAN):
        assert await house.holds(word) or house.holds is nowhere, "what is looked for can be found"

    await house.erasure.erase(mina.id)

    for word in (CANARY, KOREAN, "zanzibar", "나리"):
        assert not await house.holds(word)
    left = set(await house.leftovers(mina.id))
    assert left <= {"audit", "J", "E", "B", "V"}, "a number that is nobody's, in the audit log, in sums, to be swept"
    assert [await house.leftovers(conversation) for conversation in conversations] == [[], [], []]
    assert await house.people.accounts.get_user(mina.id) is None
    assert await house.people.accounts.get_session(f"s{mina.id}", now=NOW) is None
    assert await house.people.credentials.get_credentials(mina.id) == Credentials()
    assert await house.people.preferences.get_preferences(mina.id) == Preferences()
    assert await house.keys.list_keys(mina.id) == ()
    assert await titles(house.store, mina.id) == [] == await found(house.store, CANARY, mina.id)
    assert await house.answers.claim(mina.id, SAID, SAID, now=NOW) == "new"
    assert (await house.people.audit.check()).ok
    rows = await house.ledger.usage(EVERYTHING)
    assert (sum(row.cost for row in rows), await house.ledger.spent("all", DAY)) == before == (14, 14)

    assert (await house.people.preferences.get_preferences(root.id)).instructions == "innocent words"
    assert len(await titles(house.store, root.id)) == 1
    assert await found(house.store, "innocent", root.id) != []
    assert (await house.people.credentials.get_credentials(root.id)).recovery_codes == 1
    assert len(await house.keys.list_keys(root.id)) == 1
    links = {link.id for link in await house.people.links.list_links(now=NOW)}
    assert links == {"reset innocent", "invite by admin 8"}, "none that she made either"
    await house.erasure.erase(mina.id)
    again = await a_person(house, "mina", CANARY)
    assert again.id != mina.id
    assert await house.people.credentials.get_credentials(again.id) == Credentials()


async def test_the_last_admin_is_not_deleted(house: House) -> None:
    root = await a_person(house, "root", "")
    await lives(house, root, SAID)
    with pytest.raises(LastAdmin):
        await house.erasure.erase(root.id)
    assert await house.people.accounts.get_user(root.id) == root
    assert len(await titles(house.store, root.id)) == 1


async def test_the_owner_of_a_server_without_sign_in_loses_all_and_stays(house: House) -> None:
    await ask(house.store, SAID, SAID, owner="owner")
    await house.erasure.erase("owner")
    assert await titles(house.store, "owner") == []
    assert not await house.holds(CANARY)
    await ask(house.store, "begun anew", owner="owner")
    assert await titles(house.store, "owner") == ["begun anew"]


async def test_a_deletion_that_was_broken_off_is_gone_on_with(house: House) -> None:
    await a_person(house, "root", "")
    profile = Profile(issuer="https://id.example", subject="mina", email=f"{CANARY}@example.com", name=CANARY)
    mina = await house.people.accounts.sign_in(profile, role="member", now=NOW)
    await lives(house, mina, SAID)
    await house.people.accounts.change_user(mina.id, UserChanges(disabled=NOW, leaving=NOW))
    with pytest.raises(AccountDisabled):
        await house.people.accounts.sign_in(profile, role=None, now=NOW)
    assert await house.erasure.resume() == 1
    assert not await house.holds(CANARY)
    (told, *_) = await house.people.audit.page(limit=1)
    assert (told.action, told.subject, told.actor, told.details) == ("person.deleted", mina.id, None, {"resumed": True})
    assert await house.erasure.resume() == 0
    assert (await house.people.accounts.sign_in(profile, role=None, now=NOW)).id != mina.id


class Interrupted:
    """The accounts of a home, where one step of a deletion fails so many times."""

    def __init__(self, accounts: AccountStore, step: str, times: int) -> None:
        self._accounts = accounts
        self._step = step
        self.times = times

    def __getattr__(self, name: str) -> Any:
        if name == self._step and self.times:
            self.times -= 1
            raise StoreError("the disk is full")
        return getattr(self._accounts, name)


async def deletions(house: House) -> list[AuditEvent]:
    return [event async for event in house.people.audit.events() if event.action == "person.deleted"]


async def test_nobody_is_told_as_deleted_who_is_not(house: House) -> None:
    await a_person(house, "root", "")
    mina = await a_person(house, "mina", CANARY)
    accounts: Any = Interrupted(house.people.accounts, "empty_user", 3)
    erasure = Erasure(house.people._replace(accounts=accounts), [house.store])
    act = NewEvent(at=NOW, action="person.deleted", actor="root", subject=mina.id)
    with pytest.raises(StoreError):
        await erasure.erase(mina.id, act=act)
    for _ in range(2):
        with pytest.raises(StoreError):
            await erasure.resume()
    assert await deletions(house) == []
    assert [user.id for user in await accounts.list_users() if user.leaving is not None] == [mina.id]
    assert await erasure.resume() == 1
    assert [event.details for event in await deletions(house)] == [{"resumed": True}]


async def test_whose_deletion_fails_keeps_nobody_elses_from_going_on(house: House) -> None:
    await a_person(house, "root", "")
    two = [(await a_person(house, name, CANARY)).id for name in ("mina", "jun")]
    for user in two:
        await house.people.accounts.change_user(user, UserChanges(disabled=NOW, leaving=NOW))
    accounts: Any = Interrupted(house.people.accounts, "empty_user", 1)
    erasure = Erasure(house.people._replace(accounts=accounts), [house.store])
    assert await erasure.resume(before=NOW) == 0, "whoever began that may still be at it"
    with pytest.raises(StoreError):
        await erasure.resume(before=NOW + 1)
    assert len([user for user in await accounts.list_users() if user.leaving is not None]) == 1
    assert await erasure.resume(before=NOW + 1) == 1


async def test_whoever_is_told_as_deleted_is_told_so_once(house: House) -> None:
    await a_person(house, "root", "")
    mina = await a_person(house, "mina", CANARY)
    accounts: Any = Interrupted(house.people.accounts, "remove_user", 2)
    erasure = Erasure(house.people._replace(accounts=accounts), [house.store])
    act = NewEvent(at=NOW, action="person.deleted", actor="root", subject=mina.id, details={"resumed": False})
    with pytest.raises(StoreError):
        await erasure.erase(mina.id, act=act)
    with pytest.raises(StoreError):
        await erasure.resume()
    assert await erasure.resume() == 1
    (told,) = await deletions(house)
    assert (told.actor, told.details) == ("root", {"resumed": False})
    assert await house.people.accounts.get_user(mina.id) is None


async def test_who_is_deleted_twice_at_once_is_told_as_deleted_once(house: House) -> None:
    await a_person(house, "root", "")
    mina = await a_person(house, "mina", CANARY)
    act = NewEvent(at=NOW, action="person.deleted", actor="root", subject=mina.id)
    ended = await asyncio.gather(*(house.erasure.erase(mina.id, act=act) for _ in range(3)), return_exceptions=True)
    assert {type(each) for each in ended} <= {type(None), UserNotFound}
    assert [event.actor for event in await deletions(house)] == ["root"]
    assert (await house.people.audit.check()).ok


async def test_a_deletion_is_told_at_its_end(house: House) -> None:
    await a_person(house, "root", "")
    mina = await a_person(house, "mina", CANARY)
    erasure = Erasure(house.people, [house.store], clock=iter((NOW, NOW + 90_000)).__next__)
    await erasure.erase(mina.id, act=NewEvent(at=NOW, action="person.deleted", actor="root", subject=mina.id))
    assert [event.at for event in await deletions(house)] == [NOW + 90_000]


async def test_a_reply_that_is_being_made_is_stored_no_further(house: House) -> None:
    begun = await house.store.begin_turn(make_turn(SAID, owner="mina"))
    await house.store.save_checkpoints([grown(begun.reply, SAID * 100)])
    await house.store.forget("mina")
    assert await house.store.save_checkpoints([grown(begun.reply, SAID * 200)]) == {begun.reply.id}, "it costs"
    await house.store.finish_reply(ended(begun.reply, SAID * 300))
    with pytest.raises(ConversationNotFound):
        await house.store.get_conversation("mina", begun.conversation.id)
    await house.store.forget("mina")
    assert await titles(house.store, "mina") == []


async def test_what_nobody_touched_for_long_is_removed(house: House) -> None:
    mina, jun = (await a_person(house, "mina", "")).id, (await a_person(house, "jun", "")).id
    old = [(await ask(house.store, f"old {at}", owner=mina, at=NOW + at)).conversation.id for at in range(3)]
    await house.store.change_conversation(mina, old[0], ConversationChanges(pinned=True))
    await house.store.change_conversation(mina, old[1], ConversationChanges(archived=True))
    await house.store.delete_conversation(mina, old[2])
    await ask(house.store, "young", owner=jun, at=NOW + 3)
    assert await house.store.purge_untouched(before=NOW) == 0
    assert await house.store.purge_untouched(before=NOW + 3, limit=1) == 1
    assert await house.store.purge_untouched(before=NOW + 3) == 2
    for conversation in old:
        with pytest.raises(ConversationNotFound):
            await house.store.restore_conversation(mina, conversation)
    assert await titles(house.store, jun) == ["young"]
    assert await house.store.purge_untouched(before=NOW + 3) == 0


async def test_what_is_decided_to_be_kept_no_longer_goes_within_the_hour(house: House) -> None:
    mina = (await a_person(house, "mina", "")).id
    day = [(await ask(house.store, f"day {at}", owner=mina, at=NOW + at * DAY_MS)).conversation.id for at in range(5)]

    async def retention() -> int | None:
        return (await house.people.installation.get_installation()).retention_days

    hourly = HourlyHousekeeping(house.store, house.erasure, retention, clock=lambda: NOW + 4 * DAY_MS)
    await hourly.keep_house(60)
    assert len(await titles(house.store, mina)) == 5, "nobody decided anything"
    await house.people.installation.change_installation(InstallationChanges(retention_days=1))
    await hourly.keep_house(60)
    assert await titles(house.store, mina) == ["day 4", "day 3"]
    for gone in day[:3]:
        with pytest.raises(ConversationNotFound):
            await house.store.restore_conversation(mina, gone)


@pytest.mark.parametrize("reserved", [0, 9])
async def test_a_call_that_ends_after_its_user_is_forgotten_is_nobody_s(house: House, reserved: int) -> None:
    now, conversation = now_ms(), new_id()
    given = Entry(id=new_id(), created=now, user="mina", kind="turn", model="m", conversation=conversation)
    entry = msgspec.structs.replace(given, reserved=reserved)
    if reserved:
        await house.ledger.reserve(entry, [Budget(scope="all", period="total", limit=100)])
    await house.ledger.forget("mina")
    await house.ledger.settle(msgspec.structs.replace(entry, usage=Usage(cost=5)))
    (row,) = await house.ledger.usage(UsageQuery(since=now - DAY_MS, until=now + DAY_MS))
    assert row.cost == await house.ledger.spent("all", "total") == 5
    keeps_ids = isinstance(house.ledger, DynamoLedger)  # they are random numbers, and nobody's after that
    if not keeps_ids:
        assert row.user != "mina"
        assert await house.leftovers(conversation) == []
    after = msgspec.structs.replace(given, id=new_id(), created=now_ms() + 1000, usage=Usage(cost=1))
    await house.ledger.settle(after)
    (row,) = await house.ledger.usage(UsageQuery(since=now - DAY_MS, until=now + DAY_MS, user="mina"))
    assert row.cost == (5 + 1 if keeps_ids else 1), "what whoever has that id now asks is theirs"


async def test_counters_of_who_is_forgotten_count_on_for_nobody(house: House) -> None:
    entry = Entry(id=new_id(), created=NOW, user="mina", kind="chat", model="m", groups=("g",), reserved=9)
    await house.ledger.reserve(entry, [Budget(scope=scope, period=DAY, limit=100) for scope in ("all", "group:g")])
    await house.ledger.forget("mina")
    await house.ledger.settle(msgspec.structs.replace(entry, usage=Usage(cost=5)))
    assert [await house.ledger.spent(scope, DAY) for scope in ("all", "group:g")] == [5, 5]
    rows = await house.ledger.usage(EVERYTHING)
    assert [(row.cost, row.calls) for row in rows] == [(5, 1)]


async def test_who_is_gone_is_known_until_nothing_of_theirs_can_come_late(house: House) -> None:
    await a_person(house, "root", "")
    mina = await a_person(house, "mina", CANARY)
    accounts = house.people.accounts
    await accounts.remove_user(new_id())
    await house.erasure.erase(mina.id)
    noted = (mina.id,) if isinstance(accounts, DynamoAccounts) else ()  # elsewhere one process serves all
    assert await accounts.list_removed(before=now_ms() - DAY_MS) == ()
    assert await accounts.list_removed(before=now_ms() + 1) == noted
    assert await house.erasure.sweep(before=now_ms() + 1) == len(noted)
    await accounts.drop_removed(mina.id)
    assert await accounts.list_removed(before=now_ms() + 1) == ()
    assert await house.leftovers(mina.id) in ([], ["audit"], ["J"])
