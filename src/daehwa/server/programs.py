"""The dialects of other programs: made, and what they need imported, when one of them is first spoken."""

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from daehwa.conversation.errors import DaehwaError
from daehwa.server.asgi import Response
from daehwa.server.errors import Dialect
from daehwa.server.routing import BESIDE_V1, Operation, Wing

if TYPE_CHECKING:
    from daehwa.accounts.keys import ApiKey
    from daehwa.server.classic import ClassicApi
    from daehwa.server.openai_v1.api import OpenAIV1

_OPENAI, _CLASSIC = ("/v1",), ("/chat", "/classic")


class Spoken(msgspec.Struct, frozen=True):
    """The dialects; that of the 2023 demo only where it is wanted."""

    openai: "OpenAIV1"
    classic: "ClassicApi | None" = None


class Programs:
    """Knows how the dialects are made, and whether that of the demo is among them."""

    def __init__(self, make: Callable[[], Spoken], *, has_classic: bool) -> None:
        self._make = make
        self._paths = (*_OPENAI, *_CLASSIC) if has_classic else _OPENAI
        self._has_ended = False

    @property
    def wing(self) -> Wing:
        """Their rows."""
        return Wing(self._operations, *self._paths)

    @property
    def dialects(self) -> tuple[Dialect, ...]:
        """How their errors are said; OpenAI's clients that ask beside its paths are told so in its dialect."""
        said = dict.fromkeys(_OPENAI, _openai_error) | dict.fromkeys(_CLASSIC, _classic_error)
        beside = tuple(Dialect(path, _openai_error) for path in BESIDE_V1)
        return (*beside, *(Dialect(path, said[path]) for path in self._paths))

    def end_calls(self) -> None:
        """End the calls under way and refuse new ones: the server ends."""
        self._has_ended = True
        if "spoken" in self.__dict__:
            self.spoken.openai.calls.end()

    def end_calls_of(self, user: str) -> None:
        """End the calls of a person who may not come in any more, those that this process makes."""
        if "spoken" in self.__dict__:
            self.spoken.openai.calls.end_of(user)

    def end_calls_with(self, key: "ApiKey") -> None:
        """End the calls made with a key that is revoked, those that this process makes."""
        if "spoken" in self.__dict__:
            self.spoken.openai.calls.end_with(key)

    @cached_property
    def spoken(self) -> Spoken:
        """The dialects themselves."""
        spoken = self._make()
        if self._has_ended:
            spoken.openai.calls.end()
        return spoken

    def _operations(self) -> Iterator[Operation]:
        from daehwa.server.program_operations import program_operations  # noqa: PLC0415 - see `Wing`

        return program_operations(self.spoken.openai, self.spoken.classic)


def _openai_error(error: DaehwaError) -> Response:
    from daehwa.server.openai_v1.errors import error_response  # noqa: PLC0415 - nobody may ever see one

    return error_response(error)


def _classic_error(error: DaehwaError) -> Response:
    from daehwa.server.classic import error_response  # noqa: PLC0415 - as above

    return error_response(error)
