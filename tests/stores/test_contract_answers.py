"""What every store of answers does, held to the same contract: a further one joins by one line in `PLACES`."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from stores.places import PLACES, Place

from daehwa.gateway.errors import AnswerTooLarge, IdempotencyKeyReused
from daehwa.gateway.ports import AnswerStore, KeptAnswer

NOW = 1_795_305_600_000
MINUTE, DAY = 60_000, 24 * 60 * 60 * 1000
ANSWER = KeptAnswer(status=201, headers=(("content-type", "text/event-stream"), ("x-a", "1")), body=b"data: \xff\n\n")


@pytest.fixture(params=list(PLACES))
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Place]:
    async with PLACES[request.param](tmp_path) as opened:
        yield opened


@pytest.fixture
async def answers(place: Place) -> AnswerStore:
    return (await place.process()).answers


async def test_the_same_request_gets_the_same_answer_for_a_day(place: Place) -> None:
    answers, there = (await place.process()).answers, (await place.process()).answers
    assert await answers.claim("mina", "key", "f", now=NOW) == "new"
    assert await there.claim("mina", "key", "f", now=NOW + 1) == "running"
    await answers.keep("mina", "key", ANSWER, began=NOW, now=NOW + 2)
    for each in (answers, there):
        assert await each.claim("mina", "key", "f", now=NOW + 2 + DAY - 1) == ANSWER
    assert await answers.claim("mina", "key", "f", now=NOW + 2 + DAY) == "new"


async def test_callers_and_keys_are_apart(answers: AnswerStore) -> None:
    for caller, key in (("mina", "a"), ("mina", "b"), ("min", "a"), ("mina", "한국 \ud83d")):
        assert await answers.claim(caller, key, "f", now=NOW) == "new"
    assert await answers.claim("mina", "한국 \ud83d", "f", now=NOW) == "running"


async def test_of_many_at_once_one_makes_the_answer(place: Place) -> None:
    processes = [(await place.process()).answers for _ in range(2)]
    claims = await asyncio.gather(*(processes[at % 2].claim("mina", "key", "f", now=NOW) for at in range(20)))
    assert sorted(map(str, claims)) == ["new"] + ["running"] * 19


async def test_a_key_with_another_request_is_refused(answers: AnswerStore) -> None:
    await answers.claim("mina", "key", "f", now=NOW)
    with pytest.raises(IdempotencyKeyReused):
        await answers.claim("mina", "key", "g", now=NOW)
    await answers.keep("mina", "key", ANSWER, began=NOW, now=NOW)
    with pytest.raises(IdempotencyKeyReused):
        await answers.claim("mina", "key", "g", now=NOW)
    assert await answers.claim("mina", "key", "f", now=NOW) == ANSWER


async def test_a_claim_is_over_after_a_quarter_of_an_hour(answers: AnswerStore) -> None:
    await answers.claim("mina", "key", "f", now=NOW)
    assert await answers.claim("mina", "key", "f", now=NOW + 15 * MINUTE - 1) == "running"
    assert await answers.claim("mina", "key", "g", now=NOW + 15 * MINUTE) == "new"
    assert await answers.claim("mina", "key", "g", now=NOW + 15 * MINUTE) == "running"


async def test_an_answer_that_is_late_is_kept_unless_somebody_else_makes_one(answers: AnswerStore) -> None:
    later = NOW + 15 * MINUTE
    for key in ("late", "taken", "taken and answered", "given back"):
        await answers.claim("mina", key, "f", now=NOW)
    await answers.claim("mina", "another one", "f", now=later + 1)
    await answers.keep("mina", "late", ANSWER, began=NOW, now=later + 2)
    assert await answers.claim("mina", "late", "f", now=later + 3) == ANSWER
    other = KeptAnswer(status=200, headers=(), body=b"{}")
    assert await answers.claim("mina", "taken", "g", now=later) == "new"
    assert await answers.claim("mina", "taken and answered", "g", now=later) == "new"
    await answers.keep("mina", "taken and answered", other, began=later, now=later)
    for key in ("taken", "taken and answered"):
        await answers.keep("mina", key, ANSWER, began=NOW, now=later)
        await answers.release("mina", key, began=NOW)
    assert await answers.claim("mina", "taken", "g", now=later) == "running"
    assert await answers.claim("mina", "taken and answered", "g", now=later) == other
    await answers.release("mina", "given back", began=NOW)
    assert await answers.claim("mina", "given back", "g", now=NOW + 1) == "new"
    await answers.keep("mina", "given back", ANSWER, began=NOW, now=NOW + 2)
    assert await answers.claim("mina", "given back", "g", now=NOW + 2) == "running"


async def test_what_nobody_answers_goes_in_the_end(answers: AnswerStore) -> None:
    await answers.claim("mina", "key", "f", now=NOW)
    await answers.claim("mina", "another one", "f", now=NOW + 15 * MINUTE + DAY)
    assert await answers.claim("mina", "key", "g", now=NOW + 15 * MINUTE + DAY) == "new"


async def test_a_claim_can_be_given_back(answers: AnswerStore) -> None:
    await answers.claim("mina", "key", "f", now=NOW)
    await answers.release("mina", "key", began=NOW)
    assert await answers.claim("mina", "key", "other", now=NOW) == "new"
    await answers.keep("mina", "key", ANSWER, began=NOW, now=NOW)
    await answers.release("mina", "key", began=NOW)
    assert await answers.claim("mina", "key", "other", now=NOW) == ANSWER, "what was answered is not taken back"
    await answers.release("mina", "missing", began=NOW)


async def test_without_a_claim_nothing_is_kept(answers: AnswerStore) -> None:
    await answers.keep("mina", "key", ANSWER, began=NOW, now=NOW)
    assert await answers.claim("mina", "key", "f", now=NOW) == "new"


async def test_a_long_answer_is_kept_as_far_as_it_compresses(answers: AnswerStore) -> None:
    long = KeptAnswer(status=200, headers=(), body=b"data: {}\n\n" * 100_000)
    await answers.claim("mina", "long", "f", now=NOW)
    await answers.keep("mina", "long", long, began=NOW, now=NOW)
    assert await answers.claim("mina", "long", "f", now=NOW) == long
    await answers.claim("mina", "noise", "f", now=NOW)
    noise = KeptAnswer(status=200, headers=(), body=os.urandom(262_144))
    await answers.keep("mina", "noise", noise, began=NOW, now=NOW)
    with pytest.raises(AnswerTooLarge):
        await answers.claim("mina", "noise", "f", now=NOW)
