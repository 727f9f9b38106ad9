"""Images in a question: chosen, dropped or pasted, made small, sent with a text or without, or refused."""

import base64
from typing import Any

import pytest
from browser.accessibility import faults
from browser.files import add, bring, file
from browser.reader import PHONE, Reader, Readers
from browser.shown import PLACE, asked, drawn, moving, shown_in, thumbnails, tile, turned
from model import Model
from playwright.async_api import FilePayload, Locator, expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

RED, BLUE = tile(200, 30, 30), tile(30, 30, 200)
LOG = file("server.log", b"one\ntwo\n", "text/plain")
NOTE_MAKING = """() => new MutationObserver(() => {
    const making = document.querySelector("li.making");
    if (making) window.making = [making.textContent, document.querySelector("form.composer [type=submit]").disabled];
}).observe(document.body, { subtree: true, childList: true })"""
READ = """async (encoded) => {
    const bytes = Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([bytes]));
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(bitmap, 0, 0);
    const at = (x, y) => [...context.getImageData(x, y, 1, 1).data];
    const [x, y] = [bitmap.width >> 1, bitmap.height >> 1];
    return { width: bitmap.width, height: bitmap.height, top: at(x, y >> 1), bottom: at(x, y + (y >> 1)) };
}"""


def note(reader: Reader) -> Locator:
    return reader.page.locator("#composer-note")


async def seen(reader: Reader, content: bytes) -> dict[str, Any]:
    """Return what an eye sees of an image: its size, and the colours of its upper and its lower half."""
    found: dict[str, Any] = await reader.page.evaluate(READ, base64.b64encode(content).decode())
    return found


async def test_images_and_text_files_are_chosen_alike_and_asked(reader: Reader, model: Model, axe: str) -> None:
    await reader.box.fill("What went wrong?")
    await add(reader, file("one.png", RED), LOG, file("two.png", BLUE))
    await expect(thumbnails(reader)).to_have_count(2)
    await expect(thumbnails(reader).first).to_have_attribute("alt", "one.png")
    await expect(reader.page.get_by_test_id("announcer")).to_have_text("2 images were added.")
    await expect(reader.box).to_be_focused()
    assert await faults(reader, axe) == []
    await reader.box.press("Enter")
    await reader.ended()
    message = await asked(model)
    assert shown_in(message) == [RED, BLUE], "small ones with nothing else in them are sent as they are"
    assert message["content"][-1] == {"type": "text", "text": "What went wrong?\n\nserver.log:\n\n```\none\ntwo\n```"}
    await expect(thumbnails(reader)).to_have_count(0)
    await expect(reader.question.get_by_role("img", name="Image 2 of 2")).to_be_visible()
    assert await faults(reader, axe) == []


async def test_an_image_is_a_question_by_itself(reader: Reader, model: Model) -> None:
    model.title = ""
    assert await bring(reader, "paste", file("image.png", RED))
    await expect(thumbnails(reader)).to_have_count(1)
    await reader.box.press("Enter")
    await reader.ended()
    message = await asked(model)
    assert [part["type"] for part in message["content"]] == ["image_url"]
    await expect(reader.question.get_by_role("img", name="Image", exact=True)).to_be_visible()
    await expect(reader.question.locator(".bubble")).to_have_count(0)
    await expect(reader.rows.first.get_by_role("link", name="Image", exact=True)).to_be_visible()


async def test_a_dropped_image_is_taken_and_images_are_taken_out_by_the_keyboard(reader: Reader) -> None:
    for name in ("a.png", "b.png", "c.png"):
        assert await bring(reader, "drop", file(name, RED), to="main")
        await expect(thumbnails(reader).last).to_have_attribute("alt", name)
    await reader.page.get_by_role("button", name="Take out “b.png”").press("Enter")
    await expect(reader.page.get_by_role("button", name="Take out “c.png”")).to_be_focused()
    await expect(reader.page.get_by_test_id("announcer")).to_have_text("“b.png” was taken out.")
    await reader.page.keyboard.press("Enter")
    await expect(reader.page.get_by_role("button", name="Take out “a.png”")).to_be_focused()
    await reader.page.keyboard.press("Space")
    await expect(thumbnails(reader)).to_have_count(0)
    await expect(reader.box).to_be_focused()
    await expect(reader.page.get_by_role("button", name="Send", exact=True)).to_be_disabled()


def too_large() -> bytes:
    """Return a GIF that moves, with four megabytes of comments."""
    comments = b"\x21\xfe" + (b"\xff" + b"x" * 255) * 16_000 + b"\0"
    still = moving()
    return still[:-1] + comments + still[-1:]


@pytest.mark.parametrize(
    ("files", "english", "taken"),
    [
        ([file(f"{number}.png", RED) for number in range(9)], "A question can show 8 images at most.", 8),
        (
            [file("torn.png", RED[:40]), file("whole.png", RED)],
            "“torn.png” cannot be shown by this browser. Save it as PNG or JPEG, and add that.",
            1,
        ),
        (
            [file("film.gif", too_large(), "image/gif")],
            "“film.gif” is too large. The images of a question may have 4 MB together.",
            0,
        ),
    ],
    ids=["many", "torn", "large"],
)
async def test_what_is_not_taken_is_told(reader: Reader, files: list[FilePayload], english: str, taken: int) -> None:
    await add(reader, *files)
    await expect(note(reader)).to_have_text(english)
    await expect(thumbnails(reader)).to_have_count(taken)


async def test_it_is_told_in_korean(readers: Readers) -> None:
    reader = await readers(locale="ko-KR", **PHONE)
    async with reader.page.expect_file_chooser() as choosing:
        await reader.page.get_by_role("button", name="이미지와 텍스트 파일 추가").tap()
    await (await choosing.value).set_files([file("하나.png", RED), file("둘.png", b"no image")])
    await expect(note(reader)).to_contain_text("이 브라우저에서는 ‘둘.png’ 이미지를 표시할 수 없어요.")
    await expect(reader.page.get_by_role("button", name="‘하나.png’ 빼기")).to_be_visible()


async def test_a_photograph_is_made_small_and_upright_and_says_no_place(reader: Reader, model: Model) -> None:
    photograph = turned(await drawn(reader, 4000, 3000, "image/jpeg", noise=True))
    assert PLACE in photograph
    assert len(photograph) > 2_000_000
    await reader.page.evaluate(NOTE_MAKING)
    await add(reader, file("IMG_0001.JPG", photograph, "image/jpeg"))
    await expect(thumbnails(reader)).to_have_count(1)
    assert await reader.page.evaluate("window.making") == ["“IMG_0001.JPG” is being made smaller…", True]
    await reader.box.press("Enter")
    await reader.ended()
    (sent,) = shown_in(await asked(model))
    assert sent.startswith(b"\xff\xd8\xff")
    assert len(sent) <= 500_000
    assert PLACE not in sent
    assert b"Exif" not in sent
    eye = await seen(reader, sent)
    assert max(eye["width"], eye["height"]) <= 2048
    assert eye["height"] > eye["width"], "it was held upright"
    assert eye["top"][0] > eye["top"][2], "what was left is above"
    assert eye["bottom"][2] > eye["bottom"][0]


async def test_a_small_photograph_says_no_place_either(reader: Reader, model: Model) -> None:
    await add(reader, file("small.jpg", turned(await drawn(reader, 60, 40, "image/jpeg")), "image/jpeg"))
    await expect(thumbnails(reader)).to_have_count(1)
    await reader.box.press("Enter")
    await reader.ended()
    (sent,) = shown_in(await asked(model))
    assert PLACE not in sent
    eye = await seen(reader, sent)
    assert (eye["width"], eye["height"]) == (40, 60)


async def test_one_sees_through_what_one_saw_through_and_what_moves_still_moves(reader: Reader, model: Model) -> None:
    film = moving()
    glass = tile(10, 200, 10, alpha=80, width=3000, height=40)
    await add(reader, file("film.gif", film, "image/gif"), file("glass.png", glass))
    await expect(thumbnails(reader)).to_have_count(2)
    await reader.box.press("Enter")
    await reader.ended()
    first, second = shown_in(await asked(model))
    assert first == film
    assert second.startswith(b"\x89PNG")
    eye = await seen(reader, second)
    assert eye["width"] == 2048
    assert eye["top"][3] == 80


async def test_eight_photographs_fit_into_a_question(reader: Reader, model: Model) -> None:
    large = await drawn(reader, 2400, 1600, "image/png", noise=True)
    assert len(large) > 2_000_000
    await add(reader, *(file(f"{number}.png", large) for number in range(8)))
    await expect(thumbnails(reader)).to_have_count(8, timeout=60_000)
    await reader.box.press("Enter")
    await reader.ended()
    sent = shown_in(await asked(model))
    assert len(sent) == 8
    assert sum(map(len, sent)) <= 4_000_000
    await expect(reader.question.get_by_role("img", name="Image 8 of 8")).to_be_visible()


async def test_a_drawing_that_is_text_is_read_as_text(reader: Reader) -> None:
    await add(reader, file("plan.svg", b"<svg/>", "image/svg+xml"))
    await expect(reader.box).to_have_value("\n\nplan.svg:\n\n```svg\n<svg/>\n```")
    await expect(thumbnails(reader)).to_have_count(0)
