"""How long an answer can be, for as long as nobody knows how long it is: pure."""

from math import ceil

from daehwa.accounts.prices import Price, dearest
from daehwa.conversation.metering import PaidCall

ASSUMED_OUTPUT = 4_096
"""How many tokens an answer may have where the request sets no limit and a budget applies."""
LEAST_OUTPUT = 256
"""As few as that where the budget has no room for more; with less room, the call is refused."""
IMAGE_OUTPUT = 6_240
"""How many tokens one image is at most, where it is paid by tokens: gpt-image-1's largest at its highest quality."""
PARTIAL_OUTPUT = 100
"""How many tokens more each partial image of a stream is, says OpenAI."""
AUDIO_OUTPUT_PER_SECOND = 5
"""How many tokens a second of speech is at most, written down: nobody speaks faster than that."""


def wanted_output(call: PaidCall) -> int:
    """Return how long an answer is taken to be that can be limited: where nobody sets its limit, no longer than its
    model has room for, since many an upstream refuses more. Where there seems to be no room, it is known no better.
    """
    if call.output_limit is not None:
        return call.output_limit
    return ASSUMED_OUTPUT if call.room is None or call.room < LEAST_OUTPUT else min(ASSUMED_OUTPUT, call.room)


def unasked_output(call: PaidCall) -> int:
    """Return how long an answer can be that cannot be limited: one answer's tokens."""
    if call.kind == "image":
        return IMAGE_OUTPUT + PARTIAL_OUTPUT * call.partial_images
    if call.kind == "speech":
        return call.spoken_tokens
    return ceil(call.seconds * AUDIO_OUTPUT_PER_SECOND) if call.kind == "audio" else 0


def longest_output(call: PaidCall, price: Price, room: int, *, below: int) -> int | None:
    """Return the longest answer, shorter than `below`, that there is room for; None where it would be too short."""
    least, most = LEAST_OUTPUT, below - 1
    if most < least or dearest(call, least, price) > room:
        return None
    while least < most:
        middle = (least + most + 1) // 2
        if dearest(call, middle, price) > room:
            most = middle - 1
        else:
            least = middle
    return least
