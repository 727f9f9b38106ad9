"""All that is one's own over HTTP: taken along as a file, and deleted so that no byte of it is left in any home."""

import asyncio
import contextlib
import io
import json
import zipfile
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from books import PARROT
from cores import Core
from server.entrance import an_entrance
from server.front_door import PASSWORD, Browser, FrontDoor, a_front_door
from server.serving import asked, listening
from stores.houses import HOUSES, House, nowhere

from daehwa.accounts.budgets import BudgetRule, BudgetRules
from daehwa.accounts.credentials import Passkey
from daehwa.accounts.ledger import UsageQuery
from daehwa.accounts.metering import LedgerMeter
from daehwa.accounts.people import UserChanges
from daehwa.accounts.price_list import PriceList
from daehwa.conversation.events import TextDelta
from daehwa.conversation.export_file import End, Line, read_head, read_lines
from daehwa.conversation.ids import new_id, now_ms
from daehwa.gateway.ports import KeptAnswer
from daehwa.providers.scripted import Script, ScriptedProvider, echo
from daehwa.server.asgi import ClientLeftError, Receive, Scope, Send
from daehwa.server.body import SLOW_SECONDS
from daehwa.server.books import Books
from daehwa.server.download import Download
from daehwa.stores.memory_accounts import MemoryAccounts
from daehwa.stores.memory_people import memory_people

CANARY = "zanzibarcanary"
KOREAN = "카나리아새소리"
SAID = f"{CANARY} {KOREAN}"
DAY_MS = 86_400_000
BUDGET = BudgetRule(scope="user", kind="month", limit=9_000_000_000)


class Home:
    """A served home, and its stores."""

    def __init__(self, door: FrontDoor, house: House) -> None:
        self.door = door
        self.house = house

    async def turn(self, browser: Browser, text: str) -> str:
        """Ask in the page; return the conversation."""
        body = asked(text)
        cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        await self.door.site.turn(body, cookie=cookie, **browser.headers)
        conversation: str = body["conversation"]
        return conversation

    async def person(self, said: str = SAID) -> tuple[Browser, str]:
        """Somebody who leaves a word of theirs wherever there is room for one; and their id."""
        door, house, word = self.door, self.house, said.split(maxsplit=1)[0]
        browser = door.browser(**{"user-agent": f"{word}/1"})
        assert await browser.accept(await door.invite(email=f"{word}@example.com"), name=said) == (
            *(200, {"next": "done"}),
        )
        await self.turn(browser, said)
        gone = await self.turn(browser, f"{said} to be deleted")
        assert (await browser.call("DELETE", f"/api/conversations/{gone}"))[0] == 204
        assert (await browser.call("POST", "/api/keys", {"name": word}))[0] == 201
        assert (await browser.call("POST", "/api/account/totp", {"password": PASSWORD}))[0] == 200
        await door.browser(**{"user-agent": said.encode().decode("latin-1")}).sign_in(f"{word}@example.com")
        user = (await browser.call("GET", "/api/me"))[1]["user"]["id"]
        passkey = Passkey(id=new_id(), user=user, public_key=word.encode(), sign_count=0, name=word, created=now_ms())
        await house.people.credentials.add_passkey(passkey)
        began = now_ms()
        await house.answers.claim(user, word, word, now=began)
        kept = KeptAnswer(status=200, headers=(), body=said.encode())
        await house.answers.keep(user, word, kept, began=began, now=began)
        return browser, user

    async def cost(self) -> int:
        """What everything cost so far."""
        rows = await self.house.ledger.usage(UsageQuery(since=now_ms() - DAY_MS, until=now_ms() + DAY_MS))
        return sum(row.cost for row in rows)

    async def refuse_to_hold(self, *words: str) -> None:
        for word in words:
            assert not await self.house.holds(word)


@contextlib.asynccontextmanager
async def a_home(kind: str, folder: Path, script: Script = echo) -> AsyncIterator[Home]:
    (folder / "house").mkdir()
    async with HOUSES[kind](folder / "house") as house:
        accounts, rules = house.people.accounts, BudgetRules(budgets=(BUDGET,))
        meter = LedgerMeter(house.ledger, PriceList({}, [PARROT]), rules, accounts=accounts)
        books = Books(keys=house.keys, ledger=house.ledger, accounts=accounts, groups=house.people.groups, meter=meter)
        core = Core(ScriptedProvider(script), store=house.store, meter=meter)
        more: Any = {"books": books, "core": core, "owned": (house.answers,)}
        async with a_front_door(folder, people=house.people, **more) as door:
            yield Home(door, house)
        await meter.aclose()


@pytest.fixture(params=list(HOUSES))
async def home(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Home]:
    async with a_home(request.param, tmp_path) as made:
        yield made


@pytest.mark.parametrize("by", ["admin", "themselves"])
async def test_not_a_byte_is_left_of_whoever_is_deleted(home: Home, by: str) -> None:
    boss = await home.door.admin()
    other, _ = await home.person("innocent words")
    mina, user = await home.person()
    path = f"/api/people/{user}"
    await boss.call("PATCH", path, {"email": f"{CANARY}@example.org"})
    await boss.call("POST", f"{path}/reset", {})
    assert await home.house.holds(CANARY) or home.house.holds is nowhere, "what is looked for can be found"
    cost = await home.cost()
    assert cost > 0

    if by == "admin":
        assert await boss.call("DELETE", path) == (204, None)
    else:
        assert await mina.refused("DELETE", "/api/account") == (401, "credentials_refused")
        assert await mina.refused("DELETE", "/api/account", {"password": "not this one"}) == (
            *(401, "credentials_refused"),
        )
        assert await mina.call("DELETE", "/api/account", {"password": PASSWORD}) == (204, None)
        assert set(mina.cookies) == set()

    await home.refuse_to_hold(CANARY, KOREAN, "zanzibar", "나리")
    assert not await mina.is_in()
    assert (await home.door.browser().sign_in(f"{CANARY}@example.com"))[0] == 401
    assert await home.cost() == cost, "every sum is as before"
    status, log = await boss.call("GET", "/api/audit")
    assert status == 200
    told = next(event for event in log["events"] if event["action"] == "person.deleted")
    assert (told["subject"], told["details"]) == (user, {})
    assert (told["actor"] is None) == (by == "themselves")
    assert (await boss.call("GET", "/api/audit/check"))[1]["holds"] is True
    assert await other.is_in()
    assert len((await other.call("GET", "/api/conversations"))[1]["conversations"]) == 1
    assert await boss.refused("DELETE", path) == (404, "user_not_found")


async def test_the_last_admin_cannot_delete_themselves(home: Home) -> None:
    boss = await home.door.admin()
    assert await boss.refused("DELETE", "/api/account", {"password": PASSWORD}) == (409, "last_admin")
    assert await boss.is_in()


async def test_what_is_being_written_for_whoever_is_deleted_is_stopped(tmp_path: Path) -> None:
    async with a_home("sqlite", tmp_path, [(TextDelta(SAID),), 60.0]) as home:
        boss = await home.door.admin()
        mina = await home.door.member()
        cookie = "; ".join(f"{name}={value}" for name, value in mina.cookies.items())
        body, headers = asked(SAID), {"cookie": cookie, "content-type": "application/json", **mina.headers}
        async with home.door.site.client.post("/api/turns", data=json.dumps(body), headers=headers) as stream:
            assert await stream.content.readany()
            user = (await mina.call("GET", "/api/me"))[1]["user"]["id"]
            assert (await boss.call("DELETE", f"/api/people/{user}"))[0] == 204
            await stream.read()
        await home.refuse_to_hold(CANARY, KOREAN)
        assert len(home.door.site.core.running) == 0


async def test_a_question_that_comes_in_slowly_is_not_kept_for_whoever_is_gone(tmp_path: Path) -> None:
    async with a_home("sqlite", tmp_path) as home:
        boss, mina = await home.door.admin(), await home.door.member()
        user = (await mina.call("GET", "/api/me"))[1]["user"]["id"]
        cookie = "; ".join(f"{name}={value}" for name, value in mina.cookies.items())
        headers = {"cookie": cookie, "content-type": "application/json", **mina.headers}
        body, deleted = json.dumps(asked(SAID)).encode(), asyncio.Event()

        async def slowly() -> AsyncIterator[bytes]:
            yield body[:20]
            await deleted.wait()
            yield body[20:]

        sending = asyncio.create_task(
            home.door.site.client.request("POST", "/api/turns", data=slowly(), headers=headers)
        )
        await asyncio.sleep(SLOW_SECONDS + 0.2)
        assert (await boss.call("DELETE", f"/api/people/{user}"))[0] == 204
        deleted.set()
        async with await sending as answer:
            assert answer.status == 401
        await home.refuse_to_hold(CANARY, KOREAN)


async def test_all_that_is_ones_own_can_be_taken_along(home: Home) -> None:
    await home.door.admin()
    mina, user = await home.person()
    made = (await mina.call("GET", "/api/keys"))[1]["keys"][0]
    cookie = "; ".join(f"{name}={value}" for name, value in mina.cookies.items())
    client = home.door.site.client
    async with client.get("/api/account/export", headers={"cookie": cookie, **mina.headers}) as answer:
        assert answer.status == 200
        assert answer.headers["content-type"] == "application/zip"
        assert answer.headers["content-disposition"].startswith('attachment; filename="daehwa-')
        file = zipfile.ZipFile(io.BytesIO(await answer.read()))
    assert file.testzip() is None
    account = json.loads(file.read("account.json"))
    assert (account["id"], account["name"], account["email"]) == (user, SAID, f"{CANARY}@example.com")
    assert len(account["sessions"]) == 2
    assert [each["name"] for each in account["passkeys"]] == [CANARY]
    (key,) = json.loads(file.read("keys.json"))
    assert (key["id"], key["name"]) == (made["id"], CANARY)
    assert "digest" not in key
    (used,) = json.loads(file.read("usage.json"))
    assert (used["user"], used["calls"], used["kind"]) == (user, 2, "turn")
    with file.open("conversations.jsonl") as lines:
        head = read_head(lines)
        assert head.people == {user: f"{CANARY}@example.com"}
        found = [line[1] for line in read_lines(lines) if isinstance(line, tuple)]
    assert [line.record.conversation.title for line in found if isinstance(line, Line)] != []
    assert found[-1] == End(conversations=2, messages=4)
    everything = b"".join(file.read(name) for name in file.namelist())
    assert b"$argon2id$" not in everything
    assert (await home.door.acts())[-1] == "account.exported"


async def test_groups_are_taken_along_those_of_the_provider_and_removed_ones_too(tmp_path: Path) -> None:
    accounts = MemoryAccounts()
    ways: Any = {"group_claim": "groups", "group_roles": {"staff": "member"}}
    async with an_entrance(tmp_path, accounts=accounts, people=memory_people(accounts), **ways) as entrance:
        mina = await entrance.signed_in(sub="2", email="mina@example.com", groups=["staff", "choir"])
        (user,) = await accounts.list_users()
        await accounts.change_user(user.id, UserChanges(groups=("gone",)))
        async with entrance.site.client.get("/api/account/export", headers=mina) as answer:
            file = zipfile.ZipFile(io.BytesIO(await answer.read()))
    account = json.loads(file.read("account.json"))
    assert (account["groups"], account["claimed"]) == (["(removed)"], ["staff"])


async def test_nothing_more_is_made_for_whoever_leaves_during_a_download() -> None:
    ended = asyncio.Event()

    async def pieces() -> AsyncGenerator[bytes, None]:
        try:
            while True:
                yield b"x" * 100_000
        finally:
            ended.set()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        with contextlib.suppress(ClientLeftError):
            await Download(pieces(), name="all", kind="application/zip")(scope, receive, send)

    async with listening(app) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nhost: here\r\n\r\n")
        assert b"200" in await reader.readline()
        assert not ended.is_set()
        writer.close()
        await asyncio.wait_for(ended.wait(), 5)
