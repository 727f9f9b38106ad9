"""What one call costs: reserved before it, counted once after it, however it ended."""

import re
import time
from typing import Final

import msgspec

from daehwa.accounts.keys import Caller
from daehwa.conversation.delivery import is_paid
from daehwa.conversation.errors import DaehwaError, ProviderStreamError
from daehwa.conversation.ids import new_id
from daehwa.conversation.image_tokens import images_beyond
from daehwa.conversation.messages import Usage
from daehwa.conversation.metering import Charge, Outcome, PaidCall, as_counted, room_beside
from daehwa.conversation.ports import Model
from daehwa.conversation.searching import always_searches, most_read
from daehwa.gateway.asking import KINDS, Asked
from daehwa.gateway.estimates import BYTES_PER_TOKEN
from daehwa.gateway.ports import IMAGES, LIMIT_NAMES, Endpoint
from daehwa.gateway.rates import Correction
from daehwa.gateway.speech import SPEECH
from daehwa.gateway.tap import Tap
from daehwa.gateway.wire_usage import said_in

BYTES_PER_TOKEN_OF_ANSWER = 4
"""An answer in one piece whose upstream counts nothing: JSON around text, so fewer bytes would be too few."""
_SAY_NOTHING: Final[frozenset[Endpoint]] = IMAGES | {"embeddings", "moderations"}
"""The endpoints whose answers are no text, so that no token is guessed of them."""
_DAY: Final = r"[-@]20\d\d-?\d\d-?\d\d$"


def paid_call(
    caller: Caller, asked: Asked, model: Model, default_limit: int | None = None, *, searches: bool = False
) -> PaidCall:
    """Return what the meter has to know of a call before it is made. `default_limit` is how many tokens the answer has
    at most where the request does not say it; `searches`: the model reads what it finds, whatever the request says.
    """
    weight, key = asked.weight, caller.key
    sent = weight.input_tokens + images_beyond(weight.images, model.name)
    window = model.context_window
    reads_more = weight.reads_more or (
        asked.endpoint in LIMIT_NAMES and (searches or any(map(always_searches, asked.others)))
    )
    likely = sent * BYTES_PER_TOKEN // BYTES_PER_TOKEN_OF_ANSWER
    call = PaidCall(
        id=new_id(),
        kind=KINDS[asked.endpoint],
        user=caller.user.id,
        model=model.id,
        input_tokens=most_read(sent, window) if reads_more else sent,
        output_limit=weight.limit(default_limit),
        room=None if weight.has_payloads else room_beside(likely, window),  # most are far less than they count
        may_be_shorter=weight.output_limit is None,
        choices=weight.choices,
        others=tuple(other_id(model.provider, name) for name in asked.others),
        seconds=weight.seconds,
        key=None if key is None else key.id,
        key_limits={} if key is None else key.limits.money,
        groups=caller.terms.groups,
    )
    if asked.endpoint in IMAGES:
        return msgspec.structs.replace(call, images=weight.choices, partial_images=weight.partial_images)
    if asked.endpoint == SPEECH:
        said = weight.speech
        return msgspec.structs.replace(call, characters=said.characters, spoken_tokens=said.most_tokens)
    return call


def other_id(provider: str, name: str) -> str:
    """Return the id of a model that an upstream may take in place of the one that was asked."""
    return f"{provider}/{name}"


class Counted:
    """The count of one call to one model. `correction`, if there is one, is told how many tokens it really took."""

    def __init__(self, charge: Charge, asked: Asked, call: PaidCall, correction: Correction | None) -> None:
        self.output_limit = charge.output_limit
        self.is_sent = True
        """Whether the upstream may have all of the request."""
        self._correction = correction
        self._charge = charge
        # Not the request itself, which may be long and would be held as long as its answer streams.
        self._endpoint, self._weight = asked.endpoint, asked.weight
        self._model, self._others = call.model, call.others
        self._began = time.perf_counter()
        self._first_ms: float | None = None
        self._heard = 0

    def hear(self, size: int) -> None:
        """Note how many bytes of an answer in one piece have come."""
        self.begin()
        self._heard = size

    def begin(self) -> None:
        """Note that the answer's first byte is there."""
        if self._first_ms is None:
            self._first_ms = (time.perf_counter() - self._began) * 1000

    async def fail(self, error: str | None) -> None:
        """Count a call that gave nothing: it costs nothing."""
        await self._settle(Outcome(usage=None, model=self._model, error=error))

    async def break_off(self, fault: DaehwaError) -> None:
        """Count a call that ended in a fault: nothing, unless its upstream was at work on it, which takes the prompt
        and what came of the answer.
        """
        await self._end_early(fault.type)

    async def leave(self) -> None:
        """Count a call whose caller left before the whole answer came, as far as it came: the upstream has read the
        prompt, if it got that.
        """
        await self._end_early(None)

    async def _end_early(self, error: str | None) -> None:
        if is_paid(error, is_sent=self.is_sent, has_begun=self._heard > 0):
            usage = self._estimated(self._heard // BYTES_PER_TOKEN_OF_ANSWER)
            await self._settle(self._outcome(usage, error, shown=self._weight.shown_tokens))
        else:
            await self.fail(error)

    def end_stream_now(self, tap: Tap) -> bool:
        """Count a stream that has come to its end, if nothing of that has to wait; return whether it is done."""
        return self._correction is None and self._charge.settle_now(self._streamed(tap))

    async def end_stream(self, tap: Tap, error: str | None = None) -> None:
        """Count a stream as far as it came. One that took too long to begin has had its prompt read."""
        if is_paid(error, is_sent=self.is_sent, has_begun=tap.has_begun):
            await self._settle(self._streamed(tap, error))
        else:
            await self.fail(error)

    def _streamed(self, tap: Tap, error: str | None = None) -> Outcome:
        if error is None and tap.has_failed:
            error = ProviderStreamError.type
        if tap.has_failed and not tap.has_given:
            return Outcome(usage=None, model=self._model, error=error)
        usage = as_counted(tap.usage) or (Usage() if tap.seconds else self._estimated(tap.tokens))
        images = tap.images if self._endpoint in IMAGES else 0
        shown = self._weight.shown_tokens if usage.estimated else tap.shown
        model = self._answered_by(tap.model)
        return self._outcome(usage, error, seconds=tap.seconds, images=images, shown=shown, model=model)

    async def end_whole(self, body: bytes) -> None:
        """Count an answer in one piece."""
        said = said_in(body)
        if said.is_but_an_error:
            await self.fail(ProviderStreamError.type)
            return
        usage = None if said.counted is None else as_counted(said.counted.tokens)
        if usage is None:
            # What is paid by the second says so, if it says anything.
            usage = Usage() if said.seconds else self._estimated(len(body) // BYTES_PER_TOKEN_OF_ANSWER)
        images = len(said.data or ()) if self._endpoint in IMAGES else 0
        model = self._answered_by(said.answered_by)
        shown = self._weight.shown_tokens if usage.estimated or said.counted is None else said.counted.shown
        await self._settle(self._outcome(usage, seconds=said.seconds, images=images, shown=shown, model=model))

    def _answered_by(self, name: str | None) -> str:
        """Return the id of the model that an answer names where it is one of those that could take the other's place,
        also by the day of its version; what an upstream calls the model that was asked is no matter.
        """
        if not self._others or name is None:
            return self._model
        provider = self._model.partition("/")[0]
        found = (other_id(provider, each) for each in (name, re.sub(_DAY, "", name)))
        return next((other for other in found if other in self._others), self._model)

    def _outcome(
        self,
        usage: Usage,
        error: str | None = None,
        *,
        seconds: float = 0.0,
        images: int = 0,
        shown: int = 0,
        model: str | None = None,
    ) -> Outcome:
        return Outcome(
            usage=usage,
            model=model or self._model,
            error=error,
            first_ms=self._first_ms,
            # Where only tokens are counted the settings may still name a price a minute.
            seconds=seconds or self._weight.likely_seconds,
            images=images,
            shown=shown,
        )

    async def _settle(self, outcome: Outcome) -> None:
        # Money first: whoever waits may be cancelled once more, and a rate is over in a minute.
        await self._charge.settle(outcome)
        if self._correction is not None:
            usage = outcome.usage
            await self._correction.end(0 if usage is None else usage.input + usage.output)

    def _estimated(self, output: int) -> Usage:
        if self._endpoint == SPEECH:  # whoever leaves may have had all of it made: it is made sooner than it is heard
            output = self._weight.speech.likely_tokens
        elif self._endpoint in _SAY_NOTHING:
            output = 0
        return Usage(input=self._weight.likely_tokens, output=output, estimated=True)
