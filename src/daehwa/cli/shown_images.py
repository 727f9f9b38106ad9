"""Images that are named in the terminal: read within the limits of a question, with how large they are shown."""

from collections.abc import Sequence
from pathlib import Path

from daehwa.cli.terminal import Refusal
from daehwa.conversation.ids import new_id
from daehwa.conversation.image_reading import AskedImage
from daehwa.conversation.image_sizes import size_of
from daehwa.conversation.images import QUESTION_IMAGE_BYTES, QUESTION_IMAGES, media_type_of


def read_images(paths: Sequence[Path]) -> tuple[AskedImage, ...]:
    """Return the images in these files. Raise `Refusal`."""
    if len(paths) > QUESTION_IMAGES:
        raise Refusal(f"There are {len(paths)} images; a question shows at most {QUESTION_IMAGES}. Leave some out.")
    found = [(path, _read(path)) for path in paths]
    if sum(len(data) for _, data in found) > QUESTION_IMAGE_BYTES:
        raise Refusal(
            f"The images are too large: those of a question may have {QUESTION_IMAGE_BYTES:,} bytes together. Make "
            "them smaller, or leave some out."
        )
    return tuple(_asked(path, data) for path, data in found)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(QUESTION_IMAGE_BYTES + 1)
    except OSError as error:
        raise Refusal(f"{path} cannot be read: {error.strerror}. Name a file with an image in it.") from None


def _asked(path: Path, data: bytes) -> AskedImage:
    media_type = media_type_of(data)
    if media_type is None:
        raise Refusal(f"{path} is no image in PNG, JPEG, WebP or GIF. Convert it into one of these.")
    width, height = size_of(data, media_type)
    return AskedImage(new_id(), width, height, data)
