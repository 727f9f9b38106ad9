"""API keys in the page's dialect: whose they are, what may be wished for, and that their text is told once."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from books import TODAY, at, note, some_books
from cores import Core
from server.entrance import Entrance
from server.serving import Site, serving

from daehwa.accounts.budgets import BudgetRule
from daehwa.accounts.key_making import MOST_LIVE_KEYS, MOST_MONEY, is_live
from daehwa.accounts.ledger import UsageQuery, UsageRow
from daehwa.accounts.minting import digest_of
from daehwa.conversation.ids import new_id
from daehwa.server.api.keys import MOST_OLD_KEYS
from daehwa.stores.memory_ledger import MemoryLedger

OURS = {"Sec-Fetch-Site": "same-origin"}


async def _made(site: Site, headers: dict[str, str] | None = None, **wish: Any) -> dict[str, Any]:
    status, answer = await site.call("POST", "/api/keys", {"name": "laptop", **wish}, headers=headers)
    assert status == 201
    made: dict[str, Any] = answer
    return made


async def test_a_key_is_made_and_its_text_told_once(tmp_path: Path) -> None:
    books = some_books()
    async with serving(Core(), tmp_path, books=books) as site:
        made = await _made(site)
        status, listed = await site.call("GET", "/api/keys")

    secret, key = made["secret"], made["key"]
    assert status == 200
    assert listed == {"keys": [key], "users": {"me": "Tester"}}
    assert secret.startswith(f"{key['prefix']}_")
    assert key == {
        "id": key["id"],
        "user": "me",
        "name": "laptop",
        "prefix": secret[:11],
        "models": [],
        "day": None,
        "month": None,
        "total": None,
        "requests_per_minute": None,
        "tokens_per_minute": None,
        "created": at(TODAY),
        "expires": None,
        "last_used": None,
        "revoked": None,
        "spent": {"day": 0, "month": 0, "total": None},
    }
    kept = await books.keys.find_key(digest_of(secret))
    assert kept is not None
    assert secret not in str(listed)


async def test_a_key_has_the_limits_that_were_wished_for(site: Site) -> None:
    wish: dict[str, Any] = {
        "models": ["gpt-*", "work/parrot"],
        "day": 2_500_000,
        "month": 0,
        "total": MOST_MONEY,
        "requests_per_minute": 60,
        "tokens_per_minute": 100_000,
        "expires": at("2027-01-01"),
    }
    key = (await _made(site, **wish))["key"]
    assert {name: key[name] for name in wish} == wish


async def test_what_each_key_may_spend_by_the_settings_is_told_with_the_keys(tmp_path: Path) -> None:
    limits = {"day": 2, "month": 30}
    rules = [BudgetRule(scope="key", kind=kind, limit=limits[kind]) for kind in ("day", "month")]
    rules += [BudgetRule(scope="key", kind="day", limit=9), BudgetRule(scope="user", kind="total", limit=1)]
    async with serving(Core(), tmp_path, books=some_books(budgets=rules)) as site:
        _, listed = await site.call("GET", "/api/keys")
    assert listed == {"keys": [], "users": {}, "each": limits}


async def test_what_a_key_has_cost_is_told(tmp_path: Path) -> None:
    books = some_books()
    async with serving(Core(), tmp_path, books=books) as site:
        key, limited = (await _made(site))["key"], (await _made(site, total=5_000_000))["key"]
        for each in (key, limited):
            await note(books, "me", key=each["id"])
            await note(books, "me", key=each["id"], day="2026-11-02", cost=7)
            await note(books, "me", key=each["id"], day="2026-10-31", cost=100)
        await note(books, "me", cost=1_000_000)
        _, listed = await site.call("GET", "/api/keys")
        _, revoked = await site.call("DELETE", f"/api/keys/{limited['id']}")
    spent = {each["id"]: each["spent"] for each in listed["keys"]}
    recent = {"day": 1_500_000, "month": 1_500_007}
    assert spent == {key["id"]: recent | {"total": None}, limited["id"]: recent | {"total": 1_500_107}}
    assert revoked["spent"] == spent[limited["id"]]


async def test_what_a_key_has_cost_in_all_is_told_where_the_settings_limit_it(tmp_path: Path) -> None:
    books = some_books(budgets=[BudgetRule(scope="key", kind="total", limit=9_000_000)])
    async with serving(Core(), tmp_path, books=books) as site:
        key, own = (await _made(site))["key"], (await _made(site, total=5_000_000))["key"]
        for each in (key, own):
            await note(books, "me", key=each["id"], day="2026-10-31", cost=100)
        _, listed = await site.call("GET", "/api/keys")
    assert listed["each"] == {"total": 9_000_000}
    assert [each["spent"]["total"] for each in listed["keys"]] == [100, 100]


class _Counted(MemoryLedger):
    """Knows how often it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    async def spent(self, scope: str, period: str) -> int:
        self.asked.append(f"{scope} {period}")
        return await super().spent(scope, period)

    async def usage(self, query: UsageQuery) -> tuple[UsageRow, ...]:
        self.asked.append(f"usage of {query.user}")
        return await super().usage(query)


async def test_many_keys_ask_the_ledger_once_for_all_of_them(tmp_path: Path) -> None:
    ledger = _Counted()
    books = msgspec.structs.replace(some_books(), ledger=ledger)
    async with serving(Core(), tmp_path, books=books) as site:
        for _ in range(20):
            await _made(site)
        limited = (await _made(site, total=5))["key"]["id"]
        await site.call("GET", "/api/keys")
    assert ledger.asked == ["usage of me", f"key:{limited} total"]


@pytest.mark.parametrize(
    ("wish", "param"),
    [
        ({"name": ""}, "name"),
        ({"name": " \n "}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"day": -1}, "day"),
        ({"month": MOST_MONEY + 1}, "month"),
        ({"total": 1.5}, "total"),
        ({"requests_per_minute": 0}, "requests_per_minute"),
        ({"tokens_per_minute": -5}, "tokens_per_minute"),
        ({"models": [""]}, "models[0]"),
        ({"models": ["m"] * 101}, "models"),
        ({"expires": at(TODAY)}, "expires"),
        ({"expires": 4_102_444_800_000}, "expires"),
        ({"expires": "tomorrow"}, "expires"),
        ({"user": "somebody"}, "user"),
    ],
)
async def test_what_cannot_be_is_refused(site: Site, wish: dict[str, Any], param: str) -> None:
    refused = await site.refused("POST", "/api/keys", {"name": "laptop", **wish})
    assert refused[:2] == (400, "invalid_request")
    assert (refused[2] or "").replace("[...]", "[0]") == param
    assert (await site.call("GET", "/api/keys"))[1]["keys"] == []


async def test_a_name_is_one_line(site: Site) -> None:
    assert (await _made(site, name="  my\n laptop "))["key"]["name"] == "my laptop"


async def test_a_person_has_so_many_keys_at_most(tmp_path: Path) -> None:
    async with serving(Core(), tmp_path) as site:
        made = [await _made(site) for _ in range(MOST_LIVE_KEYS)]
        assert (await site.refused("POST", "/api/keys", {"name": "more"}))[:2] == (400, "invalid_request")
        await site.call("DELETE", f"/api/keys/{made[0]['key']['id']}")
        await _made(site)


async def test_a_key_is_revoked_for_good(tmp_path: Path) -> None:
    books = some_books()
    async with serving(Core(), tmp_path, books=books) as site:
        key = (await _made(site))["key"]["id"]
        first = await site.call("DELETE", f"/api/keys/{key}")
        again = await site.call("DELETE", f"/api/keys/{key}")
        _, listed = await site.call("GET", "/api/keys")
    assert first == again
    assert first[0] == 200
    assert first[1]["revoked"] == at(TODAY)
    assert listed["keys"] == [first[1]]
    assert not is_live((await books.keys.list_keys("me"))[0], at(TODAY))


async def test_only_the_newest_of_the_old_keys_are_listed(tmp_path: Path) -> None:
    async with serving(Core(), tmp_path) as site:
        live = (await _made(site))["key"]["id"]
        for _ in range(MOST_OLD_KEYS + 3):
            await site.call("DELETE", f"/api/keys/{(await _made(site))['key']['id']}")
        _, listed = await site.call("GET", "/api/keys")
    assert len(listed["keys"]) == MOST_OLD_KEYS + 1
    assert listed["keys"][-1]["id"] == live


async def test_there_is_no_such_key(site: Site) -> None:
    assert await site.refused("DELETE", f"/api/keys/{new_id()}") == (404, "key_not_found", "key")
    assert await site.refused("DELETE", "/api/keys/nonsense") == (400, "invalid_id", "key")


async def test_members_see_and_revoke_their_own_alone(entrance: Entrance) -> None:
    ann = await entrance.signed_in(sub="1", email="ann@example.com", name="Ann") | OURS
    bob = await entrance.signed_in(sub="2", email="bob@example.com", name="Bob") | OURS
    site = entrance.site
    key = (await _made(site, ann))["key"]["id"]
    assert (await site.call("GET", "/api/keys", headers=bob))[1] == {"keys": [], "users": {}}
    assert await site.refused("DELETE", f"/api/keys/{key}", headers=bob) == (404, "key_not_found", "key")
    assert await site.refused("GET", "/api/keys?everybody=true", headers=ann) == (403, "not_allowed", None)
    assert (await site.call("GET", "/api/keys", headers=ann))[1]["keys"][0]["revoked"] is None


async def test_an_admin_sees_and_revokes_everybodys(entrance: Entrance) -> None:
    ann = await entrance.signed_in(sub="1", email="ann@example.com", name="Ann") | OURS
    boss = await entrance.signed_in(sub="2", email="boss@example.com", name="Boss") | OURS
    site = entrance.site
    key = (await _made(site, ann))["key"]
    _, own = await site.call("GET", "/api/keys", headers=boss)
    assert own["keys"] == []
    _, listed = await site.call("GET", "/api/keys?everybody=true", headers=boss)
    assert listed == {"keys": [key], "users": {key["user"]: "Ann"}}
    status, revoked = await site.call("DELETE", f"/api/keys/{key['id']}", headers=boss)
    assert (status, revoked["revoked"]) == (200, at(TODAY))


async def test_a_key_makes_no_key_and_reads_no_usage(entrance: Entrance) -> None:
    boss = await entrance.signed_in(sub="1", email="boss@example.com", name="Boss") | OURS
    secret = (await _made(entrance.site, boss))["secret"]
    by_key = {"authorization": f"Bearer {secret}"}
    for method, path, body in (
        ("POST", "/api/keys", {"name": "another"}),
        ("GET", "/api/keys", None),
        ("GET", "/api/usage", None),
        ("GET", "/api/conversations", None),
    ):
        refused = await entrance.site.refused(method, path, body, headers=by_key)
        assert refused[:2] == (401, "not_signed_in")


async def test_another_sites_page_makes_no_key(entrance: Entrance) -> None:
    ann = await entrance.signed_in(sub="1", email="ann@example.com", name="Ann")
    headers = ann | {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    refused = await entrance.site.refused("POST", "/api/keys", {"name": "theirs"}, headers=headers)
    assert refused[:2] == (403, "cross_site_request")
