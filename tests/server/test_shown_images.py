"""Images over HTTP: sent with a question, shown again, refused with a sentence, seen by nobody else."""

import asyncio
import base64
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cores import Core
from images import GIF, JPEG, PNG, WEBP, large, sent
from server.serving import Json, Site, asked, serving, text_of

from daehwa.conversation.ids import new_id
from daehwa.providers.scripted import ScriptedProvider
from daehwa.server.options import Limits


def showing(*parts: Json, text: str = "What is it?", **more: Any) -> Json:
    body = asked(text, **more)
    words = [{"type": "text", "text": text}] if text else []
    body["message"]["parts"] = [*words, *parts]
    return body


def path_of(body: Json, image: str) -> str:
    return f"/api/conversations/{body['conversation']}/images/{image}"


@pytest.fixture
async def blind(tmp_path: Path) -> AsyncIterator[Site]:
    """A site whose model sees no images."""
    core = Core(ScriptedProvider())
    core.catalogue.model = msgspec.structs.replace(core.catalogue.model, sees_images=False)
    async with serving(core, tmp_path) as made:
        yield made


@pytest.mark.parametrize(
    ("data", "kind"), [(PNG, "image/png"), (JPEG, "image/jpeg"), (WEBP, "image/webp"), (GIF, "image/gif")]
)
async def test_an_image_is_asked_about_and_shown_again(site: Site, data: bytes, kind: str) -> None:
    part = sent(data)
    body = showing(part)
    assert text_of(await site.turn(body)) == "You said: What is it?\nI see 1 image."
    _, opened = await site.call("GET", f"/api/conversations/{body['conversation']}")
    assert opened["messages"][0]["parts"] == [
        {
            "type": "image",
            "image": part["image"],
            "media_type": kind,
            "size": len(data),
            "width": 640,
            "height": 480,
        },
        {"type": "text", "text": "What is it?"},
    ]
    async with site.client.get(path_of(body, part["image"])) as answer:
        assert (answer.status, await answer.read()) == (200, data)
        assert answer.headers.getall("content-type") == [kind]
        assert answer.headers.getall("cache-control") == ["private, max-age=31536000, immutable"]
        assert answer.headers.getall("vary") == ["cookie"]
        assert answer.headers.getall("content-security-policy") == ["default-src 'none'; sandbox"]
        assert answer.headers.getall("content-disposition") == ["inline"]
        assert answer.headers.getall("x-content-type-options") == ["nosniff"]
        assert answer.headers.getall("cross-origin-resource-policy") == ["same-origin"]
    async with site.client.head(path_of(body, part["image"])) as answer:
        assert (answer.status, answer.headers["content-length"]) == (200, str(len(data)))


async def test_a_question_may_show_something_and_say_nothing(site: Site) -> None:
    body = showing(sent(), sent(GIF), text="")
    assert text_of(await site.turn(body)) == "You said nothing.\nI see 2 images."
    _, listed = await site.call("GET", "/api/conversations")
    assert [each["title"] for each in listed["conversations"]] == ["Image"]
    _, opened = await site.call("GET", f"/api/conversations/{body['conversation']}")
    assert [part["type"] for part in opened["messages"][0]["parts"]] == ["image", "image"]


async def test_the_same_turn_again_asks_once_and_stores_once(site: Site) -> None:
    body = showing(sent(JPEG))
    streams = await asyncio.gather(*(site.turn(body) for _ in range(5)))
    assert {text_of(stream) for stream in streams} == {"You said: What is it?\nI see 1 image."}
    assert len(site.core.provider.calls) == 1
    records = [record async for record in site.core.store.export_conversations("me")]
    assert [len(record.images) for record in records] == [1]


async def test_an_edited_question_and_a_further_answer_keep_their_images(site: Site) -> None:
    part = sent(JPEG)
    first = showing(part)
    await site.turn(first)
    edited = showing(sent(None, image=part["image"]), text="And so?", conversation=first["conversation"])
    assert text_of(await site.turn(edited)) == "You said: And so?\nI see 1 image."
    again = {"conversation": first["conversation"], "reply": new_id(), "parent": first["message"]["id"]}
    assert text_of(await site.turn(again)) == "You said: What is it?\nI see 1 image."
    assert [image.data for each in site.core.provider.requests for image in each.images.values()] == [JPEG] * 3


async def test_a_question_may_be_as_long_and_its_images_as_large_as_the_page_is_told(site: Site) -> None:
    limits = (await site.call("GET", "/api/me"))[1]["limits"]
    assert (limits["images"], limits["image_bytes"]) == (8, 4_000_000)
    each = limits["image_bytes"] // limits["images"]
    body = showing(*(sent(large(each)) for _ in range(limits["images"])), text="가" * limits["message_characters"])
    assert len(json.dumps(body, ensure_ascii=False).encode()) <= limits["turn_bytes"]
    assert text_of(await site.turn(body)).endswith("I see 8 images.")


_TWICE = sent()
_REFUSED: list[tuple[list[Json], int, str, str]] = [
    ([sent() for _ in range(9)], 413, "too_large", "Take some out."),
    ([sent(large(2_000_001)), sent(large(2_000_000))], 413, "too_large", "Make them smaller"),
    ([sent(b"<svg xmlns='http://www.w3.org/2000/svg'/>")], 400, "no_image", "Give one of these."),
    ([sent(b"")], 400, "no_image", "Give one of these."),
    ([_TWICE, _TWICE], 400, "invalid_request", "Give each an id of its own."),
    ([sent(None)], 404, "image_not_found", "There is no such image"),
    ([{**sent(), "image": "cat"}], 400, "invalid_id", "UUID version 7"),
    ([{**sent(), "data": "no base64!"}], 400, "invalid_request", "base64"),
    ([{**sent(), "width": 0}], 400, "invalid_request", ">= 1"),
    ([{**sent(), "height": 100_001}], 400, "invalid_request", "<= 100000"),
    ([{**sent(), "width": "wide"}], 400, "invalid_request", "int"),
    ([{**sent(), "media_type": "image/png"}], 400, "invalid_request", "media_type"),
    ([{"type": "video", "image": new_id()}], 400, "invalid_request", "video"),
]


@pytest.mark.parametrize(("parts", "status", "type_", "words"), _REFUSED)
async def test_what_cannot_be_shown_is_refused_in_a_sentence(
    site: Site, parts: list[Json], status: int, type_: str, words: str
) -> None:
    found, answer = await site.call("POST", "/api/turns", showing(*parts))
    error = answer["error"]
    assert (found, error["type"]) == (status, type_)
    assert error["param"].startswith("message.parts")
    assert words in error["message"]
    assert error["message"].endswith(".")
    assert (await site.call("GET", "/api/conversations"))[1]["conversations"] == []
    assert site.core.provider.calls == []


async def test_nothing_to_ask_is_still_nothing(site: Site) -> None:
    for body in (showing(text=""), showing(text="  \n")):
        assert await site.refused("POST", "/api/turns", body) == (400, "invalid_request", "message.parts")


async def test_a_model_that_sees_none_is_not_asked(blind: Site) -> None:
    body = showing(sent())
    status, answer = await blind.call("POST", "/api/turns", body)
    assert (status, answer["error"]["type"], answer["error"]["param"]) == (400, "images_not_seen", "model")
    assert answer["error"]["message"].startswith("parrot sees no images. Choose another model")
    assert (await blind.call("GET", "/api/conversations"))[1]["conversations"] == []
    models = (await blind.call("GET", "/api/models"))[1]["models"]
    assert [model["sees_images"] for model in models] == [False]


async def test_a_turn_that_is_too_long_is_refused_by_its_own_limit(tmp_path: Path) -> None:
    async with serving(Core(), tmp_path, limits=Limits(body_bytes=2_000, turn_bytes=20_000)) as site:
        assert text_of(await site.turn(showing(sent(large(10_000))))).endswith("I see 1 image.")
        refused = await site.refused("POST", "/api/turns", showing(sent(large(20_000))))
        assert refused == (413, "too_large", None)


async def test_an_image_that_is_not_there(site: Site) -> None:
    part = sent()
    body = showing(part)
    await site.turn(body)
    other = asked("Something else")
    await site.turn(other)
    assert await site.refused("GET", path_of(body, new_id())) == (404, "image_not_found", "image")
    assert await site.refused("GET", path_of(other, part["image"])) == (404, "image_not_found", "image")
    elsewhere = path_of({"conversation": new_id()}, part["image"])
    assert await site.refused("GET", elsewhere) == (404, "conversation_not_found", "conversation")
    assert await site.refused("GET", path_of(body, "cat")) == (400, "invalid_id", "image")
    assert await site.refused("GET", path_of({"conversation": "x"}, part["image"])) == (
        *(400, "invalid_id", "conversation"),
    )
    async with site.client.get(path_of(body, new_id())) as answer:
        assert answer.headers["cache-control"] == "no-store"
    await site.call("DELETE", f"/api/conversations/{body['conversation']}")
    assert (await site.refused("GET", path_of(body, part["image"])))[0] == 404
    await site.call("POST", f"/api/conversations/{body['conversation']}/restore")
    async with site.client.get(path_of(body, part["image"])) as answer:
        assert (answer.status, await answer.read()) == (200, PNG)


async def test_the_log_does_not_say_which_image_is_looked_at(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    part = sent()
    body = showing(part)
    with caplog.at_level(logging.INFO, "daehwa.access"):
        await site.turn(body)
        async with site.client.get(path_of(body, part["image"])) as answer:
            await answer.read()
    assert f"/api/conversations/{body['conversation']}/images/- 200" in caplog.text
    assert part["image"] not in caplog.text


async def test_what_is_taken_along_has_the_images_and_brings_them_back(site: Site, tmp_path: Path) -> None:
    part = sent(JPEG)
    body = showing(part)
    await site.turn(body)
    (record,) = [record async for record in site.core.store.export_conversations("me")]
    line = json.loads(msgspec.json.encode({"record": record}))
    assert [base64.b64decode(image["data"]) for image in line["record"]["images"]] == [JPEG]
    async with serving(Core(), tmp_path) as other:
        status, brought = await other.call("POST", "/api/conversations/import", {"conversations": [line]})
        assert (status, brought["added"], brought["left_out"]) == (200, 1, [])
        async with other.client.get(path_of(body, part["image"])) as answer:
            assert (answer.status, await answer.read()) == (200, JPEG)


async def test_parts_that_say_nothing_are_not_kept(site: Site) -> None:
    body = showing(sent(), text="x")
    body["message"]["parts"] += [{"type": "text", "text": ""}] * 1_000
    await site.turn(body)
    _, opened = await site.call("GET", f"/api/conversations/{body['conversation']}")
    assert [part["type"] for part in opened["messages"][0]["parts"]] == ["image", "text"]
