"""One call from its caller to an upstream and back: rights, rates, money, an upstream that answers, the count.

How this works and why. What can refuse a call comes first, the cheapest first, and nothing is asked of an upstream
before all of it has passed. The upstreams that can answer are asked in their order until one does; once a byte of an
answer has been handed on there is no other one. Each of them is a call of its own for the meter, because each has its
own price: one that gave nothing costs nothing. An answer is counted before its last byte is sent, so that whoever has
all of it finds it counted, and a process that is stopped after the answer has nothing left to do.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import NamedTuple

from daehwa.accounts.keys import Caller
from daehwa.conversation.errors import DaehwaError, InvalidRequest, ModelNotFound, ProviderError
from daehwa.conversation.metering import Charge, Meter, PaidCall
from daehwa.conversation.ports import Model
from daehwa.conversation.upstreams import is_beyond_a_minute, may_ask_another
from daehwa.gateway.answers import (
    Answer,
    StreamedAnswer,
    checked_whole,
    headers_for,
    is_error,
    is_too_long,
    whole_body,
    words_of,
)
from daehwa.gateway.asking import MODEL_CHARACTERS, Added, Asked, Habits
from daehwa.gateway.callers import is_limited, may_ask, refused_model
from daehwa.gateway.counting import Counted, other_id, paid_call
from daehwa.gateway.idempotency import OnceOnly
from daehwa.gateway.ports import Endpoint, KeptAnswer, WireAnswer, WireModels, WireTarget, is_of_events
from daehwa.gateway.rates import Correction, Rates
from daehwa.gateway.speech import SPEECH
from daehwa.gateway.tap import PassingTap, Tap, UsageTap
from daehwa.gateway.undecided import COMMENT_SECONDS, UndecidedAnswer
from daehwa.gateway.under_way import CallsUnderWay
from daehwa.gateway.whole import SAY_THEIR_END

MOST_HABITS = 10_000
_FIRST_ERROR = 400
_REFUSALS = frozenset({400, 422})
_NOT_HERE = b'"previous_response_not_found"'


class _Opened(NamedTuple):
    """An answer whose head is there; `body` where it was read already."""

    answer: WireAnswer
    added: Added
    body: bytes | None


class _Rated(NamedTuple):
    """What the rates of a call's key say: headers for its caller, and what corrects its tokens."""

    headers: tuple[tuple[str, str], ...]
    correction: Correction | None


class Gateway:
    """Makes calls for those who may. Whoever takes a call in makes it one of the `calls`. `comment_seconds`: so long
    comments before an answer are kept back while another upstream could still give it.
    """

    def __init__(
        self,
        models: WireModels,
        meter: Meter,
        rates: Rates,
        once: OnceOnly,
        *,
        comment_seconds: float = COMMENT_SECONDS,
    ) -> None:
        self.calls = CallsUnderWay()
        self._models = models
        self._meter = meter
        self._rates = rates
        self._once = once
        self._comment_seconds = comment_seconds
        self._habits: dict[str, Habits] = {}

    async def has_choice(self, model: str, endpoint: Endpoint) -> bool:
        """Whether several upstreams can answer, so that a request may have to be sent more than once."""
        try:
            return len(await self._models.targets(model, endpoint)) > 1
        except DaehwaError:
            return False

    async def models(self, caller: Caller) -> list[Model]:
        """Return the models that the caller may ask."""
        return [model for model in await self._models.listed() if may_ask(caller, model, model.id)]

    async def model(self, caller: Caller, name: str) -> Model:
        """Return one model by id, bare name or alias. Raise `ModelNotFound`, also where the caller may not ask it."""
        for model in await self._models.listed():
            if name in {model.id, model.name} and may_ask(caller, model, name):
                return model
        raise _not_there(name)

    async def ask(
        self,
        caller: Caller,
        asked: Asked,
        *,
        idempotency_key: str | None = None,
        claimed: Callable[[], None] = lambda: None,
    ) -> Answer:
        """Make a call. What the upstream answers is returned, its errors too. `claimed` is called where its answer is
        kept for whoever asks again, before it is made.

        Raise `ModelNotFound`, `ModelNotAllowed`, `ModelNotOffered`, `RateExceeded`, `BudgetExceeded`, `PriceUnknown`,
        `StoreError`, and `ProviderError` where no upstream answered.
        """
        targets = await self._targets(caller, asked)
        told = asked.instructed(caller.terms.instructions) if caller.terms.instructions else asked
        if idempotency_key is None:
            return await self._answer(caller, told, targets)

        def make() -> Awaitable[Answer]:
            claimed()
            return self._answer(caller, told, targets)

        return await self._once.answer(caller, idempotency_key, asked, make)

    async def _answer(self, caller: Caller, asked: Asked, targets: Sequence[WireTarget]) -> Answer:
        taken = await self._rates.take(caller.key, asked.weight)
        return await self._first_of(targets, caller, asked, _Rated(taken.headers, self._rates.correction(taken)))

    async def _first_of(self, targets: Sequence[WireTarget], caller: Caller, asked: Asked, rated: _Rated) -> Answer:
        """Return the answer of the first that gives one, or of the last."""
        for number, target in enumerate(targets[:-1], 1):
            try:
                answer = await self._asked(caller, asked, target, rated)
                # An upstream that goes silent, or fails, after its head can still be passed over.
                if isinstance(answer, StreamedAnswer) and not await answer.begun(self._comment_seconds):
                    ask_next = partial(self._first_of, targets[number:], caller, asked, rated)
                    return UndecidedAnswer(answer, ask_next, rated.headers, seconds=self._comment_seconds)
            except ProviderError as fault:
                if not may_ask_another(fault):
                    raise
            else:
                if not _passes_on(answer):
                    return answer
        return await self._asked(caller, asked, targets[-1], rated)

    async def _targets(self, caller: Caller, asked: Asked) -> Sequence[WireTarget]:
        if asked.model is not None and len(asked.model) > MODEL_CHARACTERS:
            raise InvalidRequest(f"A model's name has at most {MODEL_CHARACTERS} characters.", param="model")
        is_bound = is_limited(caller)
        try:
            may = partial(may_ask, caller, asked=asked.model) if is_bound else None
            found = await self._models.targets(asked.model, asked.endpoint, may)
        except ModelNotFound:
            if not is_bound or asked.model is None:
                raise
            raise _not_there(asked.model) from None
        allowed = [target for target in found if may_ask(caller, target.model, asked.model)] if is_bound else found
        if not allowed:
            raise refused_model(caller, asked.model, found[0].model)
        if is_bound:
            _check_others(caller, asked.others, allowed)
        return allowed if asked.is_repeatable else allowed[:1]

    async def _asked(self, caller: Caller, asked: Asked, target: WireTarget, rated: _Rated) -> Answer:
        call = paid_call(caller, asked, target.model, target.default_limit(asked.endpoint), searches=target.searches)
        charge = await self._reserved(call, rated.correction)
        counted = Counted(charge, asked, call, rated.correction)
        try:
            opened = await self._opened(asked, target, counted)
            answer, body = opened.answer, opened.body
            headers = headers_for(answer.headers, rated.headers)
            if (tap := _tap_for(asked.endpoint, opened)) is not None:
                says_its_end = asked.endpoint in SAY_THEIR_END
                return StreamedAnswer(answer, tap, counted, headers, says_its_end=says_its_end)
            body = await whole_body(answer, counted.hear) if body is None else body
            if answer.status < _FIRST_ERROR:
                checked_whole(answer.headers, body)
        except DaehwaError as fault:
            await counted.break_off(fault)
            raise
        except BaseException:  # the caller left, or this server ends
            await counted.leave()
            raise
        counted.begin()
        if answer.status >= _FIRST_ERROR:
            await counted.fail(f"upstream_{answer.status}")
        else:
            await counted.end_whole(body)
        return KeptAnswer(status=answer.status, headers=headers, body=body)

    async def _reserved(self, call: PaidCall, correction: Correction | None) -> Charge:
        """Reserve what a call may cost. Where that is refused its tokens are not counted either."""
        if correction is None:
            return await self._meter.open(call)
        await correction.begin()
        try:
            return await self._meter.open(call)
        except BaseException:  # cancelled too
            await correction.end(0)
            raise

    async def _opened(self, asked: Asked, target: WireTarget, counted: Counted) -> _Opened:
        """Send the request; where the upstream refuses what we added to it, once more without."""
        if len(self._habits) >= MOST_HABITS:  # an upstream that lists nothing is asked for whatever callers name
            self._habits.clear()
        known = tried = self._habits.get(target.model.id, Habits())
        while True:
            added = asked.added(tried, counted.output_limit)
            request = asked.request(target.upstream_name, added)
            try:
                answer = await target.send(request)
            except BaseException:  # the caller may have left while it waited for a place, or sent its file
                counted.is_sent = request.is_sent
                raise
            if answer.status not in _REFUSALS or not (added.usage or added.limit_name):
                if tried is not known and answer.status < _FIRST_ERROR:
                    self._habits[target.model.id] = tried
                return _Opened(answer, added, None)
            body = await whole_body(answer)
            changed = tried.after(body, added, asked.endpoint)
            if changed is None:
                return _Opened(answer, added, body)
            tried = changed


def _tap_for(endpoint: Endpoint, opened: _Opened) -> Tap | None:
    """Return what lets an answer pass as it comes, None where it is handed on in one piece."""
    if opened.answer.status >= _FIRST_ERROR:
        return None
    kind = opened.answer.headers.get("content-type", "")
    if is_of_events(kind):
        return UsageTap(strip=opened.added.usage)
    return PassingTap() if endpoint == SPEECH and "json" not in kind.lower() else None


def _not_there(name: str) -> ModelNotFound:
    """Return the error for a model that is not there, without naming those that are: not all may be the caller's."""
    return ModelNotFound(f"There is no model '{name}' here. The models are listed at /v1/models.", param="model")


def _passes_on(answer: Answer) -> bool:
    """Whether another upstream is asked after this answer: also where only another one knows what the call goes on
    with, as behind an alias that shares its calls out.
    """
    if not isinstance(answer, KeptAnswer):
        return False
    if answer.status < _FIRST_ERROR:
        return is_error(answer.body) and not is_too_long(answer.body)
    if may_ask_another(answer.status) or answer.body.find(_NOT_HERE) >= 0:
        return True
    return is_beyond_a_minute(answer.status, words_of(answer.body))


def _check_others(caller: Caller, others: Sequence[str], targets: Sequence[WireTarget]) -> None:
    """Raise where an upstream could take a model that the caller may not ask."""
    for provider in {target.model.provider for target in targets}:
        for name in others:
            model = Model(id=other_id(provider, name), name=name, provider=provider)
            if not may_ask(caller, model, name):
                raise refused_model(caller, name, model)
