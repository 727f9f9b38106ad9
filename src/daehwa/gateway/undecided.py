"""An answer of which nothing has come yet but comments, for longer than a client should hear nothing: it is handed on,
and another upstream may still give it.

How this works and why. OpenRouter's streams begin with comments, by which connections are kept while a model is being
found, and an error may be the first that follows. Until the first event nothing of the answer is given, so the next
upstream can be asked; but where the head and comments had to go out meanwhile, what it answers goes into the same
stream, and a refusal of its own is told there as an error. Once an event is there, all is left to the answer it is of.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from daehwa.conversation.errors import (
    ProviderError,
    ProviderMalformedError,
    ProviderRateLimitError,
    ProviderRefusedError,
    ProviderUnavailableError,
)
from daehwa.conversation.upstreams import NO_ROOM, may_ask_another
from daehwa.gateway.answers import Answer, Claim, Headers, StreamedAnswer, Streaming, has_events
from daehwa.gateway.ports import KeptAnswer, Sink
from daehwa.gateway.wire_usage import said_in

COMMENT_SECONDS: Final = 5.0
"""So long comments are kept back before they are handed on: until then the next upstream answers with its own head."""
_FAILED: Final = 500
_FIRST_ERROR: Final = 400
_WORDS: Final = 300


class UndecidedAnswer:
    """A stream that the first upstream gives, or, where that fails before its first event, whoever `ask_next` finds.
    Whoever has it must `aclose` it. Fulfils `Streaming`.
    """

    def __init__(
        self, first: StreamedAnswer, ask_next: Callable[[], Awaitable[Answer]], headers: Headers, *, seconds: float
    ) -> None:
        self.status = first.status
        self.headers: Headers = (*(each for each in first.headers if each[0] == "content-type"), *headers)
        """Those of the first upstream speak of a call that may come to nothing."""
        self.claim: Claim | None = None
        self._first = first
        self._seconds = seconds
        self._ask_next: Callable[[], Awaitable[Answer]] | None = ask_next
        self._decided: Streaming | None = None

    @property
    def is_whole(self) -> bool:
        """Whether it came to its end."""
        return self._decided is not None and self._decided.is_whole

    async def read(self) -> bytes:
        """Return the next bytes; empty at the end. Raise `ProviderError`, and what asking the next upstream raises."""
        while (answer := self._decided) is None:
            if shown := await self._waited():
                return shown
        return await answer.read()

    async def forward(self, sink: Sink) -> bytes:
        """Write it into `sink` and return its last bytes. Raises as `read` does."""
        while (answer := self._decided) is None:
            if (shown := await self._waited()) and not sink.write(shown):
                await sink.drained()
        return await answer.forward(sink)

    def close_now(self) -> bool:
        """Close and count it, if nothing of that has to wait; return whether it is done."""
        return self._decided is not None and self._decided.close_now()

    async def aclose(self) -> None:
        """End the upstream call, if it has not ended, and count it."""
        if self._decided is not None:
            await self._decided.aclose()
            return
        claim, self.claim = self.claim, None
        try:
            await self._first.aclose()
        finally:
            if claim is not None:
                await claim.end(self)

    async def _waited(self) -> bytes:
        """Return comments that may go on, nothing where it has to be seen who answers: then wait for that."""
        if shown := self._first.comments():  # kept back for long enough
            if self.claim is not None:
                self.claim.add(shown)
            return shown
        try:
            if not await self._first.begun(self._seconds):
                return b""
        except ProviderError as fault:
            ask_next, self._ask_next = self._ask_next, None
            if ask_next is None or not may_ask_another(fault):
                raise
            next_one = _streamed(await ask_next())
            self._decide(next_one)
            _check_events(next_one)
        else:
            self._ask_next = None
            self._decide(self._first)
        return b""

    def _decide(self, answer: Streaming) -> None:
        answer.claim = self.claim
        self._decided = answer


def _streamed(answer: Answer) -> Streaming:
    """Return an answer that can go on in a stream. Raise what can not, as an error."""
    if not isinstance(answer, KeptAnswer):
        return answer
    if answer.status < _FIRST_ERROR:
        raise ProviderMalformedError("The upstream answered in one piece where a stream was asked for. Try again.")
    said = f" It says: “{words}”" if (words := _message_in(answer.body)) else ""
    sentence = f"Nobody could answer; who was asked last refused ({answer.status}).{said}"
    if answer.status in NO_ROOM:
        raise ProviderRateLimitError(sentence, status=answer.status)
    kind = ProviderUnavailableError if answer.status >= _FAILED else ProviderRefusedError
    raise kind(sentence, status=answer.status)


def _check_events(answer: Streaming) -> None:
    """Raise where an answer is sound, say, which would be noise after comments."""
    if not has_events(answer):
        raise ProviderMalformedError("The upstream's answer is no stream of events, as was asked for. Try again.")


def _message_in(body: bytes) -> str:
    error = said_in(body).error
    message = error.get("message") if isinstance(error, dict) else error
    return message[:_WORDS] if isinstance(message, str) else ""
