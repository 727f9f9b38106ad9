"""What a call costs: integer arithmetic on micro-dollars, pure. Where prices come from is `price_list`'s business."""

import msgspec

from daehwa.conversation.messages import Usage
from daehwa.conversation.metering import CallKind, PaidCall

MILLION = 1_000_000
_MS_PER_HOUR = 3_600_000


class Rates(msgspec.Struct, frozen=True, array_like=True):
    """Micro-dollars per million tokens, for prompts of more than `above` tokens. None: nothing of its own is known.

    A cached token then costs what any other does, one of reasoning what other output does, one of audio or of an image
    what one of text does.
    """

    above: int = 0
    input: int = 0
    output: int = 0
    cached: int | None = None
    reasoning: int | None = None
    audio: int | None = None
    image: int | None = None


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """What a model costs now, in micro-dollars: tokens by the size of the prompt (`rates` by `above`, from 0), and on
    top of that each request, each hour of audio, each image.
    """

    rates: tuple[Rates, ...] = (Rates(),)
    request: int = 0
    hour: int = 0
    image: int = 0

    @property
    def is_free(self) -> bool:
        """Whether nothing ever costs anything."""
        rates = any(any(msgspec.structs.astuple(each)[1:]) for each in self.rates)
        return not (rates or self.request or self.hour or self.image)

    def rates_for(self, prompt: int) -> Rates:
        """Return the rates for a prompt of this size."""
        return next((rates for rates in reversed(self.rates) if prompt > rates.above), self.rates[0])


FREE = Price()


def cost(usage: Usage, price: Price, *, kind: CallKind = "chat", seconds: float = 0.0, images: int = 0) -> int:
    """Return what a call costs in micro-dollars, rounded up. Audio's input and an image's output have their own rates
    where the price names them.
    """
    rates = price.rates_for(usage.input)
    own_input = rates.audio if kind == "audio" else None
    input_rate = rates.input if own_input is None else own_input
    cached_rate = rates.cached if rates.cached is not None and own_input is None else input_rate
    output_rate = rates.image if kind == "image" and rates.image is not None else rates.output
    reasoning_rate = output_rate if rates.reasoning is None else rates.reasoning
    cached = min(max(usage.cached, 0), max(usage.input, 0))
    reasoning = min(max(usage.reasoning, 0), max(usage.output, 0))
    tokens = (max(usage.input, 0) - cached) * input_rate + cached * cached_rate
    tokens += (max(usage.output, 0) - reasoning) * output_rate + reasoning * reasoning_rate
    audio = price.hour * max(round(seconds * 1000), 0)
    return price.request + price.image * max(images, 0) + _up(tokens, MILLION) + _up(audio, _MS_PER_HOUR)


def dearest(call: PaidCall, output_limit: int, price: Price) -> int:
    """Return what a call costs at most: nothing of the prompt cached, and every answer as long as it may be."""
    output = output_limit * call.choices
    most = [
        cost(
            Usage(input=call.input_tokens, output=output, cached=cached, reasoning=reasoning),
            price,
            kind=call.kind,
            seconds=call.seconds,
            images=call.images,
        )
        for cached in (0, call.input_tokens)
        for reasoning in (0, output)
    ]
    return max(most)


def _up(amount: int, divisor: int) -> int:
    return -(-amount // divisor)
