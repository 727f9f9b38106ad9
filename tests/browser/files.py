"""Files as people bring them to a question: chosen, dropped or pasted."""

import base64

from browser.reader import Reader
from playwright.async_api import FilePayload, Locator

_BRINGS = """([target, kind, files]) => {
    const data = new DataTransfer();
    for (const [name, type, encoded] of files) {
        const bytes = Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
        data.items.add(new File([bytes], name, { type }));
    }
    const made = { bubbles: true, cancelable: true };
    const event = kind === "paste"
        ? new ClipboardEvent(kind, { ...made, clipboardData: data })
        : new DragEvent(kind, { ...made, dataTransfer: data });
    return !document.querySelector(target).dispatchEvent(event);
}"""


def file(name: str, content: bytes, media_type: str = "image/png") -> FilePayload:
    """Return a file for the browser; without a kind it is one that the browser knows no kind of."""
    return FilePayload(name=name, mimeType=media_type, buffer=content)


async def add(reader: Reader, *files: FilePayload, within: Locator | None = None) -> None:
    """Choose files for the question that is being written, or for one that is edited."""
    async with reader.page.expect_file_chooser() as choosing:
        await reader.press("Add images and text files", within)
    await (await choosing.value).set_files(list(files))


async def bring(reader: Reader, kind: str, *files: FilePayload, to: str = "#message") -> bool:
    """Drag over, drop or paste files; return whether the page took it from the browser."""
    brought = [[each["name"], each["mimeType"], base64.b64encode(each["buffer"]).decode()] for each in files]
    taken: bool = await reader.page.evaluate(_BRINGS, [to, kind, brought])
    return taken
