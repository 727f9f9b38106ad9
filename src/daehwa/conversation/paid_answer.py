"""One answer that the core asks of a model, counted: reserved before it is asked, settled after. Knows no store."""

import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from typing import Protocol, runtime_checkable

import msgspec

from daehwa.conversation.delivery import Delivery, is_paid
from daehwa.conversation.errors import DaehwaError
from daehwa.conversation.events import AnsweredBy, Batch
from daehwa.conversation.image_tokens import LIKELY_IMAGE_TOKENS, reserved_for_images
from daehwa.conversation.messages import Part, Usage, body_of
from daehwa.conversation.metering import Charge, Meter, Outcome, PaidCall, as_counted, estimated_usage, room_beside
from daehwa.conversation.ports import GenerationRequest, ResolvedModel
from daehwa.conversation.searching import most_read
from daehwa.conversation.transcript import estimated_tokens, reserved_tokens


@runtime_checkable
class LimitsAnswers(Protocol):
    """A provider whose settings may limit answers."""

    def answer_limit(self, model: str) -> int | None:
        """Return how many tokens an answer of a model has at most where the request does not say it; None where the
        settings do not say it either. `model` is the name at the upstream.
        """
        ...


@runtime_checkable
class SearchesItself(Protocol):
    """A provider whose models may read what they find."""

    def searches(self, model: str) -> bool:
        """Return whether a model does, by its name at the upstream."""
        ...


def finds_more(resolved: ResolvedModel) -> bool:
    """Return whether a model reads what it finds, beside what it is sent."""
    provider = resolved.provider
    return isinstance(provider, SearchesItself) and provider.searches(resolved.upstream_name)


def settled_limit(resolved: ResolvedModel) -> int | None:
    """Return how many tokens the settings let an answer of a model have, None where they do not say it."""
    provider = resolved.provider
    return provider.answer_limit(resolved.upstream_name) if isinstance(provider, LimitsAnswers) else None


class PaidAnswer:
    """An answer and its charge. `call` says for whom and for what; its tokens are those of the request."""

    def __init__(self, meter: Meter, call: PaidCall) -> None:
        self._meter = meter
        self._call = call
        self._charge: Charge | None = None
        self._outcome = Outcome(usage=None)
        self._prompt = 0
        self._delivery = Delivery()
        self._model: str | None = None
        self._asked_at = 0.0
        self._first_ms: float | None = None

    async def opened(self, request: GenerationRequest, resolved: ResolvedModel) -> GenerationRequest:
        """Reserve what the answer of this model may cost; return the request as it may be sent. Raises what
        `Meter.open` raises.
        """
        self._delivery = request.delivery
        texts = [message.text for message in request.messages]
        said = sum(map(estimated_tokens, texts))
        reserved = sum(map(reserved_tokens, texts))
        self._prompt = said
        if request.images:
            shown = sum(len(message.images) for message in request.messages)
            self._prompt += shown * LIKELY_IMAGE_TOKENS
            reserved += reserved_for_images(shown, (*resolved.candidates, resolved.upstream_name))
        asked, window = request.max_output_tokens, resolved.model.context_window
        self._call = msgspec.structs.replace(
            self._call,
            input_tokens=most_read(reserved, window) if finds_more(resolved) else reserved,
            output_limit=settled_limit(resolved) if asked is None else asked,
            room=room_beside(said, window),  # an image may be far less than it is likely to be
            may_be_shorter=asked is None,
        )
        self._charge = await self._meter.open(self._call)
        self._asked_at = time.monotonic()
        limit = self._charge.output_limit
        return request if limit is None else msgspec.structs.replace(request, max_output_tokens=limit)

    def note_refused(self, fault: DaehwaError) -> None:
        """Note that it was not asked, where that is what the fault means."""
        self._meter.note_refused("page", fault)

    def note_content(self, batch: Batch) -> None:
        """Remember when the first content came, and from which model, where several could answer."""
        if self._first_ms is None:
            self._first_ms = (time.monotonic() - self._asked_at) * 1000
            self._model = next((event.model for event in batch if isinstance(event, AnsweredBy)), None)

    def ended(self, usage: Usage | None, parts: Iterable[Part], *, error: str | None = None) -> Usage | None:
        """Return what the answer has used, with its cost: as the upstream counted it, else as the prompt and what came
        of the answer let us guess. Nothing where its upstream never had it, or failed with nothing to show.
        """
        if self._charge is None:
            return usage
        texts = list(map(body_of, parts))
        if as_counted(usage) is None and is_paid(error, is_sent=self._delivery.is_sent, has_begun=any(texts)):
            usage = estimated_usage(self._prompt, texts)
        self._outcome = Outcome(usage=usage, model=self._model, error=error, first_ms=self._first_ms)
        return self._charge.priced(self._outcome)

    async def settle(self) -> None:
        """Count it. Never raises."""
        if self._charge is not None:
            await self._charge.settle(self._outcome)


@contextlib.asynccontextmanager
async def closing(batches: AsyncIterator[Batch]) -> AsyncIterator[AsyncIterator[Batch]]:
    """Close a provider's iterator at the end of the block, whichever way it ends."""
    try:
        yield batches
    finally:
        if isinstance(batches, AsyncGenerator):
            await batches.aclose()
