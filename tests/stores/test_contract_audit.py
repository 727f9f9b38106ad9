"""What every audit log does: a chain without gaps that only grows, in which people can be forgotten."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from stores.homes import HOMES

from daehwa.accounts.audit import FIRST_PREVIOUS, AuditCheck, AuditEvent, ChainWalk, NewEvent, chained
from daehwa.accounts.people_ports import AuditStore

NOW = 1_800_000_000_000


@pytest.fixture(params=list(HOMES))
async def audit(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AuditStore]:
    async with HOMES[request.param](tmp_path) as opened:
        yield opened.audit


def an_event(action: str = "person.changed", **given: Any) -> NewEvent:
    return msgspec.structs.replace(NewEvent(at=NOW, action=action), **given)


async def test_events_are_chained_and_come_newest_first(audit: AuditStore) -> None:
    assert await audit.page() == ()
    assert await audit.check() == AuditCheck(ok=True, events=0)
    given = [an_event(f"thing.{at}", actor="mina", actor_name="미나", details={"number": at}) for at in range(7)]
    events = [await audit.append(each) for each in given]
    assert [event.seq for event in events] == [1, 2, 3, 4, 5, 6, 7]
    assert [event.previous for event in events] == [FIRST_PREVIOUS, *(event.hash for event in events[:-1])]
    assert await audit.page(limit=3) == tuple(reversed(events[4:]))
    assert await audit.page(before=5, limit=3) == tuple(reversed(events[1:4]))
    assert await audit.page(before=1) == ()
    assert [event async for event in audit.events()] == events
    assert await audit.check() == AuditCheck(ok=True, events=7)


async def test_events_written_at_once_come_one_after_the_other(audit: AuditStore) -> None:
    written = await asyncio.gather(*(audit.append(an_event(f"thing.{at}")) for at in range(12)))
    assert sorted(event.seq for event in written) == list(range(1, 13))
    assert await audit.check() == AuditCheck(ok=True, events=12)


async def test_what_is_to_be_told_once_is_told_once(audit: AuditStore) -> None:
    told = an_event("person.deleted", actor="root", subject="mina", details={"resumed": True})
    await audit.append(an_event("person.deleted", subject="jun"))
    await audit.append(an_event("person.made", subject="mina"))
    written = await asyncio.gather(*(audit.append_once(told) for _ in range(5)))
    assert sorted(written) == [False] * 4 + [True]
    await audit.append(an_event())
    assert not await audit.append_once(msgspec.structs.replace(told, at=NOW + 1, actor=None))
    await audit.forget("mina", {"mina"})
    events = [event async for event in audit.events()]
    assert [event.action for event in events].count("person.deleted") == 2
    assert [event.details for event in events if event.actor == "root"] == [{"resumed": True}]
    assert await audit.check() == AuditCheck(ok=True, events=4)


async def test_what_was_told_of_somebody_is_found_newest_first(audit: AuditStore) -> None:
    for at, (action, subject) in enumerate((("a", "m"), ("b", "m"), ("a", "j"), ("a", "m"), ("a", "m"))):
        await audit.append(an_event(action, subject=subject, at=at))
    assert [event.at for event in await audit.told("a", "m", limit=2)] == [4, 3]
    assert [event.at for event in await audit.told("a", "m", limit=9)] == [4, 3, 0]
    assert await audit.told("c", "m", limit=9) == ()


async def test_what_is_odd_or_long_is_kept_as_far_as_it_can_be(audit: AuditStore) -> None:
    odd = an_event(actor_name="Mi\ud800na", details={"long": "x" * 999, "none": None, "is": True, "many": 2**40})
    event = await audit.append(odd)
    assert event.actor_name == "Mi\N{REPLACEMENT CHARACTER}na"
    assert event.details == {"long": "x" * 200, "none": None, "is": True, "many": 2**40}
    assert await audit.page() == (event,)
    assert (await audit.check()).ok


async def test_who_is_forgotten_is_in_no_event_and_the_chain_holds(audit: AuditStore) -> None:
    about: dict[str, NewEvent] = {
        "by them": an_event(
            actor="mina", actor_name="Mina", address="203.0.113.7", subject="g", details={"name": "Staff"}
        ),
        "to them": an_event(
            actor="root", actor_name="Root", address="203.0.113.1", subject="mina", details={"to": "x"}
        ),
        "invited": an_event(actor="root", actor_name="Root", details={"email": "Mina@example.com"}),
        "tried": an_event("sign_in.failed", subject="mina", address="203.0.113.7", details={"login": "mina"}),
        "other": an_event(actor="root", actor_name="Root", details={"role": "mina"}),
    }
    before = {name: await audit.append(event) for name, event in about.items()}
    await audit.forget("mina", {"mina", "mina@example.com"})
    after = dict(zip(about, [event async for event in audit.events()], strict=True))
    assert (after["by them"].actor_name, after["by them"].address) == ("", None)
    assert after["by them"].details == {"name": "Staff"}, "what they did to others stays"
    assert (after["to them"].actor_name, after["to them"].details) == ("Root", {})
    assert (after["invited"].actor_name, after["invited"].details) == ("Root", {})
    assert (after["tried"].address, after["tried"].details) == (None, {})
    assert after["other"] == before["other"], "only what names a person is looked at"
    assert [event.hash for event in after.values()] == [event.hash for event in before.values()]
    assert await audit.check() == AuditCheck(ok=True, events=5)
    await audit.append(an_event())
    assert await audit.check() == AuditCheck(ok=True, events=6)


CHAIN = [chained(an_event("thing.0", actor_name="Mina", details={"to": "admin"}), seq=1, previous=FIRST_PREVIOUS)]
for seq in range(2, 5):
    CHAIN.append(chained(an_event(f"thing.{seq}", actor="mina"), seq=seq, previous=CHAIN[-1].hash))
FORGED: dict[str, tuple[list[AuditEvent], int]] = {
    "another time": ([msgspec.structs.replace(CHAIN[0], at=NOW + 1), *CHAIN[1:]], 1),
    "another name": ([msgspec.structs.replace(CHAIN[0], actor_name="Jun"), *CHAIN[1:]], 1),
    "another address": ([msgspec.structs.replace(CHAIN[0], address="203.0.113.9"), *CHAIN[1:]], 1),
    "other details": ([msgspec.structs.replace(CHAIN[0], details={"to": "guest"}), *CHAIN[1:]], 1),
    "erased by half": ([msgspec.structs.replace(CHAIN[0], what_salt=""), *CHAIN[1:]], 1),
    "one taken out": ([CHAIN[0], *CHAIN[2:]], 2),
    "the first taken out": (CHAIN[1:], 1),
    "two exchanged": ([CHAIN[0], CHAIN[2], CHAIN[1], CHAIN[3]], 2),
    "one put in": ([*CHAIN[:2], chained(an_event(), seq=3, previous=CHAIN[1].hash), *CHAIN[2:]], 4),
}


@pytest.mark.parametrize("forgery", FORGED)
def test_a_chain_that_was_changed_by_hand_breaks_where_it_was(forgery: str) -> None:
    events, broken_at = FORGED[forgery]
    walk = ChainWalk()
    for event in events:
        walk.see(event)
    assert walk.result == AuditCheck(ok=False, events=len(events), broken_at=broken_at)
