"""Pictures that are changed or varied: forms with files, like those with a recording; see `forms`.

How this works and why. What such a call may cost is said by fields that may stand behind the pictures (`n`, how many
partial images a stream has), as in OpenAI's own examples, so nothing can be reserved before the whole form is there: it
waits in a temporary file, whatever the order of its fields is. How many tokens a picture is depends on its size and on
how closely the model looks; it counts as one of which nothing is known.
"""

from collections.abc import AsyncIterator
from typing import Final, Self

from daehwa.conversation.errors import InvalidRequest
from daehwa.conversation.image_tokens import IMAGE_TOKENS
from daehwa.gateway.asking import MOST_CHOICES, MOST_PARTIAL_IMAGES, PARTIAL_IMAGES, Weight
from daehwa.gateway.estimates import tokens_of
from daehwa.gateway.forms import Fields, Form, FormAsked, Kept
from daehwa.gateway.ports import Endpoint

_READ: Final = frozenset({"n", PARTIAL_IMAGES, "prompt"})
_PICTURES: Final = ("image", "mask")
"""With what the names of pictures begin that are no files but addresses, in whatever letters."""


class ImageFormAsked(FormAsked):
    """A request whose body is a form with pictures."""

    def __init__(self, endpoint: Endpoint, form: Form, fields: Fields, kept: Kept) -> None:
        super().__init__(endpoint, form, fields, kept)
        pictures = form.files + sum(name.strip().casefold().startswith(_PICTURES) for name in form.text_names)
        shown = pictures * IMAGE_TOKENS
        self._weight = Weight(
            input_tokens=tokens_of(form.text_size) + shown,
            images=pictures,
            shown_tokens=shown,
            choices=_most(fields, "n", least=1, most=MOST_CHOICES),
            partial_images=_most(fields, PARTIAL_IMAGES, least=0, most=MOST_PARTIAL_IMAGES),
        )

    @classmethod
    async def read(
        cls, endpoint: Endpoint, content_type: str, pieces: AsyncIterator[bytes], *, length: int | None
    ) -> Self:
        """Read a form to its end. Raise `InvalidRequest`."""
        form = Form(content_type, pieces, length, lambda _begin: None, _READ)
        fields = await form.fields()
        kept = await Kept.of(form, fields)
        try:
            return cls(endpoint, form, fields, kept)
        except InvalidRequest:
            kept.close()
            raise

    @property
    def weight(self) -> Weight:
        """How much it may cost."""
        return self._weight


def _most(fields: Fields, name: str, *, least: int, most: int) -> int:
    """Return the largest of the numbers by a name: which of several an upstream goes by is not known."""
    values = [_number(name, text, least=least, most=most) for found, text in fields.texts if found == name]
    return max(values, default=least)


def _number(name: str, text: str, *, least: int, most: int) -> int:
    # Only plain digits: what else Python takes for a number, an upstream may take for another one.
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and least <= int(text) <= most):
        raise InvalidRequest(f"'{name}' must be a whole number from {least} to {most}.", param=name)
    return int(text)
