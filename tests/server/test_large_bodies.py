"""Large bodies have a share of one room: they wait for it, are refused in a sentence, and always give it back."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from cores import Core
from gateway.bed import Bed
from images import large, sent
from real_home import a_real_home
from server.serving import Json, Site, asked, serving

from daehwa.conversation.room import LARGE_BYTES, Room
from daehwa.gateway.scripted import ScriptedAnswer, ScriptedTarget, as_json
from daehwa.server.openai_v1.api import WIRE_LIMITS
from daehwa.server.options import Limits
from daehwa.settings.values import LEAST_LARGE_REQUESTS

ROOM = 3_000_000
IMAGE = 1_000_000
WAIT = 0.3
JSON = {"content-type": "application/json"}


def showing(size: int = IMAGE) -> Json:
    """A question whose body is a third larger than its image."""
    body = asked("What is it?")
    body["message"]["parts"].append(sent(large(size)))
    return body


def chat(size: int = IMAGE // 2) -> Json:
    return {"model": "parrot", "messages": [{"role": "user", "content": "x" * size}]}


@pytest.fixture
def room() -> Room:
    return Room(ROOM, seconds=WAIT)


@pytest.fixture
async def site(tmp_path: Path, room: Room) -> AsyncIterator[Site]:
    async with serving(Core(), tmp_path, room=room) as made:
        yield made


async def is_empty(room: Room) -> None:
    """Wait until nobody holds anything."""
    async with asyncio.timeout(5):
        while room.free < room.size:  # noqa: ASYNC110 - a room tells nobody
            await asyncio.sleep(0.01)


def head(path: str, length: int, *more: str) -> bytes:
    lines = (f"POST {path} HTTP/1.1", "host: localhost", "content-type: application/json", *more)
    return "\r\n".join((*lines, f"content-length: {length}", "", "")).encode()


@asynccontextmanager
async def half_sent(port: int, path: str, body: bytes, *headers: str) -> AsyncIterator[asyncio.StreamWriter]:
    """A connection with the first half of a body."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(head(path, len(body), *headers) + body[: len(body) // 2])
        await asyncio.sleep(0.1)
        yield writer
    finally:
        writer.transport.abort()


async def test_what_finds_no_room_is_told_so_and_can_come_again(site: Site, room: Room) -> None:
    body = json.dumps(showing()).encode()
    async with half_sent(site.port, "/api/turns", body) as slow:
        async with site.client.post("/api/turns", data=BytesIO(json.dumps(showing()).encode()), headers=JSON) as answer:
            said = await answer.json()
            assert (answer.status, said["error"]["type"]) == (503, "too_many_at_once")
            assert answer.headers["retry-after"] == "5"
        assert (await site.call("GET", "/api/me"))[0] == 200, "over the same connection"
        assert await site.turn(asked("Small")), "what is small needs none"
        slow.write(body[len(body) // 2 :])
        await is_empty(room)
    assert await site.turn(showing())


async def test_a_large_body_waits_for_room_unread(site: Site, room: Room) -> None:
    room.seconds = 10
    body = json.dumps(showing()).encode()
    async with half_sent(site.port, "/api/turns", body):
        waiting = asyncio.create_task(site.turn(showing()))
        await asyncio.sleep(0.2)
        assert not waiting.done()
    assert await asyncio.wait_for(waiting, 5), "the slow one has left"
    await is_empty(room)


async def test_who_waits_with_the_body_for_a_word_is_told_at_once(site: Site) -> None:
    body = json.dumps(showing()).encode()
    async with half_sent(site.port, "/api/turns", body):
        said = await site.raw(head("/api/turns", len(body), "expect: 100-continue", "connection: close"))
    assert said.startswith(b"HTTP/1.1 503 "), "and nothing of the body was asked for"


async def test_a_body_of_unknown_length_has_all_that_it_may_grow_to(tmp_path: Path, room: Room) -> None:
    limits = Limits(turn_bytes=2_000_000)
    async with serving(Core(), tmp_path, room=room, limits=limits) as site:
        _, writer = await asyncio.open_connection("127.0.0.1", site.port)
        beginning = head("/api/turns", 0).replace(b"content-length: 0", b"transfer-encoding: chunked")
        body = json.dumps(showing()).encode()
        writer.write(beginning + b"%x\r\n%b\r\n" % (LARGE_BYTES, body[:LARGE_BYTES]))
        await asyncio.sleep(0.2)
        assert room.free == room.size, "so much is small"
        more = body[LARGE_BYTES:-10]
        writer.write(b"%x\r\n%b\r\n" % (len(more), more))
        await asyncio.sleep(0.2)
        assert room.free == room.size - limits.turn_bytes
        writer.write(b"a\r\n%b\r\n0\r\n\r\n" % body[-10:])
        await is_empty(room)
        writer.close()


REFUSED: dict[str, Callable[[], bytes]] = {
    "no JSON": lambda: b"{" * 500_000,
    "no question": lambda: json.dumps({"x": "y" * 500_000}).encode(),
    "no image": lambda: json.dumps(showing()).replace("iVBOR", "AAAAA").encode(),
    "no conversation": lambda: json.dumps({**showing(), "conversation": "x"}).encode(),
    "too much": lambda: b" " * 10_000_001,
}


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED)
async def test_what_is_refused_gives_its_share_back(site: Site, room: Room, body: Callable[[], bytes]) -> None:
    async with site.client.post("/api/turns", data=BytesIO(body()), headers=JSON) as answer:
        assert answer.status in {400, 413}
    assert room.free == room.size


async def test_what_comes_too_slowly_gives_its_share_back(tmp_path: Path, room: Room) -> None:
    async with serving(Core(), tmp_path, room=room, body_seconds=0.4) as site:
        async with half_sent(site.port, "/api/turns", json.dumps(showing()).encode()):
            assert room.free < room.size
            await is_empty(room)
        assert (await site.refused("POST", "/api/turns", {}))[0] == 400


# ---------------------------------------------------------------- people


async def test_slow_bodies_of_one_person_keep_nobody_else_out(tmp_path: Path) -> None:
    """At the sizes that there are: forty halves of 5.3 MB would be three times what there is room for."""
    async with a_real_home(tmp_path) as home:
        admin = await home.door.admin()
        other = home.door.browser()
        await other.accept(await home.door.invite(), login="other")
        body = json.dumps(showing(3_990_000)).encode()
        sent_by = [f"{name}: {text}" for name, text in home.headers(admin).items()]
        opened = [half_sent(home.door.site.port, "/api/turns", body, *sent_by) for _ in range(40)]
        for each in opened:
            await each.__aenter__()
        async with asyncio.timeout(5):
            await home.door.site.turn(showing(3_990_000), **home.headers(other))
        for each in opened:
            await each.__aexit__(None, None, None)


async def test_of_somebody_who_is_not_known_nothing_large_is_held(tmp_path: Path) -> None:
    async with a_real_home(tmp_path) as home:
        rows = [row for row in home.door.site.app.operations if row.is_open and row.method == "POST"]
        assert len(rows) > 10
        for row in rows:
            status, _ = await home.door.browser().call("POST", row.path, {"x": "y" * LARGE_BYTES})
            reads_none = row.path == "/auth/sign-out"
            assert status in ({200} if reads_none else {401, 413}), row.path


# ---------------------------------------------------------------- programs


@pytest.fixture
def bed() -> Bed:
    return Bed()


@pytest.fixture
async def programs(bed: Bed, room: Room, tmp_path: Path) -> AsyncIterator[Site]:
    async with serving(Core(), tmp_path, programs=bed.programs(room=room)) as made:
        yield made


class Held(ScriptedTarget):
    """An upstream whose answer's head comes when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.go_on = asyncio.Event(), asyncio.Event()

    async def send(self, request: Any) -> ScriptedAnswer:
        self.asked.set()
        await self.go_on.wait()
        return await super().send(request)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/chat"])
async def test_a_call_has_its_share_until_it_is_answered(tmp_path: Path, room: Room, path: str) -> None:
    target = Held()
    async with serving(Core(), tmp_path, programs=Bed(target).programs(room=room)) as site:
        body = chat() if path.startswith("/v1") else {"text": "x" * (IMAGE // 2)}
        asking = asyncio.create_task(site.call("POST", path, body))
        await target.asked.wait()
        assert room.free <= room.size - IMAGE // 2
        target.go_on.set()
        assert (await asking)[0] == 200
        assert room.free == room.size


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/chat"])
async def test_a_call_whose_caller_leaves_gives_its_share_back(tmp_path: Path, room: Room, path: str) -> None:
    target = Held()
    async with serving(Core(), tmp_path, programs=Bed(target).programs(room=room)) as site:
        body = json.dumps(chat() if path.startswith("/v1") else {"text": "x" * (IMAGE // 2)}).encode()
        _, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(head(path, len(body)) + body)
        await target.asked.wait()
        writer.transport.abort()
        await is_empty(room)


async def test_calls_that_are_ended_give_their_shares_back(tmp_path: Path, room: Room) -> None:
    target = Held()
    async with serving(Core(), tmp_path, programs=Bed(target).programs(room=room)) as site:
        calls = [asyncio.create_task(site.call("POST", "/v1/chat/completions", chat(900_000))) for _ in range(3)]
        await target.asked.wait()
        await asyncio.sleep(0.1)
        await site.app.aclose()
        assert {status for status, _ in await asyncio.gather(*calls)} == {503}
        await is_empty(room)


async def test_a_call_that_finds_no_room_is_told_so_in_its_dialect(programs: Site, room: Room) -> None:
    with room.share_of("me") as share:
        assert share.take_now(ROOM - IMAGE)
        async with programs.client.post("/v1/chat/completions", json=chat()) as answer:
            said = (await answer.json())["error"]
            assert (answer.status, said["type"], said["code"]) == (503, "server_error", "too_many_at_once")
            assert answer.headers["retry-after"] == "5"
            assert "x-should-retry" not in answer.headers
        assert (await programs.call("POST", "/v1/chat/completions", chat(1000)))[0] == 200
    assert (await programs.call("POST", "/v1/chat/completions", chat()))[0] == 200


async def test_a_call_that_is_refused_gives_its_share_back(programs: Site, bed: Bed, room: Room) -> None:
    bed.models.all[0].script = lambda _request: as_json({"error": {"message": "No."}}, 400)
    for body in (chat(), {**chat(), "model": "none"}, {**chat(), "n": "many"}, {**chat(), "messages": None}):
        assert (await programs.call("POST", "/v1/chat/completions", body))[0] in {200, 400, 404}
        assert room.free == room.size


def test_the_largest_request_fits_into_the_smallest_room() -> None:
    assert max(WIRE_LIMITS.json_bytes, Limits().body_bytes, Limits().turn_bytes) <= LEAST_LARGE_REQUESTS * 1_000_000
