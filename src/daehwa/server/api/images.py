"""Images that questions show: their bytes, for the eyes of whoever may read the conversation."""

from typing import Final, get_args

from daehwa.conversation.ids import checked_id
from daehwa.conversation.images import Image, ImageStore
from daehwa.conversation.messages import ImageType
from daehwa.server.asgi import Request, Response

IMAGE_TYPES: Final[tuple[str, ...]] = get_args(ImageType)
OWN_CACHE: Final = b"private, max-age=31536000, immutable"
"""An id names the same bytes for ever; no cache that others share may have them."""
_OPENED_ALONE: Final = b"default-src 'none'; sandbox"
"""A browser that shows it by itself runs nothing, whatever is in it."""


class ImagesApi:
    """The operation on the images of one's own conversations."""

    def __init__(self, store: ImageStore) -> None:
        self._store = store

    async def get_image(self, request: Request) -> Response:
        """Return an image of a conversation as it was sent; the browser may keep it."""
        conversation, image = ids_of(request)
        return image_response(await self._store.get_image(request.user.id, conversation, image), OWN_CACHE)


def ids_of(request: Request) -> tuple[str, str]:
    """Return which image of which conversation is asked for. Raise `InvalidId`."""
    return checked_id(request.path["conversation"], "conversation"), checked_id(request.path["image"], "image")


def image_response(image: Image, cache_control: bytes) -> Response:
    """Return an image as an answer, with what keeps a browser from taking it for anything else."""
    headers = [
        (b"content-type", image.media_type.encode()),
        (b"cache-control", cache_control),
        (b"vary", b"cookie"),  # what a browser keeps is for this session: who signs in there next does not get it
        (b"content-disposition", b"inline"),
        (b"content-security-policy", _OPENED_ALONE),
    ]
    return Response(200, image.data, headers)
