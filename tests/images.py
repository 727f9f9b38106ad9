"""Images to show: the smallest of each kind that is one, and of any size."""

import base64
from typing import Any

from daehwa.conversation.ids import new_id
from daehwa.conversation.image_reading import AskedImage

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
GIF = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
WEBP = base64.b64decode("UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA")
JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP//////////////////////////////////////////////////////////////////////////////"
    "////////wgALCAABAAEBAREA/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQABPxA="
)


def large(size: int) -> bytes:
    """A PNG of so many bytes, as far as its beginning says."""
    return PNG + bytes(size - len(PNG))


def shown(data: bytes | None = PNG, *, image: str | None = None) -> AskedImage:
    """An image of a question; without data one that is there already."""
    return AskedImage(image or new_id(), 640, 480, data)


def sent(data: bytes | None = PNG, *, image: str | None = None, **more: Any) -> dict[str, Any]:
    """The same as a client sends it."""
    part = {"type": "image", "image": image or new_id(), "width": 640, "height": 480, **more}
    return part if data is None else {**part, "data": base64.b64encode(data).decode()}
