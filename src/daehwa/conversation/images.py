"""Images that a question shows. The message names them (`ImagePart`); their bytes lie beside it, and are read for the
reader's eyes and for the model alone.
"""

from typing import Final, Protocol

import msgspec

from daehwa.conversation.errors import InvalidRequest, NotFound
from daehwa.conversation.messages import ImageType

QUESTION_IMAGES: Final = 8
"""How many a question may show."""
QUESTION_IMAGE_BYTES: Final = 4_000_000
"""How large they may be together: a function on AWS takes 6 MB with a request, in which they are a third longer."""

_BEGINNINGS: Final[tuple[tuple[bytes, int, ImageType], ...]] = (
    (b"\x89PNG\r\n\x1a\n", 0, "image/png"),
    (b"\xff\xd8\xff", 0, "image/jpeg"),
    (b"GIF87a", 0, "image/gif"),
    (b"GIF89a", 0, "image/gif"),
    (b"WEBP", 8, "image/webp"),
)


class Image(msgspec.Struct, frozen=True):
    """An image as it is kept; its `id` (UUIDv7, made by the client) is its own within its conversation."""

    id: str
    media_type: ImageType
    data: bytes


class ImageNotFound(NotFound):
    """No image of this conversation has this id."""

    type = "image_not_found"

    def __init__(self, param: str = "image") -> None:
        super().__init__("There is no such image in this conversation.", param=param)


class NoImage(InvalidRequest):
    """What is given as an image is of none of the kinds that models read."""

    type = "no_image"

    def __init__(self, param: str) -> None:
        super().__init__("This is no image in PNG, JPEG, WebP or GIF. Give one of these.", param=param)


class ImagesNotSeen(InvalidRequest):
    """A question shows images to a model that sees none."""

    type = "images_not_seen"

    def __init__(self, model: str) -> None:
        super().__init__(
            f"{model} sees no images. Choose another model, or take the images out of the question.", param="model"
        )


class ImageStore(Protocol):
    """Where images are kept: with the conversation whose questions show them, as long as it is."""

    async def get_image(self, owner: str, conversation: str, image: str) -> Image:
        """Return an image of a conversation. Raise `ConversationNotFound`, `ImageNotFound`."""
        ...


def base64_bytes(size: int) -> int:
    """Return how many bytes so many are in base64, as they are sent to a model."""
    return -(-size // 3) * 4


def media_type_of(data: bytes) -> ImageType | None:
    """Return of what kind an image is, by how it begins; None where it is none that models read."""
    for beginning, at, media_type in _BEGINNINGS:
        if data[at : at + len(beginning)] == beginning and (at == 0 or data[:4] == b"RIFF"):
            return media_type
    return None
