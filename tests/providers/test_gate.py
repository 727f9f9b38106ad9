"""Places and the circuit before an upstream, with a clock that the test turns."""

import asyncio

import pytest

from daehwa.conversation.errors import (
    ProviderAuthError,
    ProviderRateLimitError,
    ProviderUnavailableError,
    ProviderUnreachableError,
)
from daehwa.providers.gate import FAILURES, LONGEST_PAUSE, Gate, Passage


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


DOWN = ProviderUnreachableError("acme cannot be reached.")


async def fail(gate: Gate) -> None:
    passage = await gate.enter()
    passage.failed(DOWN)
    passage.leave()


async def broken(clock: Clock) -> Gate:
    gate = Gate("acme", clock=clock)
    for _ in range(FAILURES):
        await fail(gate)
    return gate


async def test_it_opens_after_so_many_failures_in_a_row_and_says_when_it_is_tried_again() -> None:
    clock = Clock()
    gate = Gate("acme", clock=clock)
    for _ in range(FAILURES - 1):
        await fail(gate)
    (await gate.enter()).succeeded()
    for _ in range(FAILURES - 1):
        await fail(gate)
    assert gate.state().circuit == "closed"
    await fail(gate)
    state = gate.state()
    assert (state.circuit, state.failures, state.again, gate.is_open) == ("open", FAILURES, 1.0, True)
    with pytest.raises(
        ProviderUnavailableError, match=r"acme failed 5 times in a row .* again in 1 s\. .*reached"
    ) as caught:
        await gate.enter()
    assert caught.value.retry_after == 1


async def test_whoever_waits_as_long_as_is_said_finds_the_circuit_half_open() -> None:
    clock = Clock()
    gate = await broken(clock)
    clock.now += 1
    (probe := await gate.enter()).failed(DOWN)
    probe.leave()
    clock.now += 0.7  # of two
    refusal = gate.refusal()
    assert refusal is not None
    assert (refusal.retry_after, "in 2 s" in refusal.message) == (2, True)


async def test_what_was_asked_wrongly_or_too_often_is_an_answer() -> None:
    gate = Gate("acme")
    for error in [ProviderAuthError("no"), ProviderRateLimitError("slow")] * FAILURES:
        passage = await gate.enter()
        passage.failed(error)
        passage.leave()
    assert gate.state().failures == 0


async def test_one_probe_after_each_pause_that_doubles_up_to_a_minute() -> None:
    clock = Clock()
    gate = await broken(clock)
    pauses = []
    for _ in range(8):
        again = gate.state().again
        assert again is not None
        pauses.append(again)
        clock.now += again
        assert gate.state().circuit == "half_open"
        probe = await gate.enter()
        with pytest.raises(ProviderUnavailableError):  # one is enough
            await gate.enter()
        probe.failed(DOWN)
        probe.leave()
    assert pauses == [1, 2, 4, 8, 16, 32, LONGEST_PAUSE, LONGEST_PAUSE]


async def test_a_probe_that_succeeds_closes_it() -> None:
    clock = Clock()
    gate = await broken(clock)
    clock.now += 1
    probe = await gate.enter()
    probe.succeeded()
    probe.leave()
    assert (gate.state().circuit, gate.state().failures) == ("closed", 0)
    (await gate.enter()).leave()


async def test_a_probe_that_is_answered_lets_others_in_and_a_silence_after_it_opens_again() -> None:
    clock = Clock()
    gate = await broken(clock)
    clock.now += 1
    probe = await gate.enter()
    probe.answered()
    (await gate.enter()).leave()
    assert gate.state().circuit == "closed"
    probe.failed(DOWN)
    assert gate.state().again == 2


async def test_a_probe_that_its_caller_gives_up_makes_room_for_the_next() -> None:
    clock = Clock()
    gate = await broken(clock)
    clock.now += 1
    (await gate.enter()).leave()
    (await gate.enter()).succeeded()
    assert gate.state().circuit == "closed"


async def further(gate: Gate, clock: Clock) -> tuple[Passage, float]:
    """Return the next probe, and how many seconds one was refused before."""
    again = gate.state().again or 0.0
    clock.now += again
    return await gate.enter(), again


async def test_while_nothing_is_known_of_a_probe_others_go_through_more_and_more_seldom() -> None:
    clock = Clock()
    gate = await broken(clock)
    probes = [await further(gate, clock) for _ in range(9)]
    assert [again for _, again in probes] == [1, 1, 2, 4, 8, 16, 32, LONGEST_PAUSE, LONGEST_PAUSE]
    assert gate.state().circuit == "half_open"
    with pytest.raises(ProviderUnavailableError) as caught:
        await gate.enter()
    assert caught.value.retry_after == LONGEST_PAUSE
    probes[3][0].succeeded()
    assert (gate.state().circuit, gate.state().again) == ("closed", None)


async def test_of_probes_beside_each_other_the_first_failure_alone_makes_the_pause_longer() -> None:
    clock = Clock()
    gate = await broken(clock)
    since = gate.state().since
    first, _ = await further(gate, clock)
    second, _ = await further(gate, clock)
    third, _ = await further(gate, clock)
    second.failed(DOWN)
    assert (gate.state().circuit, gate.state().again) == ("open", 2)
    clock.now += 1
    third.failed(DOWN)
    first.failed(DOWN)
    assert (gate.state().circuit, gate.state().again, gate.state().since) == ("open", 1, since)
    later, _ = await further(gate, clock)
    assert gate.state().again == 1
    later.failed(DOWN)
    assert gate.state().again == 4


async def test_a_probe_of_an_earlier_pause_that_is_given_up_is_nothing_to_a_later_one() -> None:
    clock = Clock()
    gate = await broken(clock)
    first, _ = await further(gate, clock)
    second, _ = await further(gate, clock)
    second.failed(DOWN)
    third, _ = await further(gate, clock)
    first.leave()
    second.leave()
    with pytest.raises(ProviderUnavailableError):
        await gate.enter()
    third.succeeded()
    third.leave()
    assert (gate.state().circuit, gate.calls) == ("closed", 0)


async def test_what_began_before_it_opened_can_close_it_but_not_prolong_it() -> None:
    clock = Clock()
    gate = Gate("acme", clock=clock)
    late, other = await gate.enter(), await gate.enter()
    for _ in range(FAILURES):
        await fail(gate)
    late.failed(DOWN)
    assert gate.state().again == 1
    other.succeeded()
    assert gate.state().circuit == "closed"


async def test_only_the_first_word_counts() -> None:
    gate = Gate("acme")
    passage = await gate.enter()
    passage.succeeded()
    passage.failed(DOWN)
    passage.leave()
    passage.leave()
    assert (gate.state().failures, gate.calls) == (0, 0)


async def test_places_are_given_to_who_has_waited_longest() -> None:
    gate = Gate("acme", max_concurrent=2)
    first, second = await gate.enter(), await gate.enter()
    order: list[int] = []
    passages: list[Passage] = []

    async def wait(number: int) -> None:
        passages.append(await gate.enter())
        order.append(number)

    tasks = [asyncio.create_task(wait(number)) for number in range(4)]
    await asyncio.sleep(0)
    assert (gate.calls, gate.state().waiting) == (2, 4)
    tasks[1].cancel()
    await asyncio.sleep(0)
    first.leave()
    newcomer = asyncio.create_task(wait(9))  # comes when a place is free that belongs to another
    second.leave()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert order == [0, 2]
    assert gate.calls == 2
    passages[0].leave()
    passages[1].leave()
    await asyncio.gather(tasks[3], newcomer)
    assert order == [0, 2, 3, 9]
    for passage in passages:
        passage.leave()
    assert (gate.calls, gate.state().waiting) == (0, 0)


async def test_whoever_waits_too_long_is_told_so() -> None:
    gate = Gate("acme", max_concurrent=1, place_seconds=0.02)
    passage = await gate.enter()
    with pytest.raises(ProviderRateLimitError, match="1 calls under way") as caught:
        await gate.enter()
    assert caught.value.retry_after == 1
    passage.leave()
    (await gate.enter()).leave()
    assert (gate.calls, gate.state().waiting) == (0, 0)


async def test_a_place_that_is_given_to_one_who_has_just_left_goes_to_the_next() -> None:
    gate = Gate("acme", max_concurrent=1)
    passage = await gate.enter()
    gone, next_one = asyncio.create_task(gate.enter()), asyncio.create_task(gate.enter())
    await asyncio.sleep(0)
    passage.leave()
    gone.cancel()
    (await next_one).leave()
    assert gate.calls == 0


async def test_whoever_waits_hears_that_the_circuit_opened() -> None:
    gate = Gate("acme", max_concurrent=1)
    passage = await gate.enter()
    waiting = asyncio.create_task(gate.enter())
    await asyncio.sleep(0)
    for _ in range(FAILURES):
        gate.circuit.failed("It is down.")
    passage.leave()
    with pytest.raises(ProviderUnavailableError):
        await waiting
    assert gate.calls == 0
