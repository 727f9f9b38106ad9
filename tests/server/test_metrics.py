"""What Prometheus is told, and who may ask."""

from pathlib import Path
from typing import Any

import msgspec
from books import some_books
from cores import Core
from server.entrance import an_entrance
from server.front_door import a_front_door
from server.serving import serving

from daehwa.accounts.people import UserChanges
from daehwa.stores.memory_accounts import MemoryAccounts

OURS = {"Sec-Fetch-Site": "same-origin"}


async def test_where_nobody_signs_in_it_is_open(tmp_path: Path) -> None:
    async with serving(Core(), tmp_path, books=some_books()) as site, site.client.get("/metrics") as answer:
        assert answer.status == 200
        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert answer.headers["cache-control"] == "no-store"
        assert await answer.text() == "requests 1\n"


async def test_a_home_that_tells_nothing_has_none(tmp_path: Path) -> None:
    async with serving(Core(), tmp_path, books=some_books(exposition=None)) as site:
        assert (await site.refused("GET", "/metrics"))[:2] == (404, "route_not_found")


async def test_where_people_sign_in_an_admins_key_opens_it(tmp_path: Path) -> None:
    async with an_entrance(tmp_path, books_of=lambda accounts: some_books(accounts=accounts)) as made:
        site, secrets, cookie = made.site, dict[str, Any](), dict[str, str]()
        for sub, name in (("1", "ann"), ("2", "boss")):
            cookie = await made.signed_in(sub=sub, email=f"{name}@example.com", name=name) | OURS
            secrets[name] = (await site.call("POST", "/api/keys", {"name": "watch"}, headers=cookie))[1]
            assert (await site.refused("GET", "/metrics", headers=cookie))[:2] == (401, "key_missing")

        def bearing(text: str) -> dict[str, str]:
            return {"authorization": f"Bearer {text}"}

        boss = bearing(secrets["boss"]["secret"])
        async with site.client.get("/metrics", headers=boss) as answer:
            assert (answer.status, await answer.text()) == (200, "requests 1\n")
        ann = bearing(secrets["ann"]["secret"])
        assert (await site.refused("GET", "/metrics", headers=ann))[:2] == (403, "not_allowed")
        unknown = bearing("dh_abcdefgh_nonsense")
        assert (await site.refused("GET", "/metrics", headers=unknown))[:2] == (401, "key_unknown")
        basic = {"authorization": "Basic YTpi"}
        assert (await site.refused("GET", "/metrics", headers=basic))[:2] == (401, "key_missing")
        await site.call("DELETE", f"/api/keys/{secrets['boss']['key']['id']}", headers=cookie)
        assert (await site.refused("GET", "/metrics", headers=boss))[:2] == (401, "key_revoked")


async def test_this_machines_own_word_opens_it_and_nothing_else(tmp_path: Path) -> None:
    word = "a word that the data folder has"
    async with an_entrance(
        tmp_path, books_of=lambda accounts: msgspec.structs.replace(some_books(accounts=accounts), word=word)
    ) as made:
        told = {"authorization": f"Bearer {word}"}
        async with made.site.client.get("/metrics", headers=told) as answer:
            assert answer.status == 200
        assert (await made.site.refused("GET", "/v1/models", headers=told))[0] in {401, 404}
        assert (await made.site.refused("GET", "/api/usage", headers=told))[0] == 401
        strange = {"authorization": "Bearer \u00fc"}
        assert (await made.site.refused("GET", "/metrics", headers=strange))[:2] == (401, "key_unknown")


async def test_whoever_is_shut_out_sees_nothing_by_an_old_key(tmp_path: Path) -> None:
    async with a_front_door(tmp_path) as door:
        await door.admin()
        second = await door.member("second", role="admin")
        made = (await second.call("POST", "/api/keys", {"name": "watch"}))[1]
        bearing = {"authorization": f"Bearer {made['secret']}"}
        async with door.site.client.get("/metrics", headers=bearing) as answer:
            assert answer.status == 200
        await door.people.accounts.change_user(made["key"]["user"], UserChanges(disabled=door.clock.now))
        assert (await door.site.refused("GET", "/metrics", headers=bearing))[:2] == (403, "account_disabled")


async def test_who_is_an_admin_now_is_said_by_the_settings(tmp_path: Path) -> None:
    accounts = MemoryAccounts()
    boss: dict[str, Any] = {"sub": "2", "email": "boss@example.com", "name": "boss"}
    books = some_books(accounts=accounts)
    async with an_entrance(tmp_path, books_of=lambda _: books, accounts=accounts) as made:
        cookie = await made.signed_in(**boss) | OURS
        secret = (await made.site.call("POST", "/api/keys", {"name": "watch"}, headers=cookie))[1]["secret"]
    async with an_entrance(tmp_path, books_of=lambda _: books, accounts=accounts, admin_emails=()) as made:
        bearing = {"authorization": f"Bearer {secret}"}
        assert (await made.site.refused("GET", "/metrics", headers=bearing))[:2] == (403, "not_allowed")


def test_the_word_is_in_no_log_that_shows_the_books() -> None:
    books = msgspec.structs.replace(some_books(), word="a word that the data folder has")
    assert "a word" not in repr(books)
