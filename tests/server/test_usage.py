"""Usage, budgets and prices in the page's dialect."""

import codecs
import csv
import io
from pathlib import Path
from typing import Any

import msgspec
import pytest
from books import TODAY, note, some_books
from cores import Core
from server.entrance import Entrance, an_entrance
from server.serving import Site, serving

from daehwa.accounts.budgets import BudgetRule, BudgetRules
from daehwa.accounts.groups import Group
from daehwa.accounts.key_making import KeyWish, make_key
from daehwa.accounts.metering import LedgerMeter
from daehwa.accounts.people import User
from daehwa.accounts.price_list import PriceList
from daehwa.conversation.errors import StoreError
from daehwa.server.api.usage import dollars
from daehwa.server.books import Books
from daehwa.stores.memory_ledger import MemoryLedger
from daehwa.stores.memory_people import MemoryGroups

OWNER = User(id="me", name="Tester", role="admin")
RULES = (
    BudgetRule(scope="user", kind="day", limit=2_000_000),
    BudgetRule(scope="all", kind="month", limit=50_000_000),
)


@pytest.fixture
def books() -> Books:
    return some_books()


async def test_usage_is_summed_by_day_user_key_model_and_kind(tmp_path: Path, books: Books) -> None:
    key, _ = await make_key(books.keys, "me", KeyWish(name="laptop"), now=1)
    await note(books, "me", key=key.id)
    await note(books, "me", key=key.id, cost=1)
    await note(books, "me", kind="turn", cost=None)
    await note(books, "me", day="2026-11-27", is_open=True, cost=9)
    await note(books, "me", day="2026-09-01")
    await note(books, "somebody")
    async with serving(Core(), tmp_path, books=books, user=OWNER) as site:
        status, report = await site.call("GET", "/api/usage")

    assert status == 200
    assert (report["since"], report["until"]) == ("2026-10-30", TODAY)
    assert report["users"] == {"me": "Tester"}
    assert report["keys"] == {key.id: "laptop"}
    told = [(row["day"], row["key"], row["kind"], row["calls"], row["cost"], row["reserved"]) for row in report["rows"]]
    assert told == [
        ("2026-11-27", None, "chat", 1, 9, 9),
        (TODAY, None, "turn", 1, 0, 0),
        (TODAY, key.id, "chat", 2, 1_500_001, 0),
    ]
    assert report["rows"][1]["unpriced"] == 1
    assert report["rows"][2] | {"input": 2_000, "cached": 400, "output": 600, "reasoning": 100} == report["rows"][2]


async def test_groups_are_told_of_everybodys_usage_alone(tmp_path: Path) -> None:
    groups = MemoryGroups()
    await groups.add_group(Group(id="0197", name="=The team", created=1))
    books = some_books(groups=groups)
    await note(books, "me", cost=1)
    await note(books, "me", cost=2, groups=("0197", "interns"))
    async with serving(Core(), tmp_path, books=books, user=OWNER) as site:
        _, own = await site.call("GET", "/api/usage")
        _, everybodys = await site.call("GET", "/api/usage?everybody=true")
        rows = (await _csv(site, "?everybody=true"))[1]
    assert ([row["groups"] for row in own["rows"]], own["groups"]) == ([[]], {})
    assert [(row["groups"], row["cost"]) for row in everybodys["rows"]] == [([], 1), (["0197", "interns"], 2)]
    assert everybodys["groups"] == {"0197": "=The team"}
    assert [row["groups"] for row in rows] == ["", "'=The team; interns"]


async def test_days_are_inclusive(tmp_path: Path, books: Books) -> None:
    for day in ("2026-11-01", "2026-11-02", "2026-11-03"):
        await note(books, "me", day=day)
    async with serving(Core(), tmp_path, books=books) as site:
        _, report = await site.call("GET", "/api/usage?since=2026-11-01&until=2026-11-02")
    assert [row["day"] for row in report["rows"]] == ["2026-11-01", "2026-11-02"]


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("since=2026-11-02&until=2026-11-01", "since"),
        ("since=2025-01-01&until=2026-11-01", "since"),
        ("since=0001-01-01&until=0001-01-02", "since"),
        ("until=9999-12-31", "since"),
        ("until=0001-01-01", "since"),
        ("since=yesterday", "since"),
        ("user=me", "user"),
    ],
)
async def test_days_that_cannot_be_are_refused(site: Site, query: str, param: str) -> None:
    assert await site.refused("GET", f"/api/usage?{query}") == (400, "invalid_request", param)
    assert await site.refused("GET", f"/api/usage.csv?{query}") == (400, "invalid_request", param)


async def _csv(site: Site, query: str = "") -> tuple[str, list[dict[str, str]]]:
    async with site.client.get(f"/api/usage.csv{query}") as answer:
        assert answer.status == 200
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        disposition = answer.headers["content-disposition"]
        text = (await answer.read()).decode("utf-8-sig")
    return disposition, list(csv.DictReader(io.StringIO(text, newline="")))


async def test_a_spreadsheet_gets_the_same_in_dollars(tmp_path: Path, books: Books) -> None:
    await note(books, "me", cost=1_234_567)
    await note(books, "me", kind="turn", is_open=True, cost=10)
    async with serving(Core(), tmp_path, books=books) as site:
        disposition, rows = await _csv(site)
        async with site.client.get("/api/usage.csv") as answer:
            raw = await answer.read()
    assert disposition == f'attachment; filename="daehwa-usage-2026-10-30-{TODAY}.csv"'
    assert rows[0] == {
        "day": TODAY,
        "user": "Tester",
        "key": "",
        "model": "scripted/parrot",
        "kind": "chat",
        "calls": "1",
        "input": "1000",
        "cached": "200",
        "output": "300",
        "reasoning": "50",
        "cost": "1.234567",
        "reserved": "0.000000",
        "estimated": "0",
        "unpriced": "0",
        "failed": "0",
        "groups": "",
    }
    assert (rows[1]["cost"], rows[1]["reserved"]) == ("0.000010", "0.000010")
    assert raw.startswith(codecs.BOM_UTF8), "else Excel reads names of other scripts in a code page of its own"
    assert raw.count(b"\r\n") == raw.count(b"\n") == 3


@pytest.mark.parametrize("begins", ["=", "+", "-", "@", "\t", "\r"])
async def test_a_spreadsheet_gets_no_formula(tmp_path: Path, books: Books, begins: str) -> None:
    name = f'{begins}HYPERLINK("http://evil.example", "x"),\n1'
    await note(books, "me", model=name)
    async with serving(Core(), tmp_path, books=books, user=User(id="me", name=name)) as site:
        _, (row,) = await _csv(site)
    assert row["user"] == row["model"] == f"'{name}"


@pytest.mark.parametrize("name", ["x;=1", "x; =1", "x;-1"])
async def test_nor_behind_what_other_countries_take_for_the_end_of_a_cell(
    tmp_path: Path, books: Books, name: str
) -> None:
    await note(books, "me", model=name)
    async with serving(Core(), tmp_path, books=books) as site:
        _, (row,) = await _csv(site)
    assert row["model"] == name.replace(";", ";'")


def test_dollars_are_exact() -> None:
    assert [dollars(micro) for micro in (0, 1, 999_999, 1_000_000, 10**18 + 1)] == [
        *("0.000000", "0.000001", "0.999999", "1.000000", "1000000000000.000001"),
    ]


async def test_two_of_the_same_name_are_told_apart(entrance: Entrance) -> None:
    one = await entrance.signed_in(sub="1", email="minsu@example.com", name="김민수")
    other = await entrance.signed_in(sub="2", email="kim@example.com", name="김민수")
    boss = await entrance.signed_in(sub="3", email="boss@example.com", name="Boss")
    for headers in (one, other, boss):
        await note(entrance.books, (await entrance.site.call("GET", "/api/me", headers=headers))[1]["user"]["id"])
    _, usage = await entrance.site.call("GET", "/api/usage?everybody=true", headers=boss)
    assert set(usage["users"].values()) == {"김민수 (minsu@example.com)", "김민수 (kim@example.com)", "Boss"}


async def test_members_see_their_own_use_and_an_admin_everybodys(entrance: Entrance) -> None:
    ann = await entrance.signed_in(sub="1", email="ann@example.com", name="Ann")
    boss = await entrance.signed_in(sub="2", email="boss@example.com", name="")
    ids: dict[str, Any] = {}
    for name, headers in (("ann", ann), ("boss", boss)):
        ids[name] = (await entrance.site.call("GET", "/api/me", headers=headers))[1]["user"]["id"]
        await note(entrance.books, ids[name])

    _, own = await entrance.site.call("GET", "/api/usage", headers=ann)
    assert [row["user"] for row in own["rows"]] == [ids["ann"]]
    for path in ("/api/usage?everybody=true", "/api/usage.csv?everybody=true"):
        assert await entrance.site.refused("GET", path, headers=ann) == (403, "not_allowed", None)
    _, all_of_it = await entrance.site.call("GET", "/api/usage?everybody=true", headers=boss)
    assert {row["user"] for row in all_of_it["rows"]} == set(ids.values())
    assert all_of_it["users"] == {ids["ann"]: "Ann", ids["boss"]: "boss@example.com"}


async def test_budgets_are_told_as_they_stand(tmp_path: Path) -> None:
    books = some_books(budgets=RULES)
    await note(books, "me", cost=1_600_000)
    async with serving(Core(), tmp_path, books=books, user=OWNER) as site:
        status, answer = await site.call("GET", "/api/budgets")
        _, models = await site.call("GET", "/api/models")
    assert models["budgets"] == answer["budgets"], "the page has them with its first questions"
    assert status == 200
    assert answer == {
        "budgets": [
            {
                "scope": "user:me",
                "period": TODAY,
                "kind": "day",
                "limit": 2_000_000,
                "spent": 1_600_000,
                "renews": 1_795_910_400_000,
                "name": None,
            },
            {
                "scope": "all",
                "period": "2026-11",
                "kind": "month",
                "limit": 50_000_000,
                "spent": 1_600_000,
                "renews": 1_796_083_200_000,
                "name": None,
            },
        ]
    }


class _Unreadable(MemoryLedger):
    """A ledger whose store does not answer."""

    async def spent(self, scope: str, period: str) -> int:
        raise StoreError(f"Nobody knows {scope} of {period}.")


async def test_the_models_are_told_though_the_budgets_cannot_be(tmp_path: Path) -> None:
    books = some_books(budgets=RULES)
    rules = BudgetRules(budgets=tuple(RULES))
    meter = LedgerMeter(_Unreadable(), PriceList({}, ()), rules, accounts=books.accounts, clock=books.clock)
    async with serving(Core(), tmp_path, books=msgspec.structs.replace(books, meter=meter), user=OWNER) as site:
        status, answer = await site.call("GET", "/api/models")
        assert (status, answer.get("budgets", [])) == (200, [])
        assert answer["models"]
        assert (await site.call("GET", "/api/budgets"))[0] == 503


async def test_a_member_sees_the_budgets_that_are_theirs(tmp_path: Path) -> None:
    async with an_entrance(tmp_path, books_of=lambda accounts: some_books(accounts=accounts, budgets=RULES)) as made:
        ann = await made.signed_in(sub="1", email="ann@example.com", name="Ann")
        for path in ("/api/budgets", "/api/models"):
            _, answer = await made.site.call("GET", path, headers=ann)
            assert [budget["kind"] for budget in answer["budgets"]] == ["day"]


async def test_without_budgets_there_are_none(site: Site) -> None:
    assert "budgets" not in (await site.call("GET", "/api/models"))[1]
    assert await site.call("GET", "/api/budgets") == (200, {"budgets": []})
