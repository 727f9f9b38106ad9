"""Bringing conversations along in the page: a ZIP as it came, of which only the conversations are read and sent."""

import io
import re
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from browser.accessibility import faults
from browser.household import Household, Members
from browser.reader import PHONE, Reader
from browser.test_looks import SMALL_TARGETS, TOO_WIDE
from playwright.async_api import Request, Route, expect
from transfer.foreign import as_json, claude, librechat, nested_text, open_webui, research, simple, zipped

from daehwa.conversation.ids import now_ms
from daehwa.server.api.bringing import MOST_BROUGHT
from daehwa.services.local import OWNER
from daehwa.transfer.converting import Converted, converted

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PICTURES = 20_000_000


def an_export(tmp_path: Path, name: str = "chatgpt.zip", *, is_large: bool = False) -> Path:
    """A ZIP of ChatGPT with two shards and much that is not to be sent; `is_large`: with the fields of ZIP64."""
    out = io.BytesIO()
    shards = {
        "conversations-000.json": as_json(
            [simple(f"{name}-{number}", question=f"zanzibar {number}?") for number in range(45)]
        ),
        "conversations-001.json": as_json([{**research(), "conversation_id": name}, {"title": "Strange"}]),
    }
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open(zipfile.ZipInfo("file-1.png"), "w") as picture:  # stored, and no word of it is sent
            picture.write(bytes(PICTURES))
        for shard, content in shards.items():
            with archive.open(shard, "w", force_zip64=is_large) as member:
                member.write(content)
    file = tmp_path / name
    file.write_bytes(out.getvalue())
    return file


async def opened(reader: Reader) -> None:
    await reader.page.goto(f"{reader.address}/#/import")
    await expect(reader.page.get_by_role("heading", level=1)).to_be_focused()


async def chooses(reader: Reader, file: Path | dict[str, Any]) -> None:
    await reader.page.locator('input[type="file"]').set_input_files(file)  # type: ignore[arg-type] # as it takes them


@pytest.mark.parametrize("is_large", [False, True])
async def test_a_zip_comes_with_a_report_and_is_in_the_sidebar_and_found(
    reader: Reader, tmp_path: Path, *, is_large: bool
) -> None:
    requests: list[Request] = []

    def note(request: Request) -> None:
        requests.append(request)

    reader.page.on("requestfinished", note)
    await reader.page.get_by_role("button", name="Settings").click()
    await reader.page.get_by_role("dialog").get_by_role("link", name="Import conversations").click()
    name = f"chatgpt-{is_large}.zip"
    await chooses(reader, an_export(tmp_path, name, is_large=is_large))
    report = reader.page.get_by_role("region", name=f"{name} is imported, but not all of it.")
    await expect(report).to_contain_text("46 conversations are new")
    await expect(report).to_contain_text("1 was left out:")
    await expect(report).to_contain_text("Strange")
    await expect(report.get_by_role("definition").first).to_have_text("1")
    told = f"{name} is imported, but not all of it. 46 conversations are new."
    await expect(reader.page.get_by_test_id("announcer")).to_have_text(told)
    imports = [request for request in requests if request.url.endswith("/import")]
    sent = [int((await request.all_headers())["content-length"]) for request in imports]
    assert len(sent) == 3
    assert 10_000 < sum(sent) < 200_000, "the conversations alone"
    await expect(reader.rows.filter(has_text="About chatgpt-").nth(20)).to_be_attached()
    await reader.search.fill("zanzibar 17")
    await reader.hits.filter(has_text=f"About {name}-17").get_by_role("link").click()
    await expect(reader.page.get_by_role("article").filter(has_text="A plant, 나무.")).to_be_visible()
    await opened(reader)
    await chooses(reader, tmp_path / name)
    await expect(reader.page.get_by_text("46 were here already")).to_be_visible()
    await expect(reader.page.get_by_role("listitem").filter(has_text="conversations are new")).to_have_count(0)


async def test_each_product_comes_by_its_json(reader: Reader) -> None:
    await opened(reader)
    for content, title in (
        (as_json([claude("page")]), "On trees"),
        (as_json([open_webui("page")]), "Weather"),
        (nested_text(librechat(2_400)), "Libre"),
    ):
        await chooses(reader, {"name": f"{title}.json", "mimeType": "application/json", "buffer": content})
        await expect(reader.page.get_by_role("region", name=f"{title}.json is imported.")).to_contain_text(
            "1 conversation is new"
        )


async def test_more_that_stand_in_one_object_than_a_request_may_hold_come_all(reader: Reader) -> None:
    count = MOST_BROUGHT + 20
    content = as_json({"conversations": [simple(f"wrapped-{number}") for number in range(count)]})
    await opened(reader)
    await chooses(reader, {"name": "wrapped.json", "mimeType": "application/json", "buffer": content})
    report = reader.page.get_by_role("region", name="wrapped.json is imported.")
    await expect(report).to_contain_text(f"{count} conversations are new")


async def test_what_the_page_does_not_send_is_missed_nowhere(reader: Reader) -> None:
    await opened(reader)
    for number, value in enumerate(
        (
            {**research(), "conversation_id": "sent"},
            claude("sent"),
            open_webui("sent"),
            {**librechat(6), "conversationId": "sent"},
        )
    ):
        content = as_json(value)
        await chooses(reader, {"name": f"sent-{number}.json", "mimeType": "application/json", "buffer": content})
        await expect(reader.page.get_by_role("region", name=f"sent-{number}.json is imported.")).to_be_visible()
        [whole] = converted(content, owner=OWNER, now=now_ms())
        assert isinstance(whole, Converted)
        path = f"/api/conversations/{whole.record.conversation.id}"
        answer = await (await reader.page.request.get(reader.address + path)).json()
        names = ("id", "parent", "role", "parts", "status", "finish", "model", "created")
        came = {message["id"]: [message[name] for name in names] for message in answer["messages"]}
        meant = msgspec.json.decode(msgspec.json.encode(whole.record.messages))
        assert came == {message["id"]: [message[name] for name in names] for message in meant}


async def test_what_was_taken_along_comes_back_at_home(members: Members, household: Household, tmp_path: Path) -> None:
    member = await members()
    await member.accepts(await household.user("invite", "bringer@example.com"))
    await expect(member.page.locator("#message")).to_be_editable()
    await member.page.goto(f"{member.address}/#/account")
    await member.page.get_by_role("link", name="Import conversations").click()
    await chooses(member, an_export(tmp_path))
    await expect(member.page.get_by_text("46 conversations are new", exact=True)).to_be_visible()
    await member.page.goto(f"{member.address}/#/account")
    async with member.page.expect_download() as downloading:
        await member.page.get_by_role("link", name="Download everything").click()
    taken = await (await downloading.value).path()
    await opened(member)
    await chooses(member, {"name": "daehwa.zip", "mimeType": "application/zip", "buffer": taken.read_bytes()})
    await expect(member.page.get_by_text("46 were here already")).to_be_visible()
    other = await members()
    await other.accepts(await household.user("invite", "other-bringer@example.com"))
    await expect(other.page.locator("#message")).to_be_editable()
    await expect(other.page.get_by_role("navigation").get_by_role("link", name=re.compile("About"))).to_have_count(0)


async def test_a_server_that_fails_for_a_moment_is_asked_again_and_one_that_refuses_stops_it(
    reader: Reader, tmp_path: Path
) -> None:
    reader.watch.expect("503|403")
    answers = [503, 503]

    async def fail(route: Route) -> None:
        if answers:
            body = '{"error": {"type": "store_unavailable", "message": "x"}}'
            await route.fulfill(status=answers.pop(), body=body, content_type="application/json")
        else:
            await route.continue_()

    await reader.page.route("**/api/conversations/import", fail)
    await opened(reader)
    await chooses(reader, an_export(tmp_path, "again.zip"))
    await expect(reader.page.get_by_text("46 conversations are new", exact=True)).to_be_visible()
    answers[:] = [403]
    await chooses(reader, an_export(tmp_path, "refused.zip"))
    stopped = reader.page.get_by_role("region", name="The import of refused.zip stopped. What had come stays.")
    await expect(stopped).to_contain_text("Choose the file once more to go on: nothing comes twice.")


async def test_one_that_the_server_cannot_read_is_left_out_and_the_others_come(reader: Reader) -> None:
    reader.watch.expect("400")
    deep = claude("deep")
    deep["chat_messages"][0]["content"] = "here"
    content = as_json([simple("before"), {**deep, "name": "Deep"}, simple("after")])
    content = content.replace(b'"here"', b'{"a":' * 3_000 + b"1" + b"}" * 3_000)
    await opened(reader)
    await chooses(reader, {"name": "deep.json", "mimeType": "application/json", "buffer": content})
    report = reader.page.get_by_role("region", name="deep.json is imported, but not all of it.")
    await expect(report).to_contain_text("2 conversations are new")
    await expect(report.get_by_role("listitem").filter(has_text="Deep")).to_contain_text("not valid JSON")


async def test_it_can_be_cancelled_and_gone_on_with(reader: Reader, tmp_path: Path) -> None:
    held: list[Route] = []

    async def hold(route: Route) -> None:
        if held:
            await route.continue_()
        held.append(route)

    await reader.page.route("**/api/conversations/import", hold)
    await opened(reader)
    await chooses(reader, an_export(tmp_path, "cancelled.zip"))
    running = reader.page.get_by_role("region", name="Importing cancelled.zip")
    await expect(running.get_by_role("progressbar")).to_be_visible()
    await reader.page.goto(f"{reader.address}/#/usage")
    await opened(reader)
    await running.get_by_role("button", name="Cancel").click()
    await expect(reader.page.get_by_role("region", name="The import of cancelled.zip was cancelled.")).to_be_visible()
    await chooses(reader, tmp_path / "cancelled.zip")
    await expect(reader.page.get_by_text("46 conversations are new", exact=True)).to_be_visible()


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("photo.png", b"\x89PNG", "there is nothing that can be imported"),
        ("empty.json", b"[]", "There are no conversations in empty.json."),
        ("photos.zip", zipped({"a.png": b"x"}), "there is nothing that can be imported"),
        ("cut.zip", zipped({"conversations.json": b"[]" * 90})[:-40], "The file is damaged"),
        ("cut.json", as_json([simple("cut")])[:-20], "The file is cut off here."),
    ],
)
async def test_what_is_nothing_of_this_is_said(reader: Reader, name: str, content: bytes, word: str) -> None:
    await opened(reader)
    await chooses(reader, {"name": name, "mimeType": "application/octet-stream", "buffer": content})
    await expect(reader.page.get_by_text(word).first).to_be_visible()


@pytest.mark.parametrize("looks", [{}, {**PHONE, "locale": "ko-KR", "color_scheme": "dark"}])
async def test_it_fits_and_is_for_everybody(readers: Any, axe: str, tmp_path: Path, looks: dict[str, Any]) -> None:
    reader = await readers(**looks)
    await opened(reader)
    await chooses(reader, an_export(tmp_path, "looks.zip"))
    await expect(reader.page.get_by_text("Strange")).to_be_visible()
    assert await faults(reader, axe) == []
    assert not await reader.page.evaluate(TOO_WIDE)
    if looks:
        assert await reader.page.evaluate(SMALL_TARGETS) == []
