"""The rules of budgets: whose they are, in which period, and what a refusal says."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daehwa.accounts.budgets import BudgetRule, BudgetRules, BudgetState, Group, of_person
from daehwa.accounts.people import User
from daehwa.accounts.ports import Budget
from daehwa.accounts.spending import Counter, exceeded, period_at, renewal
from daehwa.conversation.budget import BudgetKind, dollars, kind_of
from daehwa.conversation.metering import PaidCall

NOW = 1_795_305_600_000  # 2026-11-22
KINDS: tuple[BudgetKind, ...] = ("day", "month", "total")


def at(*when: int) -> int:
    return int(datetime(*when, tzinfo=UTC).timestamp() * 1000)  # type: ignore[misc,arg-type] # year to minute


@pytest.mark.parametrize(
    ("kind", "now", "period", "renews"),
    [
        ("day", at(2026, 11, 22, 23, 59), "2026-11-22", at(2026, 11, 23)),
        ("day", at(2028, 2, 28), "2028-02-28", at(2028, 2, 29)),
        ("month", at(2026, 11, 22), "2026-11", at(2026, 12, 1)),
        ("month", at(2026, 12, 31, 23, 59), "2026-12", at(2027, 1, 1)),
        ("month", at(2026, 1, 31), "2026-01", at(2026, 2, 1)),
        ("total", at(2026, 1, 31), "total", None),
    ],
)
def test_periods_are_of_utc_and_renew_at_midnight(kind: BudgetKind, now: int, period: str, renews: int | None) -> None:
    assert period_at(kind, now) == period
    assert kind_of(period) == kind
    assert renewal(period) == renews


@given(st.integers(0, at(2100, 1, 1)), st.sampled_from(KINDS[:2]))
def test_a_period_renews_just_when_the_next_one_begins(now: int, kind: BudgetKind) -> None:
    period = period_at(kind, now)
    renews = renewal(period)
    assert renews is not None
    assert renews > now
    assert period_at(kind, renews - 1) == period
    assert period_at(kind, renews) != period


RAISED = "Whoever runs this server can raise it."


@pytest.mark.parametrize(
    ("counter", "left", "whose", "lack", "after"),
    [
        (
            *(Counter("user:mina", "2026-11-22"), 500_000, "Your budget for today of $2.50"),
            *("has $0.50 left, and this may cost up to $0.600001.", f"midnight UTC on 2026-11-23. {RAISED}"),
        ),
        (Counter("user:mina", "2026-11-22"), 0, "Your budget for today of $2.50", "is used up.", RAISED),
        (
            *(Counter("all", "2026-12"), 500_000, "The whole server's budget for this month of $2.50"),
            *("has no room left for this.", f"It renews at midnight UTC on 2027-01-01. {RAISED}"),
        ),
        (
            *(Counter("key:1", "total"), -5, "This API key's budget for all time of $2.50", "is used up."),
            "It does not renew by itself. Another key can be made with more.",
        ),
        (
            *(Counter("group:lab", "2026-12"), 1, "The budget of the group “lab” for this month of $2.50"),
            *("has $0.000001 left, and this may cost up to $0.600001.", RAISED),
        ),
    ],
)
def test_a_refusal_says_whose_budget_it_is_what_is_left_and_when_it_renews(
    counter: Counter, left: int, whose: str, lack: str, after: str
) -> None:
    error = exceeded(counter, 2_500_000, spent=2_500_000 - left, amount=600_001)
    assert error.message.startswith(f"{whose} {lack} It ")
    assert error.message.endswith(after)
    assert (error.scope, error.period, error.limit) == (counter.scope, counter.period, 2_500_000)
    assert error.renews == renewal(counter.period)


@pytest.mark.parametrize(
    ("amount", "written"), [(0, "$0.00"), (2_500_000, "$2.50"), (1, "$0.000001"), (1_234_567_890_000, "$1,234,567.89")]
)
def test_dollars_are_written_to_what_they_are(amount: int, written: str) -> None:
    assert dollars(amount) == written


def a_rule(scope: str, kind: BudgetKind = "day", limit: int = 1) -> BudgetRule:
    return BudgetRule(scope=scope, kind=kind, limit=limit)


def a_call(**fields: object) -> PaidCall:
    return PaidCall(**{"id": "1", "kind": "turn", "user": "mina", "model": "a/b", "input_tokens": 1, **fields})  # type: ignore[arg-type]  # what a test gives it, by its names


RULES = BudgetRules(
    budgets=(
        a_rule("all", "month", 50),
        a_rule("user", "day", 2),
        a_rule("user", "month", 20),
        a_rule("user:Ann@example.com", "day", 10),
        a_rule("user:bob-id", "month", 30),
        a_rule("group:lab", "month", 40),
        a_rule("key", "month", 5),
    ),
    groups=(Group(name="lab", members=("ann@example.com", "@lab.example.com")), Group(name="other", members=("@x.y",))),
)


def scopes(budgets: tuple[Budget, ...]) -> list[tuple[str, str, int]]:
    return [(budget.scope, budget.period, budget.limit) for budget in budgets]


def test_each_person_has_the_general_limits_and_shares_those_of_all() -> None:
    found = scopes(RULES.budgets_for(a_call(), None, now=NOW))
    assert found == [("user:mina", "2026-11-22", 2), ("user:mina", "2026-11", 20), ("all", "2026-11", 50)]


def test_a_persons_own_limit_takes_the_place_of_the_general_one_of_that_period() -> None:
    found = scopes(RULES.budgets_for(a_call(user="1"), "ANN@example.com", now=NOW))
    assert ("user:1", "2026-11-22", 10) in found
    assert ("user:1", "2026-11", 20) in found
    assert ("user:1", "2026-11-22", 2) not in found
    assert ("user:bob-id", "2026-11", 30) in scopes(RULES.budgets_for(a_call(user="bob-id"), None, now=NOW))


def test_a_group_is_of_addresses_and_domains() -> None:
    for email in ("ann@example.com", "zoe@LAB.example.com"):
        assert ("group:lab", "2026-11", 40) in scopes(RULES.budgets_of("1", email, now=NOW))
        assert RULES.groups_of(email) == ("lab",)
    for other in (None, "", "bob@example.com", "ann@example.com.evil.example", "lab.example.com"):
        assert RULES.groups_of(other) == ()


def test_a_key_has_its_own_limits_beside_those_of_every_key() -> None:
    found = scopes(RULES.budgets_for(a_call(key="k", key_limits={"month": 3, "total": 9}), None, now=NOW))
    assert found[:3] == [("key:k", "2026-11", 5), ("key:k", "2026-11", 3), ("key:k", "total", 9)]
    assert not [scope for scope, *_ in scopes(RULES.budgets_for(a_call(), None, now=NOW)) if scope.startswith("key")]


def test_people_are_asked_for_only_where_a_rule_names_them() -> None:
    assert RULES.asks_for_people
    assert not BudgetRules(budgets=(a_rule("user"), a_rule("all"), a_rule("key"))).asks_for_people
    assert BudgetRules(groups=RULES.groups).asks_for_people


def test_what_all_spend_together_is_an_admins_business() -> None:
    states = [
        BudgetState(scope=scope, period="total", kind="total", limit=1, spent=0, renews=None)
        for scope in ("all", "user:1", "group:lab")
    ]
    assert [state.scope for state in of_person(User(id="1"), states)] == ["user:1", "group:lab"]
    assert len(of_person(User(id="1", role="admin"), states)) == 3
