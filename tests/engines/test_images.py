"""An image in a question, in Firefox and in WebKit: each decodes, draws, encodes and keeps it in its own way."""

import base64
import struct

import pytest
from browser.shown import DRAWN, PLACE, asked, shown_in, turned
from engines.tab import Tab
from engines.walking import ask_to_end
from model import Model
from transfer.foreign import as_json, with_images, zipped

pytestmark = [pytest.mark.engines, pytest.mark.asyncio(loop_scope="session")]

DROPPED = """((encoded) => {
    const data = new DataTransfer();
    const bytes = Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
    data.items.add(new File([bytes], "IMG_1.JPG", { type: "image/jpeg" }));
    document.querySelector("main").dispatchEvent(
        new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: data }));
    return true;
})(arguments[0])"""
CHOSEN = """((encoded) => {
    const data = new DataTransfer();
    const bytes = Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
    data.items.add(new File([bytes], "chatgpt.zip", { type: "application/zip" }));
    const input = document.querySelector("main input[type=file]");
    input.files = data.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
    return true;
})(arguments[0])"""
BROUGHT = """(async () => {
    const json = async (path) => (await fetch(`/api/conversations${path}`)).json();
    const { id } = (await json("")).conversations.find(({ title }) => title === "About engines");
    const [{ image }] = (await json(`/${id}`)).messages.flatMap(({ parts }) => parts);
    const bytes = new Uint8Array(await (await fetch(`/api/conversations/${id}/images/${image}`)).arrayBuffer());
    return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
})()"""
TOLD = "document.querySelector('main').textContent.includes('1 image is in their questions')"
THUMBNAIL = "document.querySelector('form.composer li img')?.naturalWidth > 0"
SHOWN = "document.querySelector('article.question button.shown img')?.naturalWidth > 0"


def size_of(jpeg: bytes) -> tuple[int, int]:
    """Return width and height of a JPEG, as its frame header says them."""
    at = 2
    while jpeg[at + 1] not in {0xC0, 0xC2}:
        at += 2 + int(struct.unpack_from(">H", jpeg, at + 2)[0])
    height, width = struct.unpack_from(">HH", jpeg, at + 5)
    return width, height


async def test_a_photograph_is_kept_made_small_sent_upright_and_shown(tab: Tab, model: Model) -> None:
    encoded = await tab.js(f"({DRAWN})(arguments[0])", [2600, 1300, "image/jpeg", False])
    photograph = turned(base64.b64decode(encoded))
    assert await tab.js(DROPPED, base64.b64encode(photograph).decode())
    await tab.sees(THUMBNAIL)
    await tab.driver.call("Refresh")
    await tab.sees(THUMBNAIL)
    await ask_to_end(tab, "What is this?")
    (sent,) = shown_in(await asked(model))
    width, height = size_of(sent)
    assert height == 2 * width
    assert height <= 2048
    assert len(sent) <= 500_000
    assert PLACE not in sent
    await tab.sees(SHOWN)
    await tab.driver.call("Refresh")
    await tab.sees(SHOWN)
    await tab.click("button", "Edit the question")
    await tab.press("Escape")
    await tab.js("document.querySelector('article.question button.shown').focus()")
    await tab.press("Enter")
    await tab.sees("document.querySelector('dialog[open] img')?.naturalHeight > 0")
    await tab.press("Escape")
    await tab.sees("document.querySelector('dialog') === null")
    await tab.sees("document.activeElement.matches('button.shown')")


async def test_a_photograph_comes_along_out_of_a_zip(tab: Tab) -> None:
    encoded = await tab.js(f"({DRAWN})(arguments[0])", [2600, 1300, "image/jpeg", False])
    photograph = turned(base64.b64decode(encoded))
    value = with_images("engines", "file-service://file-Photo", "sediment://file_gone")
    export = zipped({"conversations.json": as_json([value]), "user/file-Photo-IMG_1.JPG": photograph})
    await tab.open("/#/import")
    await tab.sees("document.querySelector('main input[type=file]') !== null")
    await tab.js(CHOSEN, base64.b64encode(export).decode())
    await tab.sees(TOLD)
    sent = base64.b64decode(await tab.js(BROUGHT))
    width, height = size_of(sent)
    assert height == 2 * width
    assert height <= 2048
    assert len(sent) <= 500_000
    assert PLACE not in sent
