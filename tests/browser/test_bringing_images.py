"""Images of questions that come along with conversations: out of a real ZIP, made small by the page."""

import asyncio
import base64
import json
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from browser.accessibility import faults
from browser.household import Household, Members
from browser.reader import PHONE, Reader, Readers
from browser.shown import PLACE, drawn, moving, tile, turned
from browser.test_bringing import chooses, opened
from browser.test_looks import SMALL_TARGETS, TOO_WIDE
from playwright.async_api import Locator, expect
from transfer.foreign import as_json, chatgpt, node, open_webui, shown, with_images, zipped

from daehwa.conversation.images import QUESTION_IMAGE_BYTES, QUESTION_IMAGES
from daehwa.server.options import Limits

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

NOTE_SENT = """() => {
    window.sent = [];
    const fetched = window.fetch;
    window.fetch = (path, init) => {
        if (path === "/api/conversations/import") window.sent.push(init.body);
        return fetched(path, init);
    };
}"""
RED, BLUE = tile(200, 30, 30), tile(30, 30, 200)
EACH = QUESTION_IMAGE_BYTES // QUESTION_IMAGES


async def photograph(reader: Reader, width: int = 3000, height: int = 2000) -> bytes:
    """A photograph of some megabytes, to be turned by a quarter, with the place where it was taken."""
    return turned(await drawn(reader, width, height, "image/jpeg", noise=True))


def asked_about(name: str, *questions: Sequence[str]) -> dict[str, Any]:
    """A conversation of ChatGPT whose questions show these images, the newest first; answers have one too."""
    nodes: list[dict[str, Any]] = []
    above = None
    for number, pointers in enumerate(questions):
        content = {"content_type": "multimodal_text", "parts": [*map(shown, pointers), f"What is {number}?"]}
        question, answer = f"{name}-q{number}", f"{name}-a{number}"
        drawing = {"content_type": "multimodal_text", "parts": [shown("sediment://file_drawn"), "Here"]}
        nodes.append(node(question, above, "user", content, at=1756000000 + 10 * number))
        nodes.append(node(answer, question, "assistant", drawing, at=1756000005 + 10 * number))
        above = answer
    return chatgpt(name, nodes[::-1], title=f"On {name}", current_node=above)


async def brings(reader: Reader, name: str, content: bytes) -> Locator:
    """Choose a file in the screen, and note what is sent of it; return what tells of it in the end."""
    await opened(reader)
    await reader.page.evaluate(NOTE_SENT)
    await chooses(reader, {"name": name, "mimeType": "application/octet-stream", "buffer": content})
    return reader.page.get_by_role("region", name=f"{name} is imported.")


async def brought(reader: Reader, title: str) -> list[list[dict[str, Any]]]:
    """Return the images of each question of a conversation, as its parts with their bytes."""
    address = f"{reader.address}/api/conversations"
    listed = await (await reader.page.request.get(f"{address}?limit=100")).json()
    [found] = [each["id"] for each in listed["conversations"] if each["title"] == title]
    conversation = await (await reader.page.request.get(f"{address}/{found}")).json()
    questions = []
    for message in sorted(conversation["messages"], key=lambda each: each["created"]):
        images = [part for part in message["parts"] if part["type"] == "image"]
        for image in images:
            answer = await reader.page.request.get(f"{address}/{found}/images/{image['image']}")
            image["bytes"] = await answer.body()
        if message["role"] == "user":
            questions.append(images)
        else:
            assert images == []
    return questions


async def sent(reader: Reader) -> list[str]:
    """Return the body of each request for an import: Playwright does not see what a blob holds."""
    bodies: list[str] = await reader.page.evaluate("() => Promise.all(window.sent.map((body) => body.text()))")
    return bodies


async def test_a_photograph_comes_out_of_a_zip_small_upright_and_without_its_place(reader: Reader, axe: str) -> None:
    await opened(reader)
    photo = await photograph(reader)
    assert len(photo) > 2 * EACH
    assert PLACE in photo
    large_png = await drawn(reader, 900, 2500, "image/png")
    value = asked_about(
        "photos",
        ["file-service://file-Photo", "sediment://file_0000small"],
        ["file-service://file-Photo", "file-service://file-Film", "file-service://file-Tall"],
        ["sediment://file_torn", "sediment://file_gone", "sediment://file_heic"],
    )
    files = {
        "conversations-000.json": as_json([value]),
        "user-1234/file-Photo-IMG_0001.JPG": photo,
        "file-Film-cat.gif": moving(),
        "file-Tall-screen.png": large_png,
        "file_0000small-sanitized.png": RED,
        "file_drawn-picture.png": BLUE,
        "file_torn-a.png": RED[:40],
        "file_heic-b.heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(200),
    }
    report = await brings(reader, "photos.zip", zipped(files))
    await expect(report).to_contain_text("1 conversation is new")
    await expect(report).to_contain_text("4 images came with their questions")
    # The photograph is one, shown twice. Three answers have one each, and three cannot be drawn or are not there.
    await expect(report.get_by_role("definition").first).to_have_text("6")
    assert await faults(reader, axe) == []
    await expect(reader.page.get_by_test_id("announcer")).to_have_text(
        "photos.zip is imported. 1 conversation is new. 4 images came with their questions."
    )
    [body] = await sent(reader)
    given = json.loads(body)["conversations"][0]["daehwa_images"]
    assert sorted(given) == ["file-Film", "file-Photo", "file-Tall", "file_0000small"]
    assert PLACE not in base64.b64decode(given["file-Photo"])
    first, second, third = await brought(reader, "On photos")
    assert [(image["media_type"], image["width"], image["height"]) for image in first + second] == [
        ("image/jpeg", 1365, 2048),
        ("image/png", 4, 4),
        ("image/jpeg", 1365, 2048),
        ("image/gif", 1, 1),
        ("image/png", 737, 2048),
    ]
    assert third == []
    assert all(len(image["bytes"]) == image["size"] <= EACH for image in first + second)
    assert first[0]["bytes"] == second[0]["bytes"]
    assert PLACE not in first[0]["bytes"]
    assert (first[1]["bytes"], second[1]["bytes"]) == (RED, moving())
    await reader.rows.get_by_role("link", name="On photos").click()
    last = reader.page.get_by_role("article").filter(has_text="What is 1?")
    await expect(last.get_by_role("img", name="Image 3 of 3")).to_be_visible()
    report = await brings(reader, "photos.zip", zipped(files))
    await expect(report).to_contain_text("1 was here already")
    assert len(await brought(reader, "On photos")) == 3


async def test_a_request_stays_within_its_size_and_the_oldest_images_come(reader: Reader) -> None:
    most = Limits().body_bytes
    await opened(reader)
    photo = await drawn(reader, 1200, 900, "image/jpeg", noise=True)
    assert EACH // 2 < len(photo) <= EACH, "it goes as it is"
    count = most // (len(photo) * 4 // 3) + 5
    names = [f"file-{number:03}" for number in range(count)]
    files = {f"{name}-a.jpg": photo for name in names}
    others = [with_images(f"other-{number}", f"file-service://{names[number]}") for number in range(6)]
    conversations = [asked_about("album", *([f"file-service://{name}"] for name in names)), *others]
    report = await brings(reader, "album.zip", zipped({"conversations.json": as_json(conversations), **files}))
    await expect(report).to_contain_text("7 conversations are new", timeout=60_000)
    sizes = [len(body) for body in await sent(reader)]
    assert max(sizes) <= most
    assert len(sizes) > 2, "those with images go in smaller batches"
    came = [len(images) for images in await brought(reader, "On album")]
    fit = sum(came)
    assert count - 7 <= fit < count
    assert came == [1] * fit + [0] * (count - fit), "the oldest"
    await expect(report).to_contain_text(f"{fit + 6} images came with their questions")
    await expect(report.get_by_role("definition").first).to_have_text(str(count - fit + count))


async def test_images_in_their_place_are_made_small_there(reader: Reader) -> None:
    await opened(reader)
    photo = await photograph(reader, 2400, 1600)
    value = open_webui("inline")
    messages = value["chat"]["history"]["messages"]
    question = next(message for message in messages.values() if message["role"] == "user")
    question["files"] = [
        {"type": "image", "url": f"data:{kind};base64,{base64.b64encode(data).decode()}"}
        for kind, data in (("image/jpeg", photo), ("image/png", RED), ("image/png", RED[:40]))
    ]
    value["chat"]["title"] = value["title"] = "In place"
    report = await brings(reader, "inline.json", as_json([value]))
    await expect(report).to_contain_text("2 images came with their questions")
    [body] = await sent(reader)
    went = json.loads(body)["conversations"][0]["chat"]["history"]["messages"]
    urls = [file["url"] for message in went.values() if message["role"] == "user" for file in message["files"]]
    assert [PLACE in base64.b64decode(url.partition(",")[2]) for url in urls[:2]] == [False, False]
    images = [image for images in await brought(reader, "In place") for image in images]
    assert [(image["width"], image["height"]) for image in images] == [(1365, 2048), (4, 4)]
    assert len(images[0]["bytes"]) <= EACH


async def test_it_is_told_how_many_images_there_are_so_far_and_can_be_cancelled_among_them(
    reader: Reader, tmp_path: Path
) -> None:
    await opened(reader)
    photo = await photograph(reader)
    names = [f"file-{number:03}" for number in range(30)]
    value = asked_about("slow", *([f"sediment://{name}"] for name in names))
    files = {"conversations.json": as_json([value]), **{f"{name}.jpg": photo for name in names}}
    (tmp_path / "slow.zip").write_bytes(zipped(files, zipfile.ZIP_STORED))
    await reader.page.evaluate(NOTE_SENT)
    await chooses(reader, tmp_path / "slow.zip")
    running = reader.page.get_by_role("region", name="Importing slow.zip")
    await expect(running).to_contain_text(re.compile(r"0 conversations so far · \d+ images"))
    await running.get_by_role("button", name="Cancel").click()
    await expect(reader.page.get_by_role("region", name="The import of slow.zip was cancelled.")).to_be_visible()
    await asyncio.sleep(0.5)
    assert await sent(reader) == []


async def test_what_makes_images_small_is_fetched_once_more_where_the_server_was_not_reached(reader: Reader) -> None:
    reader.watch.expect("Failed to load resource|Failed to fetch|ERR_FAILED")
    content = zipped({"conversations.json": as_json([with_images("unmade", "sediment://file_a")]), "file_a.png": RED})
    await opened(reader)
    await reader.page.route("**/assets/images-*.js*", lambda route: route.abort())
    await chooses(reader, {"name": "unmade.zip", "mimeType": "application/zip", "buffer": content})
    stopped = reader.page.get_by_role("region", name="The import of unmade.zip stopped. What had come stays.")
    await expect(stopped).to_contain_text("Choose the file once more to go on: nothing comes twice.")
    await reader.page.unroute_all()
    await chooses(reader, {"name": "unmade.zip", "mimeType": "application/zip", "buffer": content})
    report = reader.page.get_by_role("region", name="unmade.zip is imported.")
    await expect(report).to_contain_text("1 image came with their questions")


async def test_images_come_at_home_too(members: Members, household: Household) -> None:
    member = await members()
    await member.accepts(await household.user("invite", "image-bringer@example.com"))
    await expect(member.page.locator("#message")).to_be_editable()
    content = zipped({"conversations.json": as_json([with_images("home", "sediment://file_a")]), "file_a.png": RED})
    await expect(await brings(member, "home.zip", content)).to_contain_text("1 image came with their questions")


@pytest.mark.parametrize("looks", [{}, {**PHONE, "locale": "ko-KR", "color_scheme": "dark"}])
async def test_it_fits_and_is_for_everybody(readers: Readers, axe: str, tmp_path: Path, looks: dict[str, Any]) -> None:
    reader = await readers(**looks)
    photo = await photograph(reader)
    names = [f"file-{number:03}" for number in range(4)]
    value = asked_about(f"looks-{len(looks)}", *([f"sediment://{name}"] for name in names), ["sediment://file_gone"])
    await opened(reader)
    content = zipped({"conversations.json": as_json([value]), **{f"{name}.jpg": photo for name in names}})
    await chooses(reader, {"name": "looks.zip", "mimeType": "application/zip", "buffer": content})
    await expect(reader.page.get_by_text(re.compile("· 이미지 [0-9]개" if looks else "· [0-9] image"))).to_be_visible()
    assert not await reader.page.evaluate(TOO_WIDE)
    await reader.page.screenshot(path=tmp_path / "running.png")
    await expect(
        reader.page.get_by_role("listitem").filter(has_text="이미지 4개" if looks else "4 images came")
    ).to_be_visible()
    await reader.page.screenshot(path=tmp_path / "told.png", full_page=True)
    assert await faults(reader, axe) == []
    assert not await reader.page.evaluate(TOO_WIDE)
    if looks:
        assert await reader.page.evaluate(SMALL_TARGETS) == []
