"""What a call is counted as, where its upstream, its caller or a store does something odd."""

import asyncio
from typing import Any

import msgspec
import pytest
from gateway.bed import OWNER, RememberingMeter

from daehwa.accounts.keys import Caller
from daehwa.conversation.errors import ProviderMalformedError, ProviderTimeoutError, ProviderUnreachableError
from daehwa.conversation.messages import Usage
from daehwa.gateway.answers import whole_body
from daehwa.gateway.asking import JsonAsked
from daehwa.gateway.counting import Counted, paid_call
from daehwa.gateway.ports import Endpoint
from daehwa.gateway.rates import Correction, Taken
from daehwa.gateway.scripted import ScriptedAnswer, ScriptedTarget
from daehwa.gateway.tap import LONGEST_EVENT, UsageTap
from daehwa.stores.memory_rates import MemoryRates

NOUGHTS = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}


class _SlowRates(MemoryRates):
    async def adjust(self, scope: str, difference: int, *, now: int) -> None:  # noqa: ARG002 - as the store has it
        await asyncio.Event().wait()


async def counted(
    meter: RememberingMeter, rates: MemoryRates | None = None, *, is_rated: bool = True, **more: object
) -> Counted:
    asked = JsonAsked.of("chat/completions", {"messages": [{"role": "user", "content": "Hello there."}], **more})
    model = ScriptedTarget(provider="a", name="one").model
    call = paid_call(Caller(user=OWNER), asked, model)
    correction = Correction(rates or MemoryRates(), Taken("key", tokens=10, at=0))
    return Counted(await meter.open(call), asked, call, correction if is_rated else None)


@pytest.mark.parametrize("streamed", [False, True])
async def test_noughts_are_no_count(*, streamed: bool) -> None:
    meter = RememberingMeter()
    one = await counted(meter)
    body = msgspec.json.encode({"choices": [{"message": {"content": "Good morning."}}], "usage": NOUGHTS})
    one.begin()
    if streamed:
        tap = UsageTap(strip=False)
        tap.feed(b"data: " + body + b"\n\n")
        await one.end_stream(tap)
    else:
        await one.end_whole(body)
    usage = meter.outcomes[0].usage
    assert usage is not None
    assert (usage.estimated, usage.input > 0, usage.output > 0) == (True, True, True)


@pytest.mark.parametrize(
    "said",
    [
        {"usage": {"prompt_tokens": 9, "completion_tokens": 10**30}},
        {"usage": {"prompt_tokens": 9, "completion_tokens": 2**62}},
        {"usage": {"prompt_tokens": 9, "completion_tokens": 9, "prompt_tokens_details": {"cached_tokens": 2**62}}},
        {"duration": "inf"},
        {"duration": 1e308},
        {"duration": "nan"},
        {"usage": {"seconds": 1e30}},
    ],
)
async def test_what_no_ledger_could_hold_is_not_believed(said: dict[str, Any]) -> None:
    meter = RememberingMeter()
    await (await counted(meter)).end_whole(msgspec.json.encode({"text": "Good morning.", **said}))
    (outcome,) = meter.outcomes
    assert outcome.usage is not None
    assert outcome.usage.estimated
    assert (0 < outcome.usage.output < 100, outcome.seconds) == (True, 0)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("said", "counted_as"),
    [
        *(("big", "a/big"), ("big-2026-01-01", "a/big"), ("big-20260101", "a/big"), ("big-2026", "a/one")),
        *(("one-2026-01-01", "a/one"), (None, "a/one")),
    ],
)
async def test_an_answer_is_paid_as_that_of_the_model_that_took_the_other_s_place(
    said: str | None, counted_as: str, *, streamed: bool
) -> None:
    meter = RememberingMeter()
    one = await counted(meter, models=["big"])
    body = msgspec.json.encode(
        {"model": said, "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 4}},
    )
    if streamed:
        tap = UsageTap(strip=False)
        tap.feed(b"data: " + body + b"\n\n")
        await one.end_stream(tap)
    else:
        await one.end_whole(body)
    assert meter.outcomes[0].model == counted_as


@pytest.mark.parametrize(("endpoint", "images"), [("images/generations", 2), ("responses", 0)])
async def test_an_image_too_long_to_be_held_is_one_all_the_same(endpoint: Endpoint, images: int) -> None:
    meter, tap = RememberingMeter(), UsageTap(strip=False)
    asked = JsonAsked.of(endpoint, {"prompt": "A sea.", "n": 2})
    call = paid_call(Caller(user=OWNER), asked, ScriptedTarget(provider="a", name="one").model)
    one = Counted(await meter.open(call), asked, call, None)
    for length in (9, LONGEST_EVENT + 1):
        drawn = {"type": "image_generation.completed", "b64_json": "A" * length, "usage": {"output_tokens": 7}}
        tap.feed(b"data: " + msgspec.json.encode(drawn))
        tap.feed(b"\n\n")
    await one.end_stream(tap)
    assert meter.outcomes[0].images == images


async def test_an_upstream_that_counts_an_answer_of_nothing_is_believed() -> None:
    meter = RememberingMeter()
    one = await counted(meter)
    await one.end_whole(msgspec.json.encode({"usage": {"prompt_tokens": 3, "completion_tokens": 0}}))
    assert meter.outcomes[0].usage == Usage(input=3, output=0)


async def test_money_is_counted_also_where_the_rate_is_waited_for_in_vain() -> None:
    meter = RememberingMeter()
    one = await counted(meter, _SlowRates())
    leaving = asyncio.create_task(one.leave())
    await asyncio.sleep(0.01)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert len(meter.outcomes) == 1


async def test_an_error_in_an_answer_costs_nothing_unless_usage_stands_beside_it() -> None:
    meter = RememberingMeter()
    body = {"error": {"message": "Overloaded."}}
    await (await counted(meter)).end_whole(msgspec.json.encode(body))
    await (await counted(meter)).end_whole(msgspec.json.encode({**body, "usage": NOUGHTS}))
    await (await counted(meter)).end_whole(
        msgspec.json.encode({**body, "usage": {"prompt_tokens": 3, "completion_tokens": 1}})
    )
    assert [outcome.usage for outcome in meter.outcomes] == [None, None, Usage(input=3, output=1)]


async def test_who_leaves_before_the_first_byte_pays_the_prompt_and_who_was_cut_off_does_not() -> None:
    meter = RememberingMeter()
    await (await counted(meter)).end_stream(UsageTap(strip=False))
    await (await counted(meter)).end_stream(UsageTap(strip=False), "upstream_cut")
    left, cut = meter.outcomes
    assert left.usage is not None
    assert (left.usage.estimated, left.usage.input > 0, left.error) == (True, True, None)
    assert (cut.usage, cut.error) == (None, "upstream_cut")


async def test_who_leaves_before_the_upstream_has_the_request_pays_nothing() -> None:
    rates = MemoryRates()
    await rates.take("tokens:key", 10, 100, now=0)
    meter = RememberingMeter()
    one = await counted(meter, rates)
    one.is_sent = False
    await one.leave()
    (outcome,) = meter.outcomes
    assert (outcome.usage, outcome.seconds, outcome.error) == (None, 0, None)
    assert (await rates.take("tokens:key", 0, 100, now=0)).left == 100


async def test_an_upstream_that_is_given_up_has_read_the_prompt_if_it_had_it() -> None:
    meter = RememberingMeter()
    late = ProviderTimeoutError("It did not begin to answer.")
    for is_sent, heard in ((True, 0), (False, 0), (True, 400)):
        one = await counted(meter)
        one.is_sent = is_sent
        if heard:
            one.hear(heard)
        await one.break_off(late)
    await (await counted(meter)).end_stream(UsageTap(strip=False), late.type)
    await (await counted(meter)).break_off(ProviderUnreachableError("Nobody is there."))
    usages = [outcome.usage for outcome in meter.outcomes]
    read, unread, came, stream, nobody = usages
    assert (unread, nobody) == (None, None)
    assert read is not None
    assert (read.input > 0, read.output, read.estimated) == (True, 0, True)
    assert stream == read
    assert came is not None
    assert (came.input, came.output) == (read.input, 100)
    assert meter.outcomes[0].error == "upstream_timeout"


async def test_a_stream_is_counted_at_once_where_no_rate_has_to_be_corrected() -> None:
    meter, tap = RememberingMeter(), UsageTap(strip=False)
    assert not (await counted(meter)).end_stream_now(tap)
    assert meter.outcomes == []
    assert (await counted(meter, is_rated=False)).end_stream_now(tap)
    assert len(meter.outcomes) == 1
    await (await counted(meter, is_rated=False)).leave()
    assert len(meter.outcomes) == 2


async def test_an_error_within_a_stream_is_noted() -> None:
    meter = RememberingMeter()
    one, tap = await counted(meter), UsageTap(strip=False)
    one.begin()
    tap.feed(b'data: {"choices":[{"delta":{"content":"Hi"}}]}\n\n')
    tap.feed(b'data: {"error": {"message": "Overloaded."}}\n\n')
    await one.end_stream(tap)
    (outcome,) = meter.outcomes
    assert outcome.error == "upstream_stream_error"
    assert outcome.usage is not None
    assert outcome.usage.input > 0


@pytest.mark.parametrize("is_rated", [False, True])
@pytest.mark.parametrize("error", [{"error": {"message": "A"}, "usage": NOUGHTS}, {"object": "error", "message": "A"}])
@pytest.mark.parametrize(
    "before",
    [
        [],
        [{"choices": [{"delta": {"role": "assistant", "content": ""}}]}],
        [{"type": "response.created", "response": {"usage": None, "error": None}}],
    ],
    ids=["nothing", "role", "head"],
)
async def test_a_stream_that_is_but_an_error_costs_nothing_as_such_an_answer_does(
    before: list[Any], error: dict[str, Any], *, is_rated: bool
) -> None:
    meter = RememberingMeter()
    one, tap = await counted(meter, is_rated=is_rated), UsageTap(strip=False)
    one.begin()
    for said in (*before, error):
        tap.feed(b"data: " + msgspec.json.encode(said) + b"\n\n")
    if is_rated:
        await one.end_stream(tap)
    else:
        assert one.end_stream_now(tap)
    (outcome,) = meter.outcomes
    assert (outcome.usage, outcome.error) == (None, "upstream_stream_error")


async def test_an_answer_in_one_piece_has_a_limit_and_its_connection_is_given_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("daehwa.gateway.answers.MOST_WHOLE_BYTES", 10)
    answer = ScriptedAnswer([b"12345", b"67890"])
    assert await whole_body(answer) == b"1234567890"
    answer = ScriptedAnswer([b"12345", b"67890", b"1"])
    with pytest.raises(ProviderMalformedError):
        await whole_body(answer)
    assert answer.is_closed
