"""The meter: what is reserved, what is counted, and what happens when something goes wrong between the two."""

import asyncio

import msgspec
import pytest
from tills import DAY, MODEL, MONTH, NOW, Till, a_call, a_rule, used

from daehwa.accounts.answer_lengths import ASSUMED_OUTPUT, LEAST_OUTPUT
from daehwa.accounts.budgets import Group
from daehwa.accounts.errors import BudgetExceeded, PriceUnknown
from daehwa.accounts.ledger import Entry
from daehwa.accounts.people import User
from daehwa.accounts.ports import Settling
from daehwa.conversation.budget import BudgetKind
from daehwa.conversation.errors import StoreError
from daehwa.conversation.messages import Usage
from daehwa.conversation.metering import CallEnded, Outcome, Unmetered
from daehwa.stores.memory_ledger import MemoryLedger

ONE_CALL = 100 + 90 * 10
"""What `a_call()` costs at most."""


@pytest.mark.parametrize(("budget", "sent", "reserved"), [(10**9, None, 9_000), (100 + 10 * 500, 500, 500)])
async def test_a_limit_of_the_settings_gives_way_to_a_budget_with_less_room(
    budget: int, sent: int | None, reserved: int
) -> None:
    till = Till(a_rule("user", budget))
    charge = await till.meter.open(a_call(output_limit=9_000, may_be_shorter=True))
    assert charge.output_limit == sent
    assert await till.spent() == 100 + 10 * reserved


async def test_what_was_used_takes_the_place_of_what_was_reserved() -> None:
    till = Till(a_rule("user", 10_000))
    charge = await till.meter.open(a_call())
    assert charge.output_limit is None
    assert await till.spent() == ONE_CALL
    usage = await charge.settle(Outcome(usage=used(100, 7, cached=50)))
    assert usage == Usage(input=100, output=7, cached=50, cost=50 + 5 + 70)
    assert await till.spent() == 125


async def test_without_a_budget_nothing_is_written_before_the_call() -> None:
    till = Till()
    till.faulty.failures = 1  # and so a store that is down is noticed after it
    charge = await till.meter.open(a_call(output_limit=None))
    assert charge.output_limit is None
    till.faulty.failures = 0
    assert await charge.settle(Outcome(usage=used(1, 1))) == Usage(input=1, output=1, cost=11)
    (entry,) = till.faulty.settled
    assert (entry.kind, entry.model, entry.user, entry.created, entry.reserved) == ("chat", MODEL, "mina", NOW, 0)


async def test_a_call_is_refused_for_which_there_is_no_room() -> None:
    till = Till(a_rule("user", ONE_CALL * 2 - 1))
    await till.meter.open(a_call())
    with pytest.raises(BudgetExceeded) as caught:
        await till.meter.open(a_call())
    assert (caught.value.scope, caught.value.period, caught.value.renews) == ("user:mina", DAY, NOW + 24 * 3_600_000)
    assert await till.spent() == ONE_CALL


async def test_a_refusal_says_where_calls_under_way_hold_what_is_wanted() -> None:
    held = "Calls under way hold the rest"
    till = Till(a_rule("user", ONE_CALL * 2 - 1))
    charge = await till.meter.open(a_call())
    with pytest.raises(BudgetExceeded, match=f"It renews at .*{held}"):
        await till.meter.open(a_call())
    with pytest.raises(BudgetExceeded) as caught:
        await till.meter.open(a_call(output_limit=90_000))
    assert held not in caught.value.message, "all of it would not do"
    await charge.settle(Outcome(usage=used(100, 89)))
    with pytest.raises(BudgetExceeded) as caught:
        await till.meter.open(a_call(output_limit=100))
    assert held not in caught.value.message, "it is spent"


async def test_a_hundred_calls_at_once_never_overspend_a_budget_for_three() -> None:
    till = Till(a_rule("all", ONE_CALL * 3 + 500, "month"))
    opened = await asyncio.gather(*(till.meter.open(a_call()) for _ in range(100)), return_exceptions=True)
    assert sum(isinstance(each, BudgetExceeded) for each in opened) == 97
    assert await till.spent("all", MONTH) == ONE_CALL * 3


async def test_a_request_without_a_limit_is_given_one_where_a_budget_applies() -> None:
    till = Till(a_rule("user", 10**9))
    charge = await till.meter.open(a_call(output_limit=None, choices=2))
    assert charge.output_limit == ASSUMED_OUTPUT
    assert await till.spent() == 100 + 2 * ASSUMED_OUTPUT * 10
    for room, limit in ((9_000, 4_096), (900, 900), (-9, 4_096)):  # its model's
        assert (await till.meter.open(a_call(user="eve", output_limit=None, room=room))).output_limit == limit


@pytest.mark.parametrize(
    ("room", "limit"), [(100 + 10 * 3000, 3000), (100 + 10 * 3000 + 9, 3000), (100 + 10 * 256, 256)]
)
async def test_the_limit_is_lowered_to_what_there_is_room_for(room: int, limit: int) -> None:
    till = Till(a_rule("user", room))
    charge = await till.meter.open(a_call(output_limit=None))
    assert charge.output_limit == limit
    assert await till.spent() <= room


async def test_less_than_a_sensible_answer_is_refused() -> None:
    till = Till(a_rule("user", 100 + 10 * LEAST_OUTPUT - 1))
    with pytest.raises(BudgetExceeded):
        await till.meter.open(a_call(output_limit=None))
    assert await till.spent() == 0


async def test_a_limit_that_the_request_sets_is_not_lowered() -> None:
    till = Till(a_rule("user", 100 + 10 * 3000))
    with pytest.raises(BudgetExceeded):
        await till.meter.open(a_call(output_limit=4000))


async def test_many_without_a_limit_share_what_there_is_and_never_overspend() -> None:
    room = (100 + 10 * ASSUMED_OUTPUT) * 2 + 100 + 10 * 1000
    till = Till(a_rule("user", room))
    opened = await asyncio.gather(
        *(till.meter.open(a_call(output_limit=None)) for _ in range(20)), return_exceptions=True
    )
    limits = [each.output_limit for each in opened if not isinstance(each, BaseException)]
    assert len(limits) >= 3
    assert all(isinstance(each, BudgetExceeded) for each in opened if isinstance(each, BaseException))
    assert await till.spent() <= room


async def test_a_model_without_a_price_is_asked_only_where_no_budget_applies() -> None:
    free = await Till().meter.open(a_call(model="scripted/unknown"))
    assert await free.settle(Outcome(usage=used(1, 1))) == Usage(input=1, output=1, cost=None)
    till = Till(a_rule("user", 10**9))
    with pytest.raises(PriceUnknown):
        await till.meter.open(a_call(model="scripted/unknown"))


async def test_what_costs_nothing_is_asked_whatever_the_budget_says() -> None:
    till = Till(a_rule("user", 0))
    charge = await till.meter.open(a_call(model="here/llama", output_limit=None))
    assert charge.output_limit is None
    assert await charge.settle(Outcome(usage=used(10, 10))) == Usage(input=10, output=10, cost=0)


async def test_a_store_that_is_down_lets_no_call_through_where_a_budget_applies() -> None:
    till = Till(a_rule("user", 10**9))
    till.faulty.failures = 1
    with pytest.raises(StoreError):
        await till.meter.open(a_call())


async def test_what_cannot_be_stored_at_once_is_stored_a_little_later() -> None:
    till = Till(a_rule("user", 10**9))
    charge = await till.meter.open(a_call())
    till.faulty.failures = 1
    await charge.settle(Outcome(usage=used(1, 0)))
    assert await till.spent() == 1


async def test_a_store_that_hangs_holds_up_nobody_and_counts_in_the_end() -> None:
    till = Till(a_rule("user", 10**9))
    charge = await till.meter.open(a_call())
    till.faulty.gate = asyncio.Event()
    settling = asyncio.create_task(charge.settle(Outcome(usage=used(1, 0))))
    await asyncio.sleep(0)
    settling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await settling
    assert await till.spent() == ONE_CALL
    till.faulty.gate.set()
    await till.meter.aclose()
    assert await till.spent() == 1


async def test_the_end_of_the_program_does_not_wait_for_a_store_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daehwa.accounts.metering._LAST_SECONDS", 0.01)
    monkeypatch.setattr("daehwa.accounts.metering.SETTLE_SECONDS", 0.01)
    till = Till(a_rule("user", 10**9))
    charge = await till.meter.open(a_call())
    till.faulty.gate = asyncio.Event()
    assert await charge.settle(Outcome(usage=used(1, 0))) == Usage(input=1, cost=1)
    await till.meter.aclose()
    assert await till.spent() == ONE_CALL  # it stays counted as it was reserved


async def test_a_store_that_stays_down_is_given_up_with_a_word_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("daehwa.accounts.metering._SETTLE_PAUSES", (0.001, 0.001))
    till = Till(a_rule("user", 10**9))
    charge = await till.meter.open(a_call())
    till.faulty.failures = 10
    await charge.settle(Outcome(usage=used(1, 0)))
    assert till.faulty.failures == 7
    assert "is not counted as it ended: The disk is full." in caplog.text
    assert await till.spent() == ONE_CALL


async def test_a_caller_who_leaves_while_it_is_reserved_leaves_nothing_reserved() -> None:
    till = Till(a_rule("user", 10**9))
    till.faulty.word = asyncio.Event()
    opening = asyncio.create_task(till.meter.open(a_call()))
    await asyncio.sleep(0)
    assert await till.spent() == ONE_CALL
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    await till.meter.aclose()
    assert await till.spent() == 0


async def test_only_the_first_end_counts() -> None:
    till = Till(a_rule("user", 10**9))
    charge = await till.meter.open(a_call())
    first = await charge.settle(Outcome(usage=used(1, 0)))
    assert await charge.settle(Outcome(usage=used(100, 100))) == first
    assert await till.spent() == 1
    assert len(till.faulty.settled) == 1


async def test_a_call_that_gave_nothing_costs_nothing_and_says_why() -> None:
    till = Till(a_rule("user", 10**9))
    charge = await till.meter.open(a_call())
    assert await charge.settle(Outcome(usage=None, error="provider_unreachable")) is None
    assert await till.spent() == 0
    assert till.faulty.settled[0].failed == "provider_unreachable"


async def test_another_model_that_answered_is_paid_at_its_own_price() -> None:
    till = Till(a_rule("user", 10**9))
    charge = await till.meter.open(a_call())
    await charge.settle(Outcome(usage=used(10, 10), model="here/llama"))
    assert await till.spent() == 0
    assert till.faulty.settled[0].model == "here/llama"


async def test_a_person_is_in_a_group_by_their_address() -> None:
    till = Till(a_rule("group:lab", 10_000, "month"), groups=[Group(name="lab", members=("@lab.example.com",))])
    ann, bob = await till.person("ann@lab.example.com"), await till.person("bob@example.com")
    await till.meter.open(a_call(user=ann))
    await till.meter.open(a_call(user=bob))
    assert await till.spent("group:lab", MONTH) == ONE_CALL
    await (await till.meter.open(a_call(user=ann))).settle(Outcome(usage=used(1, 0)))
    assert till.faulty.settled[0].groups == ("lab",)


async def test_who_somebody_is_is_asked_once_a_minute() -> None:
    till = Till(a_rule("user:ann@example.com", ONE_CALL, "day"))
    ann = await till.person("ann@example.com")
    await till.meter.open(a_call(user=ann))
    with pytest.raises(BudgetExceeded):
        await till.meter.open(a_call(user=ann))
    assert till.accounts.asked == [ann]
    till.clock.now += 60_000
    with pytest.raises(BudgetExceeded):
        await till.meter.open(a_call(user=ann))
    assert till.accounts.asked == [ann, ann]


async def test_a_crowd_of_people_is_not_all_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daehwa.accounts.metering.PEOPLE", 2)
    till = Till(a_rule("user:ann@example.com", ONE_CALL, "day"))
    for user in ("a", "b", "c", "a"):
        await till.meter.open(a_call(user=user))
    assert till.accounts.asked == ["a", "b", "c", "a"]


async def test_a_keys_own_limits_count_beside_its_owners() -> None:
    till = Till(a_rule("user", 10**9))
    await till.meter.open(a_call(key="k", key_limits={"total": ONE_CALL}))
    with pytest.raises(BudgetExceeded) as caught:
        await till.meter.open(a_call(key="k", key_limits={"total": ONE_CALL}))
    assert (caught.value.scope, caught.value.renews) == ("key:k", None)
    await till.meter.open(a_call(key="other", key_limits={"total": ONE_CALL}))
    await till.meter.open(a_call(key="k", key_limits={"total": 2 * ONE_CALL}))


@pytest.mark.parametrize(
    ("of_each", "own", "remedy"),
    [
        (ONE_CALL, {}, "Each key here has this limit: whoever runs this server can raise it."),
        (ONE_CALL, {"day": ONE_CALL}, "Each key here has this limit: whoever runs this server can raise it."),
        (ONE_CALL, {"day": 2 * ONE_CALL}, "Each key here has this limit: whoever runs this server can raise it."),
        (2 * ONE_CALL, {"day": ONE_CALL}, "Another key can be made with more."),
        (2 * ONE_CALL, {"month": ONE_CALL}, "Another key can be made with more."),
    ],
)
async def test_a_refusal_tells_a_keys_own_limit_from_what_each_key_may_spend(
    of_each: int, own: dict[BudgetKind, int], remedy: str
) -> None:
    till = Till(a_rule("key", of_each))
    charge = await till.meter.open(a_call(key="k", key_limits=own))
    await charge.settle(Outcome(usage=used(100, 90)))
    with pytest.raises(BudgetExceeded) as caught:
        await till.meter.open(a_call(key="k", key_limits=own))
    assert caught.value.message.endswith(remedy)
    assert caught.value.budget.scope == "key:k"


async def test_a_new_day_has_a_new_budget() -> None:
    till = Till(a_rule("user", ONE_CALL))
    await till.meter.open(a_call())
    till.clock.now += 24 * 3_600_000
    await till.meter.open(a_call())
    assert await till.spent(period="2026-11-23") == ONE_CALL


async def test_images_and_audio_are_reserved_as_far_as_can_be_told() -> None:
    till = Till(a_rule("user", 10**9))
    charge = await till.meter.open(a_call(kind="image", input_tokens=0, output_limit=None, choices=2, images=2))
    assert await till.spent() == 2 * 6_240 * 10
    for made, images in ((0, 2), (1, 1)):  # and so they are counted where nobody else does it
        usage = charge.priced(Outcome(usage=Usage(input=5, estimated=True), images=made))
        assert usage == Usage(input=5, estimated=True, cost=5 + images * 6_240 * 10)
    await till.meter.open(a_call(kind="audio", user="bob", input_tokens=600, output_limit=None, seconds=60))
    assert await till.spent("user:bob") == 600 + 300 * 10
    charge = await till.meter.open(a_call(kind="embedding", user="eve", output_limit=None))
    assert charge.output_limit is None
    assert await till.spent("user:eve") == 100


async def test_those_who_watch_are_told_of_each_call_once_and_can_break_nothing() -> None:
    till = Till()
    told: list[CallEnded] = []

    def broken(_ended: CallEnded) -> None:
        raise ZeroDivisionError

    faults: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    till.meter.observe(broken)
    till.meter.observe(told.append)
    call = a_call()
    charge = await till.meter.open(call)
    till.clock.now += 50
    outcome = Outcome(usage=used(1, 1), first_ms=3.0)
    await charge.settle(outcome)
    await charge.settle(outcome)
    usage = Usage(input=1, output=1, cost=11)
    assert told == [CallEnded(call=call, outcome=outcome, usage=usage, began=NOW, ended=NOW + 50)]
    assert len(faults) == 1


async def test_a_person_sees_how_much_of_each_budget_is_left() -> None:
    till = Till(a_rule("all", 10**6, "month"), a_rule("user", 5_000), a_rule("user:zoe", 7))
    await till.meter.open(a_call())
    (mine,) = await till.meter.budgets_of(User(id="mina"))
    assert (mine.scope, mine.kind, mine.limit, mine.spent) == ("user:mina", "day", 5_000, ONE_CALL)
    assert mine.renews == NOW + 24 * 3_600_000
    both = await till.meter.budgets_of(User(id="mina", role="admin"))
    assert [state.scope for state in both] == ["user:mina", "all"]
    assert await Till().meter.budgets_of(User(id="mina")) == ()
    assert msgspec.json.decode(msgspec.json.encode(mine))["renews"] == mine.renews


class Soon(MemoryLedger):
    """A ledger that settles without anybody's waiting, unless it is busy."""

    def __init__(self) -> None:
        super().__init__()
        self.is_busy = False
        self.settled: list[Entry] = []

    def settle_soon(self, entry: Entry, otherwise: Settling) -> None:
        if self.is_busy:
            otherwise()
        else:
            self.settled.append(entry)


async def test_nobody_waits_for_a_call_to_be_settled_where_the_ledger_can_do_that() -> None:
    ledger = Soon()
    till = Till(ledger=ledger)
    told: list[CallEnded] = []
    till.meter.observe(told.append)
    charge = await till.meter.open(a_call())
    outcome = Outcome(usage=used(1, 1))
    assert charge.settle_now(outcome)
    assert charge.settle_now(outcome)
    assert await charge.settle(outcome) == Usage(input=1, output=1, cost=11)
    await asyncio.sleep(0)
    assert (len(ledger.settled), len(told)) == (1, 1)
    assert (await Unmetered().open(a_call())).settle_now(outcome)


async def test_what_cannot_be_settled_without_waiting_is_settled_by_a_task() -> None:
    ledger = Soon()
    till = Till(a_rule("user", 5_000), ledger=ledger)
    charge = await till.meter.open(a_call())
    ledger.is_busy = True
    assert charge.settle_now(Outcome(usage=used(1, 1)))
    await till.meter.aclose()
    assert ledger.settled == []
    assert await ledger.spent("user:mina", DAY) == 11


async def test_a_ledger_that_cannot_settle_without_waiting_is_waited_for() -> None:
    charge = await Till().meter.open(a_call())
    assert not charge.settle_now(Outcome(usage=used(1, 1)))
