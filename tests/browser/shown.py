"""Images as people have them: drawn in the browser itself, so that they are real ones of each kind."""

import base64
import json
import struct
import zlib
from typing import Any

from browser.reader import Reader
from model import Model
from playwright.async_api import Locator

DRAWN = """async ([width, height, type, noise]) => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [width, height];
    const context = canvas.getContext("2d");
    context.fillStyle = "#c03020";
    context.fillRect(0, 0, width / 2, height);
    context.fillStyle = "#2050c0";
    context.fillRect(width / 2, 0, width, height);
    if (noise) {
        const pixels = context.getImageData(0, 0, width, height);
        for (let at = 0; at < pixels.data.length; at += 1) if (at % 4 < 3) pixels.data[at] ^= (at * 2654435761) >>> 27;
        context.putImageData(pixels, 0, 0);
    }
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, type, 0.95));
    const bytes = new Uint8Array(await blob.arrayBuffer());
    let text = "";
    for (const byte of bytes) text += String.fromCharCode(byte);
    return btoa(text);
}"""
PLACE = b"taken at 37.5665 N, 126.9780 E"


async def drawn(reader: Reader, width: int, height: int, media_type: str, *, noise: bool = False) -> bytes:
    """Return an image whose left half is red and whose right half is blue; with noise it is large in bytes too."""
    encoded: str = await reader.page.evaluate(DRAWN, [width, height, media_type, noise])
    return base64.b64decode(encoded)


def turned(jpeg: bytes) -> bytes:
    """Return a JPEG as a phone that was held upright writes it: to be turned by a quarter, and with its place."""
    orientation = struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0)
    place = struct.pack(">HHII", 0x010E, 2, len(PLACE), 38)
    tiff = b"MM\0*" + struct.pack(">IH", 8, 2) + place + orientation + struct.pack(">I", 0) + PLACE
    body = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def tile(red: int, green: int, blue: int, *, alpha: int = 255, width: int = 4, height: int = 4) -> bytes:
    """Return a small PNG of one colour, with nothing else in it."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    rows = (b"\0" + bytes((red, green, blue, alpha)) * width) * height
    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def moving() -> bytes:
    """Return a GIF of two pictures, each one pixel."""
    picture = b"\x21\xf9\x04\0\x0a\0\0\0" + b"\x2c\0\0\0\0\x01\0\x01\0\0" + b"\x02\x02\x44\x01\0"
    return b"GIF89a\x01\0\x01\0\x80\0\0" + b"\0\0\0\xff\xff\xff" + picture + picture + b"\x3b"


def shown_in(message: dict[str, Any]) -> list[bytes]:
    """Return the images of a message as a model is given it."""
    parts = message["content"] if isinstance(message["content"], list) else []
    urls = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
    return [base64.b64decode(url.partition(",")[2]) for url in urls]


def thumbnails(reader: Reader) -> Locator:
    """Return the images of the question that is being written."""
    return reader.page.get_by_role("list", name="Images of the question").get_by_role("img")


async def asked(model: Model) -> dict[str, Any]:
    """Return the last message of the next question as the model was given it."""
    message: dict[str, Any] = json.loads((await model.question()).body)["messages"][-1]
    return message
