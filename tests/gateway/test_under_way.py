"""Calls under way are ended by whose they are, also where that is known only later, and each once."""

import asyncio

import pytest
from gateway.bed import OWNER
from msgspec.structs import replace

from daehwa.accounts.errors import AccountDisabled, KeyRevoked
from daehwa.accounts.keys import Caller
from daehwa.accounts.minting import mint_key
from daehwa.conversation.errors import DaehwaError
from daehwa.gateway.errors import ShuttingDown
from daehwa.gateway.under_way import CallsUnderWay

OTHER = replace(OWNER, id="other")


async def call(calls: CallsUnderWay, caller: Caller, known: asyncio.Event | None = None) -> str:
    """Make a call that lasts; return what ended it. `known`: whose it is turns out only then."""
    try:
        with calls.one(None if known else caller) as one:
            if known is not None:
                await known.wait()
                one.is_by(caller)
            await asyncio.sleep(0.05)
    except DaehwaError as error:
        return error.type
    return "answered"


async def test_the_calls_of_a_person_end_and_those_of_others_do_not() -> None:
    calls = CallsUnderWay()
    running = [asyncio.create_task(call(calls, Caller(user=user))) for user in (OWNER, OTHER, OWNER)]
    await asyncio.sleep(0)
    calls.end_of(OWNER.id)
    calls.end_of(OWNER.id)
    assert await asyncio.gather(*running) == [AccountDisabled.type, "answered", AccountDisabled.type]
    assert await call(calls, Caller(user=OWNER)) == "answered", "whoever is let in again may call"


async def test_the_calls_with_a_key_end_and_those_with_others_do_not() -> None:
    calls = CallsUnderWay()
    key, other = (mint_key(OWNER.id, "k", now=1)[0] for _ in range(2))
    callers = [Caller(user=OWNER, key=key), Caller(user=OWNER, key=other), Caller(user=OWNER)]
    running = [asyncio.create_task(call(calls, caller)) for caller in callers]
    await asyncio.sleep(0)
    calls.end_with(key)
    assert await asyncio.gather(*running) == [KeyRevoked.type, "answered", "answered"]


async def test_a_call_is_refused_whose_caller_is_known_only_after_the_end() -> None:
    calls, known = CallsUnderWay(), asyncio.Event()
    running = [asyncio.create_task(call(calls, Caller(user=user), known)) for user in (OWNER, OTHER)]
    await asyncio.sleep(0)
    calls.end_of(OWNER.id)
    known.set()
    assert await asyncio.gather(*running) == [AccountDisabled.type, "answered"]


async def test_a_call_that_was_ended_is_not_ended_again_by_the_server_s_end() -> None:
    calls = CallsUnderWay()
    running = asyncio.create_task(call(calls, Caller(user=OWNER)))
    await asyncio.sleep(0)
    calls.end_of(OWNER.id)
    calls.end()
    assert await running == AccountDisabled.type
    with pytest.raises(ShuttingDown), calls.one(Caller(user=OWNER)):
        pytest.fail("it is refused")


async def test_whoever_cancels_a_call_as_well_is_heard() -> None:
    calls = CallsUnderWay()
    running = asyncio.create_task(call(calls, Caller(user=OWNER)))
    await asyncio.sleep(0)
    calls.end_of(OWNER.id)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
