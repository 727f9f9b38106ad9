"""The same request twice is made, and paid for, once: by its `Idempotency-Key`.

How this works and why. Whoever claims the key first makes the call; its answer is kept as bytes and given again to
whoever sends the same. Only good answers are kept: one that failed has cost nothing, and trying again is what its
client wants. A second request that comes while the first is being answered waits for it, in this process without
asking the store, however long the first one takes: to the store its claim is over after a while.
"""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Literal, NamedTuple, TypeAlias

from daehwa.accounts.keys import Caller
from daehwa.conversation.errors import DaehwaError, InvalidRequest
from daehwa.conversation.ids import now_ms
from daehwa.gateway.answers import Answer, Streaming, is_error
from daehwa.gateway.asking import Asked
from daehwa.gateway.errors import IdempotencyKeyReused, StillAnswering
from daehwa.gateway.ports import AnswerStore, KeptAnswer

LONGEST_KEY = 255
WAIT_SECONDS = 60.0
"""How long a second request waits for the first one's answer."""
POLL_SECONDS = 1.0
MOST_HELD_BYTES = 16 * 1024 * 1024
"""Bytes of a stream that are held to be kept; of a longer one the claim stays, until it is over by itself."""

_Found: TypeAlias = KeptAnswer | Literal["new", "running"]
_FIRST_FAILURE = 300
_log = logging.getLogger("daehwa")


class OnceOnly:
    """Makes a call once for each caller and idempotency key."""

    def __init__(
        self, store: AnswerStore, *, clock: Callable[[], int] = now_ms, wait_seconds: float = WAIT_SECONDS
    ) -> None:
        self._store = store
        self._clock = clock
        self._wait_seconds = wait_seconds
        self._running: dict[tuple[str, str], _Claim] = {}
        self._givings_back: set[asyncio.Task[None]] = set()

    async def answer(self, caller: Caller, key: str, asked: Asked, make: Callable[[], Awaitable[Answer]]) -> Answer:
        """Return the kept answer, or a new one. Raise `IdempotencyKeyReused`, `AnswerTooLarge`, `StillAnswering`."""
        if not 0 < len(key) <= LONGEST_KEY:
            raise InvalidRequest(f"An Idempotency-Key has 1 to {LONGEST_KEY} characters.", param="Idempotency-Key")
        who = caller.user.id if caller.key is None else f"{caller.user.id}/{caller.key.id}"
        claim = await self._claimed(who, key, fingerprint(asked))
        if isinstance(claim, KeptAnswer):
            return _replayed(claim)
        try:
            answer = await make()
        except BaseException:  # cancelled too
            await claim.release()
            raise
        if not isinstance(answer, KeptAnswer):
            answer.claim = claim
        elif answer.status < _FIRST_FAILURE and not is_error(answer.body):
            await claim.keep(answer)
        else:
            await claim.release()
        return answer

    async def _claimed(self, who: str, key: str, print_: str) -> "KeptAnswer | _Claim":
        """Return the kept answer, or the claim once it is ours."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._wait_seconds
        while True:
            if (here := self._running.get((who, key))) is None:
                now = self._clock()
                found = await self._found(who, key, print_, now)
                if found == "new":
                    return _Claim(self._store, self._running, _Claimed(who, key, print_, now), self._clock)
                if isinstance(found, KeptAnswer):
                    return found
                here = self._running.get((who, key))
            elif here.fingerprint != print_:
                raise IdempotencyKeyReused
            left = until - loop.time()
            if left <= 0:
                raise StillAnswering
            with suppress(TimeoutError):
                async with asyncio.timeout(left if here is not None else min(left, POLL_SECONDS)):
                    await (here.ended if here is not None else asyncio.Event()).wait()

    async def _found(self, who: str, key: str, print_: str, now: int) -> _Found:
        claiming = asyncio.ensure_future(self._store.claim(who, key, print_, now=now))
        try:
            return await asyncio.shield(claiming)
        except asyncio.CancelledError:
            # The caller left. A claim that nobody answers for would keep off who comes again with the same key. They
            # may be cancelled once more meanwhile, so that a task of its own gives it back.
            giving_back = asyncio.ensure_future(self._give_back(claiming, who, key, now))
            self._givings_back.add(giving_back)
            giving_back.add_done_callback(self._givings_back.discard)
            await asyncio.shield(giving_back)
            raise

    async def _give_back(self, claiming: "asyncio.Future[_Found]", who: str, key: str, began: int) -> None:
        with suppress(DaehwaError):
            if await claiming == "new":
                await self._store.release(who, key, began=began)


class _Claimed(NamedTuple):
    """What was claimed, by whom and for which request; `began` (ms) is when."""

    who: str
    key: str
    fingerprint: str
    began: int


class _Claim:
    """The right of one process to answer a request, until the answer is kept or the right given back."""

    def __init__(
        self,
        store: AnswerStore,
        running: "dict[tuple[str, str], _Claim]",
        claimed: _Claimed,
        clock: Callable[[], int],
    ) -> None:
        self.fingerprint = claimed.fingerprint
        self.ended = asyncio.Event()
        self.pieces: list[bytes] = []
        self._size = 0
        self._store = store
        self._running = running
        self._place = claimed.who, claimed.key
        self._began = claimed.began
        self._clock = clock
        running[self._place] = self

    def add(self, piece: bytes) -> None:
        """Hold a piece of a stream."""
        self._size += len(piece)
        if self._size <= MOST_HELD_BYTES:
            self.pieces.append(piece)

    async def end(self, answer: Streaming) -> None:
        """Keep a stream that came to its end; give the right back where it did not."""
        if not answer.is_whole:
            await self.release()
        elif self._size <= MOST_HELD_BYTES:
            await self.keep(KeptAnswer(status=answer.status, headers=answer.headers, body=b"".join(self.pieces)))
        else:
            self._wake()

    async def keep(self, answer: KeptAnswer) -> None:
        """Keep an answer. Where that fails the claim stays: it is over by itself, and nothing is paid for twice."""
        try:
            await self._store.keep(*self._place, answer, began=self._began, now=self._clock())
        except DaehwaError as error:
            _log.warning("an answer is not kept for its Idempotency-Key: %s", error.message)
        finally:
            self._wake()

    async def release(self) -> None:
        """Give the right back."""
        try:
            await self._store.release(*self._place, began=self._began)
        except DaehwaError as error:
            _log.warning("an Idempotency-Key is not given back: %s", error.message)
        finally:
            self._wake()

    def _wake(self) -> None:
        self._running.pop(self._place, None)
        self.ended.set()


def _replayed(kept: KeptAnswer) -> KeptAnswer:
    """Return a kept answer without what was left of a rate when it was made: giving it again takes nothing of one."""
    headers = tuple((name, value) for name, value in kept.headers if not name.startswith("x-ratelimit-"))
    return KeptAnswer(status=kept.status, headers=headers, body=kept.body)


def fingerprint(asked: Asked) -> str:
    """Return what tells this request from another one under the same key."""
    digest = hashlib.sha256(f"POST {asked.endpoint}\n".encode())
    for part in asked.parts():
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return digest.hexdigest()
