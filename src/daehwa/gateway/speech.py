"""How long a text is when it is spoken, before anybody has spoken it, and after, where nobody says so.

How this works and why. Some models are paid by the character, others by the token of audio that they make, and those
say how many only in a stream of events. OpenAI's make twenty a second. A page of English took 1.3 of them a character,
and Korean is spoken as quickly for each byte. Numbers, abbreviations and pauses take longer, and a voice can be told to
speak slowly, so seven times that is reserved; a lower `speed` stretches both.
"""

from typing import Final, NamedTuple

import msgspec

from daehwa.conversation.errors import InvalidRequest
from daehwa.gateway.fields import optional
from daehwa.gateway.ports import Endpoint

SPEECH: Final[Endpoint] = "audio/speech"
MOST_TOKENS_A_BYTE: Final = 10
MOST_AROUND: Final = 600
"""Half a minute, for what instructions have spoken beside the text, and for silence."""
LIKELY_TOKENS_A_BYTE: Final = 1.4
LEAST_SPEED: Final = 0.25
"""OpenAI's own limits of a `speed`."""
MOST_SPEED: Final = 4.0


class Speech(NamedTuple):
    """What is spoken: its `characters`, and how many tokens of audio that is at most, and most likely."""

    characters: int = 0
    most_tokens: int = 0
    likely_tokens: int = 0


SILENCE: Final = Speech()


def speech_of(fields: dict[str, msgspec.Raw]) -> Speech:
    """Return what a request lets be spoken. Raise `InvalidRequest`."""
    text = optional(fields, "input", str)
    if text is None:
        raise InvalidRequest("'input' must be a text.", param="input")
    length, speed = len(text.encode("utf-8", "surrogatepass")), _speed(fields)
    return Speech(
        len(text),
        round((length * MOST_TOKENS_A_BYTE + MOST_AROUND) / speed),
        round(length * LIKELY_TOKENS_A_BYTE / speed),
    )


def _speed(fields: dict[str, msgspec.Raw]) -> float:
    """Return how much more quickly it is spoken than usual; that it is quicker shortens nothing that is reserved."""
    speed = optional(fields, "speed", float)
    if speed is None:
        return 1.0
    if not LEAST_SPEED <= speed <= MOST_SPEED:
        raise InvalidRequest(f"'speed' must be a number from {LEAST_SPEED} to {MOST_SPEED:g}.", param="speed")
    return min(speed, 1.0)
