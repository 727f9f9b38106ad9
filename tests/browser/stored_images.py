"""Images that the browser keeps until their question is sent."""

from browser.reader import Reader

_KEPT = """() => new Promise((resolve) => {
    const opening = indexedDB.open("daehwa.images");
    opening.onsuccess = () => {
        const asked = opening.result.transaction("images").objectStore("images").getAll();
        asked.onsuccess = () => {
            opening.result.close();
            resolve(asked.result.map(({ name }) => name));
        };
    };
})"""


async def kept(reader: Reader) -> list[str]:
    """Return the names of the images that this browser keeps."""
    names: list[str] = await reader.page.evaluate(_KEPT)
    return names


async def none_kept(reader: Reader) -> None:
    for _ in range(100):
        if not await kept(reader):
            return
        await reader.page.wait_for_timeout(50)
    raise AssertionError(await kept(reader))
