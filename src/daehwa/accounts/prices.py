"""What a call costs: integer arithmetic on micro-dollars, pure. Where prices come from is `price_list`'s business."""

from typing import NamedTuple

import msgspec

from daehwa.conversation.messages import Usage
from daehwa.conversation.metering import CallKind, PaidCall

MILLION = 1_000_000
_MS_PER_HOUR = 3_600_000


class Rates(msgspec.Struct, frozen=True, array_like=True):
    """Micro-dollars per million tokens, for prompts of more than `above` tokens. None: nothing of its own is known.

    A cached token then costs what any other does, one of reasoning what other output does, one of audio or of an image
    what one of text does. `image` is one that is made, `shown` one of a picture that is sent.
    """

    above: int = 0
    input: int = 0
    output: int = 0
    cached: int | None = None
    reasoning: int | None = None
    audio: int | None = None
    image: int | None = None
    shown: int | None = None

    @property
    def is_free(self) -> bool:
        """Whether no token costs anything."""
        own = (self.cached, self.reasoning, self.audio, self.image, self.shown)
        return not (self.input or self.output or any(own))


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """What a model costs now, in micro-dollars: tokens by the size of the prompt (`rates` by `above`, from 0), and on
    top of that each request, each hour of audio, each image, and a million characters that are spoken.
    """

    rates: tuple[Rates, ...] = (Rates(),)
    request: int = 0
    hour: int = 0
    image: int = 0
    characters: int = 0

    @property
    def is_free(self) -> bool:
        """Whether nothing ever costs anything."""
        beside = self.request or self.hour or self.image or self.characters
        return not beside and all(each.is_free for each in self.rates)

    def rates_for(self, prompt: int) -> Rates:
        """Return the rates for a prompt of this size."""
        if len(self.rates) == 1:
            return self.rates[0]
        return next((rates for rates in reversed(self.rates) if prompt > rates.above), self.rates[0])


FREE = Price()


class _KindRates(NamedTuple):
    input: int
    shown: int
    cached: int
    output: int
    reasoning: int


def cost(
    usage: Usage,
    price: Price,
    *,
    kind: CallKind = "chat",
    seconds: float = 0.0,
    images: int = 0,
    shown: int = 0,
) -> int:
    """Return what a call costs in micro-dollars, rounded up. Audio's input and an image's output have their own rates
    where the price names them, and so have those tokens of the prompt that are `shown` pictures.
    """
    sent, received = max(usage.input, 0), max(usage.output, 0)
    rates = _rates(price, sent, kind)
    cached, reasoning = min(max(usage.cached, 0), sent), min(max(usage.reasoning, 0), received)
    shown = min(max(shown, 0), sent - cached)
    tokens = (sent - cached - shown) * rates.input + shown * rates.shown + cached * rates.cached
    tokens += (received - reasoning) * rates.output + reasoning * rates.reasoning
    return _up(tokens, MILLION) + _beside_tokens(price, seconds, images)


def dearest(call: PaidCall, output_limit: int, price: Price) -> int:
    """Return what a call costs at most: the prompt, and every answer as long as it may be, each at its dearest rate."""
    rates = _rates(price, call.input_tokens, call.kind)
    sent, received = max(call.input_tokens, 0), max(output_limit, 0) * max(call.choices, 1)
    tokens = sent * max(rates.input, rates.shown, rates.cached) + received * max(rates.output, rates.reasoning)
    return _up(tokens, MILLION) + _beside_tokens(price, call.seconds, call.images) + spoken(price, call.characters)


def spoken(price: Price, characters: int) -> int:
    """Return what so many characters of a speech cost in micro-dollars, rounded up."""
    return _up(price.characters * max(characters, 0), MILLION) if price.characters else 0


def _rates(price: Price, prompt: int, kind: CallKind) -> _KindRates:
    rates = price.rates_for(prompt)
    audio = rates.audio if kind == "audio" else None
    sent = rates.input if audio is None else audio
    cached = rates.cached if rates.cached is not None and audio is None else sent
    received = rates.image if kind == "image" and rates.image is not None else rates.output
    shown = sent if kind != "image" or rates.shown is None else rates.shown
    return _KindRates(sent, shown, cached, received, received if rates.reasoning is None else rates.reasoning)


def _beside_tokens(price: Price, seconds: float, images: int) -> int:
    amount = price.request
    if price.image:
        amount += price.image * max(images, 0)
    if price.hour:
        amount += _up(price.hour * max(round(seconds * 1000), 0), _MS_PER_HOUR)
    return amount


def _up(amount: int, divisor: int) -> int:
    return -(-amount // divisor)
