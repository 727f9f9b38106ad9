"""Conversations that people bring by the page, over HTTP and in every store: for themselves alone, found by search."""

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cores import Core
from images import PLACE, told_jpeg
from server.front_door import Browser, FrontDoor, a_front_door
from server.serving import text_of
from stores.houses import HOUSES
from transfer.foreign import chatgpt, claude, librechat, node, open_webui, research, simple, with_images

from daehwa.conversation.ids import new_id, now_ms
from daehwa.providers.scripted import ScriptedProvider, echo
from daehwa.server.api.bringing import MOST_BROUGHT

PATH = "/api/conversations/import"


@pytest.fixture(params=list(HOUSES))
async def door(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[FrontDoor]:
    (tmp_path / "house").mkdir()
    async with HOUSES[request.param](tmp_path / "house") as house:
        core = Core(ScriptedProvider(echo), store=house.store)
        more: Any = {"core": core}
        async with a_front_door(tmp_path, people=house.people, **more) as made:
            yield made


async def bring(browser: Browser, *conversations: object) -> dict[str, Any]:
    status, answer = await browser.call("POST", PATH, {"conversations": list(conversations)})
    assert status == 200, answer
    assert isinstance(answer, dict)
    return answer


async def listed(browser: Browser, query: str = "") -> list[dict[str, Any]]:
    _, answer = await browser.call("GET", f"/api/conversations?query={query}")
    found: list[dict[str, Any]] = [hit["conversation"] for hit in answer["hits"]] if query else answer["conversations"]
    return found


async def test_each_product_comes_for_whoever_brings_it_and_is_found(door: FrontDoor) -> None:
    await door.admin()
    mina, other = await door.member(), await door.member("bob")
    first = await bring(mina, research(), claude(), open_webui(), librechat(), simple("s", question="zanzibar 나무"))
    assert (first["added"], first["left_out"]) == (5, [])
    assert first["not_brought"] == {"image": 3, "file": 2, "tool_result": 2, "citation": 1, "instructions": 1}
    again = await bring(mina, research(), claude(), open_webui(), librechat())
    assert (again["added"], again["same"]) == (0, 4)
    titles = [conversation["title"] for conversation in await listed(mina)]
    assert titles == ["Weather", "About s", "On trees", "Libre"], "pinned first, then the newest; archived ones apart"
    for word in ("zanzibar", "나무", "trunk"):
        [found] = await listed(mina, word)
        assert found["title_source"] == "user"
    assert await listed(other) == []
    assert await listed(other, "zanzibar") == []
    theirs = await bring(other, simple("s"))
    assert theirs["added"] == 1, "nobody keeps another from bringing the same"
    [opened] = await listed(mina, "zanzibar")
    _, conversation = await mina.call("GET", f"/api/conversations/{opened['id']}")
    assert [message["usage"] for message in conversation["messages"]] == [None, None]
    assert await other.refused("GET", f"/api/conversations/{opened['id']}") == (404, "conversation_not_found")


async def test_images_come_with_their_questions_for_whoever_brings_them(door: FrontDoor) -> None:
    await door.admin()
    mina, other = await door.member(), await door.member("bob")
    value = with_images(
        "x", "file-service://file-1", "sediment://file_2", images={"file-1": base64.b64encode(told_jpeg()).decode()}
    )
    first = await bring(mina, value)
    assert (first["added"], first["images"], first["not_brought"]) == (1, 1, {"image": 1})
    again = await bring(mina, value)
    assert (again["same"], again["images"]) == (1, 0), "what is here does not come once more"
    [opened] = await listed(mina)
    _, conversation = await mina.call("GET", f"/api/conversations/{opened['id']}")
    image, text = conversation["messages"][0]["parts"]
    assert text == {"type": "text", "text": "[Image not brought along]\n\nWhat is this?"}
    assert (image["type"], image["media_type"], image["width"], image["height"]) == ("image", "image/jpeg", 1, 1)
    path = f"/api/conversations/{opened['id']}/images/{image['image']}"
    cookie = "; ".join(f"{name}={value}" for name, value in mina.cookies.items())
    async with door.site.client.get(path, headers={**mina.headers, "cookie": cookie}) as answer:
        data = await answer.read()
        assert (answer.status, answer.content_type, len(data)) == (200, "image/jpeg", image["size"])
    assert PLACE not in data
    assert await other.refused("GET", path) == (404, "conversation_not_found")
    turn = {"conversation": opened["id"], "reply": new_id(), "parent": conversation["messages"][0]["id"]}
    events = await door.site.turn(turn, cookie=cookie, **mina.headers)
    assert text_of(events).endswith("I see 1 image."), "the model is shown it"


async def test_what_is_brought_can_be_gone_on_with(door: FrontDoor) -> None:
    await door.admin()
    mina = await door.member()
    await bring(mina, chatgpt("x", [node("q", None, "user", "Unanswered?")]))
    [opened] = await listed(mina)
    _, conversation = await mina.call("GET", f"/api/conversations/{opened['id']}")
    question, unanswered = conversation["messages"]
    assert opened["leaf"] == unanswered["id"]
    turn = {"conversation": opened["id"], "reply": new_id(), "parent": question["id"]}
    cookie = "; ".join(f"{name}={value}" for name, value in mina.cookies.items())
    events = await door.site.turn(turn, cookie=cookie, **mina.headers)
    assert "Unanswered?" in json.dumps([str(event) for event in events], ensure_ascii=False)


async def test_guests_bring_nothing_and_strange_bodies_are_refused(door: FrontDoor) -> None:
    await door.admin()
    gus = door.browser()
    await gus.accept(await door.invite("guest", email="gus@example.com"), name="Gus")
    assert await gus.refused("POST", PATH, {"conversations": [simple("a")]}) == (403, "not_allowed")
    mina = await door.member()
    too_many: object = {"conversations": [{}] * (MOST_BROUGHT + 1)}
    bodies: tuple[object, ...] = ({}, {"conversations": []}, {"conversations": {}}, too_many, [])
    for body in bodies:
        assert (await mina.refused("POST", PATH, body))[0] == 400
    strange = await bring(mina, 7, None, "text", {"title": "What"}, [], {"chat_messages": []})
    assert (strange["added"], strange["empty"], len(strange["left_out"])) == (0, 1, 4)
    assert strange["left_out"][-1]["title"] == "What"


def own(record: dict[str, Any]) -> dict[str, Any]:
    return {"type": "conversation", "record": record}


def a_record(**more: Any) -> dict[str, Any]:
    """A record of our own export with one question."""
    conversation, question = new_id(), new_id()
    message = {"id": question, "conversation": conversation, "parent": None, "role": "user", "created": 5}
    return {
        "conversation": {
            "id": conversation,
            "owner": "somebody",
            "title": "Mine",
            "leaf": question,
            "created": 5,
            "updated": 6,
            **more,
        },
        "messages": [{**message, "parts": [{"type": "text", "text": "Canary"}]}],
    }


async def test_lines_of_our_own_export_come_as_ones_own_and_take_nobodys_place(door: FrontDoor) -> None:
    await door.admin()
    mina, other = await door.member(), await door.member("bob")
    record = a_record()
    assert (await bring(mina, own(record)))["added"] == 1
    stolen = await bring(other, own({**record, "conversation": {**record["conversation"], "title": "Stolen"}}))
    assert (stolen["added"], len(stolen["left_out"])) == (0, 1)
    assert "somebody else" in stolen["left_out"][0]["reason"]
    message = {**record["messages"][0], "conversation": new_id()}
    elsewhere = {**a_record(), "messages": [message]}
    elsewhere["conversation"].update(id=message["conversation"], leaf=message["id"])
    taken = await bring(other, own(elsewhere))
    assert (taken["added"], len(taken["left_out"])) == (0, 1)
    assert await listed(other) == []
    assert [found["title"] for found in await listed(mina, "Canary")] == ["Mine"]


async def test_several_that_stand_in_one_are_counted_each(door: FrontDoor) -> None:
    await door.admin()
    mina = await door.member()
    some = [simple(f"s{number}") for number in range(MOST_BROUGHT + 5)]
    answer = await bring(mina, {"conversations": some})
    assert answer["added"] == MOST_BROUGHT
    [left_out] = answer["left_out"]
    assert "was not read" in left_out["reason"]
    nothings = await bring(mina, [{}] * 100_000, {"conversations": [0] * 100_000})
    assert len(nothings["left_out"]) == MOST_BROUGHT + 1, "an answer is no longer than a request may make it"


async def test_no_time_of_the_future_and_no_endless_title_comes_in(door: FrontDoor) -> None:
    await door.admin()
    mina = await door.member()
    far = 2**52
    assert (await bring(mina, own(a_record(updated=far, created=far, title="x" * 5_000))))["added"] == 1
    [found] = await listed(mina)
    assert found["updated"] <= now_ms() + 90_000_000
    assert len(found["title"]) == 200
    odd = a_record()
    odd["messages"][0]["position"] = 2**60
    assert len((await bring(mina, own(odd)))["left_out"]) == 1


async def test_what_would_be_deleted_for_its_age_is_left_out_by_name(door: FrontDoor) -> None:
    boss = await door.admin()
    await boss.call("PATCH", "/api/installation", {"retention_days": 30})
    found = await bring(boss, claude())
    assert found["added"] == 0
    [left_out] = found["left_out"]
    assert left_out["title"] == "On trees"
    assert "deleted here at once" in left_out["reason"]
