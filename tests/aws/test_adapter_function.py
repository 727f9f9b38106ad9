"""The deployed package behind the real adapter: answers, and turns through all that Lambda does to processes."""

import asyncio
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
from aws.home import COOKIE, OPENAI_KEY, PUBLIC_URL, AwsHome, arrived, continuing, read
from images import PNG, sent
from lambda_bed.edge import Edge
from lambda_bed.errors import Failed
from lambda_bed.events import EVENT_BYTES, event, request
from lambda_bed.gateway import ApiGateway
from server.serving import Frame, Json, asked, text_of
from upstream import gated, stream

from daehwa.conversation.ids import new_id, now_ms
from daehwa.conversation.messages import Message, TextPart
from daehwa.conversation.ports import Checkpoint

pytestmark = [pytest.mark.lambda_adapter, pytest.mark.asyncio(loop_scope="session")]

MOST_MEMORY_MB = 90
STALE_MS = 31_000
MISSING_SECONDS = 2.1
"""Longer than it is believed that there is no key."""
KEPT_SECONDS = 6
"""Longer than the adapter keeps connections (4 s) and uvicorn by itself would (5 s)."""


def said(message: Message) -> str:
    return "".join(part.text for part in message.parts if isinstance(part, TextPart))


def end_of(frames: Sequence[Frame]) -> Json:
    """Return how a turn ended; its title may come after that."""
    [end] = [frame for frame in frames if frame.event in {"done", "error"}]
    data: Json = end.data
    return data


async def checkpointed(home: AwsHome, reply: str) -> None:
    """Wait until some of a growing reply is in the table."""
    for _ in range(100):
        if said(await home.stored(reply)):
            return
        await asyncio.sleep(0.1)
    raise AssertionError("no checkpoint came")


async def test_answers_that_do_not_stream_have_their_status_and_their_json(home: AwsHome) -> None:
    assert (await home.call("GET", "/healthz"))[0] == 200
    status, me = await home.call("GET", "/api/me")
    assert (status, me["home"]) == (200, "aws")
    status, answer = await home.call("GET", f"/api/conversations/{new_id()}")
    assert (status, answer["error"]["type"]) == (404, "conversation_not_found")
    assert (await home.call("POST", "/api/turns", {"no": "turn"}))[0] == 400
    limits = me["limits"]
    assert limits["body_bytes"] * 4 / 3 < EVENT_BYTES - 100_000, "as base64 in an event, with room for the headers"
    status, answer = await home.call("POST", "/api/conversations/import", {"long": "a" * limits["body_bytes"]})
    assert (status, answer["error"]["type"]) == (413, "too_large")
    assert answer["error"]["message"] == "The request is too long: at most 4,500,000 bytes are accepted."
    status, answer = await home.call("POST", "/api/turns", {"long": "a" * limits["turn_bytes"]})
    assert (status, answer["error"]["type"]) == (413, "too_large")
    assert answer["error"]["message"] == "The request is too long: at most 6,200,000 bytes are accepted."
    assert (await home.call("PUT", "/api/me"))[0] == 405
    invocation = await home.invoke("HEAD", "/healthz")
    assert ((await invocation.metadata()).status, await invocation.body()) == (200, b"")


async def test_the_largest_images_fit_into_an_event_and_come_back_as_they_were(home: AwsHome) -> None:
    home.model.says(stream("Eight of them."))
    images = [os.urandom(500_000 - len(PNG)) for _ in range(8)]
    parts = [sent(PNG + noise) for noise in images]
    body = asked('\u00e9"\\' * 20_000)
    body["message"]["parts"] += parts
    assert len(event(request("POST", "/api/turns", body))) < EVENT_BYTES
    frames = await read(await home.begin(body))
    assert (text_of(frames), end_of(frames)["status"]) == ("Eight of them.", "complete")
    path = f"/api/conversations/{body['conversation']}/images/{parts[3]['image']}"
    invocation = await home.invoke("GET", path)
    told = await invocation.metadata()
    assert (told.status, await invocation.body()) == (200, PNG + images[3])


async def test_other_sites_are_refused(home: AwsHome) -> None:
    elsewhere = {"sec_fetch_site": "cross-site", "origin": "https://evil.invalid"}
    status, answer = await home.call("POST", "/api/turns", asked(), headers=elsewhere)
    assert (status, answer["error"]["type"]) == (403, "cross_site_request")


async def test_a_turn_streams_as_it_is_made_and_all_is_stored_at_its_last_byte(home: AwsHome) -> None:
    steps, gates = gated("하나 ", "둘 ", "셋.")
    home.model.says(steps)
    body = asked("Count in Korean")
    turn = await home.begin(body)
    for piece, gate in zip(("하나 ", "둘 "), gates, strict=True):
        await arrived(turn, piece)
        gate.set()
    frames = await read(turn)
    assert home.frozen()
    assert (text_of(frames), end_of(frames)["status"]) == ("하나 둘 셋.", "complete")
    stored = await home.stored(body["reply"])
    assert (stored.status, said(stored)) == ("complete", "하나 둘 셋.")
    conversation, _ = await home.store.get_conversation(home.owner, body["conversation"])
    assert conversation.title == home.model.title


async def test_a_turn_is_stopped_from_another_environment(home: AwsHome) -> None:
    steps, _ = gated("one ", "two.")
    home.model.says(steps)
    body = asked()
    turn = await home.begin(body)
    await arrived(turn, "one ")
    upstream = await home.model.question()
    status, _ = await home.call("POST", f"/api/turns/{body['reply']}/stop")
    assert status == 200
    frames = await read(turn)
    assert end_of(frames)["status"] == "stopped"
    await asyncio.wait_for(upstream.closed.wait(), 5)
    stored = await home.stored(body["reply"])
    assert (stored.status, said(stored)) == ("stopped", "one ")


async def test_a_turn_is_followed_from_another_environment(home: AwsHome) -> None:
    steps, gates = gated("one ", "two.")
    home.model.says(steps)
    body = asked()
    growing = await home.begin(body)
    await arrived(growing, "one ")
    following = await home.follow(body["reply"])
    await arrived(following, "one ")
    gates[0].set()
    frames = await read(following)
    assert (text_of(frames), end_of(frames)["status"]) == ("one two.", "complete")
    assert text_of(await read(growing)) == "one two."


async def test_before_the_deadline_a_turn_ends_itself_and_can_be_continued(home: AwsHome) -> None:
    steps, _ = gated("The beginning ", "never comes.")
    home.model.says(steps, stream("and the end."))
    body = asked()
    turn = await home.begin(body, seconds=8)
    frames = await read(turn)
    assert time.monotonic() - turn.began < 7, "some time is left to end in"
    assert end_of(frames)["status"] == "interrupted"
    assert (await home.stored(body["reply"])).status == "interrupted"
    frames = await home.turn(continuing(body, new_id()))
    assert (text_of(frames), end_of(frames)["status"]) == ("and the end.", "complete")


async def test_before_the_deadline_a_programs_call_ends_itself_and_is_counted(home: AwsHome) -> None:
    steps, _ = gated("The beginning ", "never comes.")
    home.model.says(steps)
    _, made = await home.call("POST", "/api/keys", {"name": "program"})
    program = {"authorization": f"Bearer {made['secret']}", "cookie": ""}
    body = {"messages": [{"role": "user", "content": "Hi"}], "stream": True}
    call = await home.invoke("POST", "/v1/chat/completions", body, headers=program, seconds=8)
    said = (await call.body()).decode()
    assert time.monotonic() - call.began < 7, "some time is left to end in"
    assert "The beginning " in said
    assert said.endswith('"code":"time_is_up"}}\n\n')
    _, used = await home.call("GET", "/api/usage")
    assert [(row["calls"], row["estimated"]) for row in used["rows"] if row["key"] == made["key"]["id"]] == [(1, 1)]


async def test_a_turn_that_was_killed_counts_as_interrupted_and_can_be_continued(home: AwsHome) -> None:
    steps, _ = gated("The beginning ", "never comes.")
    home.model.says(steps, stream("and the end."))
    body = asked()
    turn = await home.begin(body)
    await arrived(turn, "The beginning ")
    await checkpointed(home, body["reply"])
    [busy] = [environment for environment in home.function.environments if environment.alive and environment.busy]
    await busy.kill()
    with pytest.raises(Failed):
        await read(turn)
    left = await home.stored(body["reply"])
    assert left.status == "streaming"
    # Half a minute later, nobody having heard of it.
    aged = Checkpoint(
        reply=left.id,
        conversation=left.conversation,
        parts=None,
        position=left.position,
        heartbeat=now_ms() - STALE_MS,
    )
    await home.store.save_checkpoints([aged])
    frames = await read(await home.follow(body["reply"]))
    assert end_of(frames)["status"] == "interrupted"
    frames = await home.turn(continuing(body, new_id()))
    assert (text_of(frames), end_of(frames)["status"]) == ("and the end.", "complete")


async def test_after_a_long_freeze_with_every_connection_gone_the_next_turn_works(home: AwsHome) -> None:
    home.model.says("before", "after")
    await home.turn(asked())
    assert home.frozen()
    for connection in tuple(home.model.upstream._tasks):
        connection.cancel()
    await asyncio.sleep(KEPT_SECONDS)
    frames = await home.turn(asked())
    assert (text_of(frames), end_of(frames)["status"]) == ("after", "complete")


async def test_what_was_asked_is_found_by_its_words(home: AwsHome) -> None:
    home.model.says("맑음 그리고 바람.")
    body = asked("오늘 날씨 & 내일?")
    await home.turn(body)
    status, found = await home.call("GET", "/api/conversations?query=%EB%82%A0%EC%94%A8%20%26")
    assert status == 200
    assert [hit["conversation"]["id"] for hit in found["hits"]] == [body["conversation"]]


async def test_one_stream_takes_little_memory_and_the_logs_hold_no_text(home: AwsHome) -> None:
    home.model.says(stream("secretive words " * 200, pace=0.001))
    await home.turn(asked("a most private question"))
    environment = next(each for each in home.function.environments if each.alive)
    memory = environment.memory_mb()
    print("memory at its peak:", memory, "start:", round(environment.init_seconds, 2), "s")  # noqa: T201 - a figure
    assert sum(memory.values()) <= MOST_MEMORY_MB
    for private in ("secretive", "private question", OPENAI_KEY, home.token, "the-key-that-only"):
        assert private not in home.function.said


async def test_signing_in_redirects_twice_and_sets_both_cookies(home: AwsHome) -> None:
    begun = await home.invoke("GET", "/auth/sign-in?return_to=/chat.html", headers={"cookie": "a=1"})
    metadata = await begun.metadata()
    assert (metadata.status, len(metadata.cookies)) == (302, 1)
    async with (
        aiohttp.ClientSession() as browser,
        browser.get(metadata.header("location") or "", allow_redirects=False) as answer,
    ):
        back = urlsplit(answer.headers["location"])
    attempt = metadata.cookies[0].partition(";")[0]
    ended = await home.invoke("GET", f"{back.path}?{back.query}", headers={"cookie": attempt})
    metadata = await ended.metadata()
    assert (metadata.status, metadata.header("location")) == (302, "/chat.html")
    names = sorted(cookie.partition("=")[0] for cookie in metadata.cookies)
    assert names == [COOKIE, f"{COOKIE}-sign-in"]
    session = next(cookie for cookie in metadata.cookies if cookie.startswith(f"{COOKIE}="))
    status, me = await home.call("GET", "/api/me", headers={"cookie": session.partition(";")[0]})
    assert (status, me["user"]["email"]) == (200, "mina@example.com")


async def test_without_a_key_one_is_told_and_with_one_it_goes_on(home: AwsHome) -> None:
    await home.function.retire()
    home.openai.key = None
    body = asked()
    status, answer = await home.call("POST", "/api/turns", body)
    assert (status, answer["error"]["type"]) == (503, "key_not_set")
    home.openai.key = "sk-another"
    await asyncio.sleep(MISSING_SECONDS)
    assert end_of(await home.turn(body))["status"] == "complete"
    request = await home.model.question()
    assert request.headers["authorization"] == "Bearer sk-another"


async def test_an_idle_environment_ends_when_it_is_told_to(home: AwsHome) -> None:
    await home.call("GET", "/healthz")
    codes = await home.function.retire()
    assert codes
    assert set(codes) == {0}


async def test_through_the_edge_a_viewer_who_leaves_changes_nothing(home: AwsHome, tmp_path: Path) -> None:
    steps, gates = gated("one ", "two.")
    home.model.says(steps)
    body = asked()
    headers = {"cookie": f"{COOKIE}={home.token}", "origin": PUBLIC_URL, "sec-fetch-site": "same-origin"}
    async with Edge(ApiGateway(home.function), tmp_path).listening() as edge, aiohttp.ClientSession() as viewer:
        async with viewer.post(f"{edge.address}/api/turns", json=body, headers=headers) as answer:
            assert answer.status == 200
            async for line in answer.content:
                if b"one" in line:
                    break
            answer.close()
        gates[0].set()
        await read(home.function.invocations[-1])
    stored = await home.stored(body["reply"])
    assert (stored.status, said(stored)) == ("complete", "one two.")


async def test_nobody_gets_in_without_a_session(home: AwsHome) -> None:
    invocation = await home.function.invoke(event(request("GET", "/api/conversations")))
    assert (await invocation.metadata()).status == 401
    assert json.loads(await invocation.body())["error"]["type"] == "not_signed_in"
