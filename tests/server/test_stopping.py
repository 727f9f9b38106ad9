"""What is under way for somebody ends with their right to it: turns in the page, and calls of their programs."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from books import some_books
from cores import Core
from gateway.bed import Bed
from msgspec.structs import replace
from server.front_door import PASSWORD, Browser, FrontDoor, a_front_door
from server.serving import asked, frames_of

from daehwa.conversation.events import TextDelta
from daehwa.gateway.scripted import ScriptedAnswer
from daehwa.providers.scripted import ScriptedProvider
from daehwa.stores.memory_people import memory_people

pytestmark = pytest.mark.both_loops

CHAT: dict[str, Any] = {"model": "parrot", "messages": [{"role": "user", "content": "Hi"}]}
CHUNK = b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'


class Play:
    """A site with an admin and two members whose programs hold streams that would never end."""

    def __init__(self, bed: Bed, door: FrontDoor, boss: Browser) -> None:
        self.bed = bed
        self.door = door
        self.boss = boss
        self.asked = asyncio.Semaphore(0)
        self.is_silent = False
        bed.models.all[0].script = self._script

    def _script(self, _request: object) -> ScriptedAnswer:
        self.asked.release()
        if self.is_silent:
            return ScriptedAnswer([asyncio.Event()])
        return ScriptedAnswer([CHUNK, asyncio.Event()], headers={"content-type": "text/event-stream"})

    async def member(self, login: str) -> tuple[Browser, str]:
        """Return somebody's browser and the path under which admins find them."""
        browser = await self.door.member(login)
        return browser, f"/api/people/{(await browser.call('GET', '/api/me'))[1]['user']['id']}"

    async def key(self, browser: Browser) -> tuple[str, str]:
        """Return a new key's id and its text."""
        made = (await browser.call("POST", "/api/keys", {"name": "mine"}))[1]
        return made["key"]["id"], made["secret"]

    async def stream(self, secret: str) -> aiohttp.ClientResponse:
        """Begin a stream; it has begun."""
        headers = {"authorization": f"Bearer {secret}"}
        answer = await self.door.site.client.post(
            "/v1/chat/completions", json={**CHAT, "stream": True}, headers=headers
        )
        assert await answer.content.readuntil(b"\n\n") == CHUNK
        return answer


@pytest.fixture
async def play(tmp_path: Path) -> AsyncIterator[Play]:
    bed = Bed()
    books = replace(some_books(accounts=bed.accounts), keys=bed.keys)
    core = Core(ScriptedProvider([(TextDelta("A begun answer"),), 60.0]))
    more: Any = {"people": memory_people(bed.accounts), "books": books, "core": core}
    async with a_front_door(tmp_path, programs=bed.programs(owner=None), **more) as door:
        yield Play(bed, door, await door.admin())


async def told(answer: aiohttp.ClientResponse) -> str:
    """Return the code that a stream ends with."""
    text = await asyncio.wait_for(answer.text(), 5)
    assert text.startswith("data: ")
    code: str = json.loads(text.removeprefix("data: "))["error"]["code"]
    return code


async def goes_on(play: Play, answer: aiohttp.ClientResponse) -> bool:
    """Whether nothing was said in this stream meanwhile."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(answer.content.readany(), 0.2)
        return False
    return not play.bed.models.all[0].answers[-1].is_closed


async def test_calls_of_whoever_is_disabled_end_and_are_counted(play: Play) -> None:
    mina, path = await play.member("mina")
    jun, _ = await play.member("jun")
    (_, secret), (_, other) = await play.key(mina), await play.key(jun)
    stream, stays = await play.stream(secret), await play.stream(other)
    assert (await play.boss.call("PATCH", path, {"name": "Mina"}))[0] == 200
    assert not play.bed.meter.outcomes, "another change ends nothing"
    assert (await play.boss.call("PATCH", path, {"disabled": True}))[0] == 200
    assert await told(stream) == "account_disabled"
    (outcome,) = play.bed.meter.outcomes
    assert outcome.usage is not None
    assert outcome.usage.output == 1, "what came is counted"
    assert play.bed.models.all[0].answers[0].is_closed
    assert await goes_on(play, stays)
    stays.close()


async def test_an_answer_that_has_not_begun_is_refused(play: Play) -> None:
    mina, path = await play.member("mina")
    _, secret = await play.key(mina)
    play.is_silent = True
    headers = {"authorization": f"Bearer {secret}"}
    call = asyncio.create_task(play.door.site.client.post("/v1/chat/completions", json=CHAT, headers=headers))
    await play.asked.acquire()
    assert (await play.boss.call("PATCH", path, {"disabled": True}))[0] == 200
    answer = await asyncio.wait_for(call, 5)
    assert (answer.status, (await answer.json())["error"]["code"]) == (403, "account_disabled")
    assert len(play.bed.meter.outcomes) == 1


@pytest.mark.parametrize("by", ["their owner", "an admin"])
async def test_calls_with_a_revoked_key_end_and_no_others(play: Play, by: str) -> None:
    mina, _ = await play.member("mina")
    (key, secret), (_, other) = await play.key(mina), await play.key(mina)
    stream, stays = await play.stream(secret), await play.stream(other)
    assert (await (mina if by == "their owner" else play.boss).call("DELETE", f"/api/keys/{key}"))[0] == 200
    assert await told(stream) == "key_revoked"
    assert len(play.bed.meter.outcomes) == 1
    assert await goes_on(play, stays)
    stays.close()


async def test_calls_of_whoever_is_deleted_end(play: Play) -> None:
    mina, _ = await play.member("mina")
    stream = await play.stream((await play.key(mina))[1])
    assert (await mina.call("DELETE", "/api/account", {"password": PASSWORD}))[0] == 204
    assert await told(stream) == "account_disabled"


async def test_what_is_being_written_for_whoever_is_disabled_is_stopped(play: Play) -> None:
    mina, path = await play.member("mina")
    cookie = "; ".join(f"{name}={value}" for name, value in mina.cookies.items())
    headers = {"cookie": cookie, "content-type": "application/json", **mina.headers}
    client = play.door.site.client
    async with client.post("/api/turns", data=json.dumps(asked()), headers=headers) as stream:
        begun = await stream.content.readuntil(b"A begun answer")
        assert (await play.boss.call("PATCH", path, {"disabled": True}))[0] == 200
        assert len(play.door.site.core.running) == 0
        rest = await asyncio.wait_for(stream.text(), 5)
    end = frames_of(begun.decode() + rest)[-1]
    assert (end.event, end.data["status"]) == ("done", "stopped")
