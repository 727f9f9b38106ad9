"""The images of a question as it is asked, and those of a transcript as it is sent: both are read from where they are
kept, and never more than are needed.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from daehwa.conversation.errors import ConversationNotFound, InvalidRequest, TooMuch
from daehwa.conversation.images import (
    QUESTION_IMAGE_BYTES,
    QUESTION_IMAGES,
    Image,
    ImageNotFound,
    ImageStore,
    NoImage,
    base64_bytes,
    media_type_of,
)
from daehwa.conversation.messages import Conversation, ImagePart
from daehwa.conversation.ports import PromptMessage
from daehwa.conversation.room import LARGE_BYTES, Share
from daehwa.conversation.transcript import showing

_PARAM = "message.parts"


class AskedImage(msgspec.Struct, frozen=True):
    """An image of a question as the client sends it; without `data` it is one that the conversation has already."""

    image: str
    width: int
    height: int
    data: bytes | None = None


class QuestionImages(msgspec.Struct, frozen=True):
    """The images of a question: the parts that name them, all of them as they are kept, and those that are new."""

    parts: tuple[ImagePart, ...] = ()
    images: tuple[Image, ...] = ()
    new: tuple[Image, ...] = ()


async def read_question_images(
    asked: Sequence[AskedImage], store: ImageStore, owner: str, conversation: str
) -> QuestionImages:
    """Return the images of a question. What the conversation has under an id stands, whatever is sent with it: so that
    the question names, and the model is given, what its reader will see. Raise `TooMuch`, `NoImage`, `InvalidRequest`
    where one is there twice, and `ImageNotFound` where one without data is not in the conversation.
    """
    if not asked:
        return QuestionImages()
    _check(asked)
    given = {each.image: _image(each.image, each.data) for each in asked if each.data is not None}
    found = await asyncio.gather(*(_read(store, owner, conversation, each.image) for each in asked))
    kept = {image.id: image for image in found if image is not None}
    images = given | kept
    if len(images) < len(asked):
        raise ImageNotFound(_PARAM)
    new = [image for name, image in given.items() if name not in kept]
    _check_bytes(len(image.data) for image in images.values())
    parts = tuple(_part(each, images[each.image]) for each in asked)
    return QuestionImages(parts, tuple(images.values()), tuple(new))


def _check(asked: Sequence[AskedImage]) -> None:
    if len(asked) > QUESTION_IMAGES:
        raise TooMuch(f"A question shows at most {QUESTION_IMAGES} images. Take some out.", param=_PARAM)
    if len({each.image for each in asked}) < len(asked):
        raise InvalidRequest("An image is in the question twice. Give each an id of its own.", param=_PARAM)
    _check_bytes(len(each.data) for each in asked if each.data is not None)


def _check_bytes(sizes: Iterable[int]) -> None:
    if sum(sizes) > QUESTION_IMAGE_BYTES:
        raise TooMuch(
            f"The images are too large: those of a question may have {QUESTION_IMAGE_BYTES:,} bytes together. Make "
            "them smaller, or take some out.",
            param=_PARAM,
        )


def _image(name: str, data: bytes) -> Image:
    media_type = media_type_of(data)
    if media_type is None:
        raise NoImage(_PARAM)
    return Image(name, media_type, data)


def _part(asked: AskedImage, image: Image) -> ImagePart:
    return ImagePart(
        image=image.id,
        media_type=image.media_type,
        size=len(image.data),
        width=asked.width,
        height=asked.height,
    )


async def read_shown_images(
    messages: tuple[PromptMessage, ...],
    store: ImageStore,
    conversation: Conversation,
    share: Share,
    known: Iterable[Image] = (),
) -> tuple[tuple[PromptMessage, ...], Mapping[str, Image]]:
    """Return the messages of a transcript with the images that they show, read but for those that are `known`. One that
    is not there becomes a note in its message, and so does one that is not of the size or kind that a message says: by
    those it was reckoned how much is sent. Raise what else the store raises.

    Where they are large they are waited with until the `share` has room for what will be sent of them; none of them is
    held meanwhile.
    """
    parts = [part for message in messages for part in message.images]
    wanted = {part.image for part in parts}
    if not wanted:
        return messages, {}
    size = base64_bytes(sum(part.size for part in parts))
    if size > LARGE_BYTES and not share.take_now(size):
        known = ()
        await share.take(size)
    images = {image.id: image for image in known if image.id in wanted}
    missing = [image for image in wanted if image not in images]
    found = await asyncio.gather(*(_read(store, conversation.owner, conversation.id, image) for image in missing))
    images |= {image.id: image for image in found if image is not None}
    for part in parts:
        if part.image in images and not _is_as_said(part, images[part.image]):
            del images[part.image]
    return tuple(showing(message, images) for message in messages), images


def _is_as_said(part: ImagePart, image: Image) -> bool:
    return (part.media_type, part.size) == (image.media_type, len(image.data))


async def _read(store: ImageStore, owner: str, conversation: str, image: str) -> Image | None:
    try:
        return await store.get_image(owner, conversation, image)
    except (ConversationNotFound, ImageNotFound):
        return None
