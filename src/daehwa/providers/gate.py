"""The gate before one upstream: so many calls at a time pass, and none for a while after it failed again and again.

Who finds no place waits in line, first come, first served. The circuit opens after `FAILURES` calls in a row that came
to nothing (no connection, nothing in time, a break before the first word, a fault of the upstream's own); what was
asked wrongly, or too often, is an answer, and what breaks off later was one. Once the pause is over one call goes
through as a probe: the circuit closes when it is answered, and opens for twice the pause when it fails. A good answer
may take minutes to begin; so while nothing is known of a probe, a further one goes through after 1 s, the next 2 s
later, then 4, up to a minute: the others do not hang on one slow call, and few are sent to an upstream that is silent.
Nothing here runs once per token, and no timer runs while nobody waits.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from math import ceil
from typing import Final

from daehwa.conversation.errors import (
    ProviderCutError,
    ProviderError,
    ProviderRateLimitError,
    ProviderTimeoutError,
    ProviderUnavailableError,
    ProviderUnreachableError,
)
from daehwa.conversation.ids import now_ms
from daehwa.conversation.upstreams import NOT_NOW, CircuitState, UpstreamState

FAILURES = 5
"""So many failures in a row open the circuit."""
FIRST_PAUSE = 1.0
"""Seconds for which it is open the first time; each time it opens again without a success in between, twice as long."""
LONGEST_PAUSE = 60.0
PLACE_SECONDS = 10.0
"""So long a call waits for a place."""

_ANSWERED: Final = NOT_NOW - {408}
"""What callers can bring about, as 424 by a tool's server that is not there: no reason to keep others from asking."""
_COUNTED = (ProviderCutError, ProviderTimeoutError, ProviderUnavailableError, ProviderUnreachableError)


class Circuit:
    """Whether an upstream is asked at all. `since` (ms) is when it came to be open or closed.

    Probes are numbered from 1; 0 is a call that is none.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.failures = 0
        self.since = now_ms()
        self.last_fault = ""
        self._clock = clock
        self._open_until: float | None = None
        self._pause = FIRST_PAUSE
        self._probes = 0
        self._settled = 0  # the probes up to this one are of an earlier pause: by their failing it opens no more
        self._patience = FIRST_PAUSE  # seconds until a further probe, where nothing is known of the last one

    @property
    def state(self) -> CircuitState:
        """How it is."""
        if self._open_until is None:
            return "closed"
        is_probing = self._probes > self._settled
        return "open" if not is_probing and self._open_until > self._clock() else "half_open"

    @property
    def again(self) -> float | None:
        """Seconds until the upstream may be asked again; None where it may be now."""
        if self._open_until is None:
            return None
        left = self._open_until - self._clock()
        return left if left > 0 else None

    def begin(self) -> int:
        """Note a call; return its number as a probe."""
        if self._open_until is None:
            return 0
        self._probes += 1
        self._open_until = self._clock() + self._patience
        self._patience = min(LONGEST_PAUSE, self._patience * 2)
        return self._probes

    def answered(self, *, probe: int) -> None:
        """Note that a probe is being answered: others may follow. Whether all is well shows at its first content."""
        if probe and self._open_until is not None:
            self._close()
            self.failures = FAILURES - 1

    def succeeded(self) -> None:
        """Note a call that came to something."""
        if self._open_until is not None:
            self._close()
        self.failures, self._pause = 0, FIRST_PAUSE

    def _close(self) -> None:
        self._open_until, self._settled, self.since = None, self._probes, now_ms()

    def failed(self, why: str, *, probe: int = 0) -> None:
        """Note a call that came to nothing. Of several probes beside each other the first that fails opens it again."""
        self.failures += 1
        self.last_fault = why
        was_closed = self._open_until is None
        opens = self.failures >= FAILURES if was_closed else probe > self._settled
        if not opens:
            return
        if was_closed:
            self.since = now_ms()
        self._open_until = self._clock() + self._pause
        self._pause = min(LONGEST_PAUSE, self._pause * 2)
        self._settled, self._patience = self._probes, FIRST_PAUSE

    def abandoned(self, probe: int) -> None:
        """Note a probe that its caller gave up: where it was the last one, the next call is one."""
        if self._settled < probe == self._probes:
            self._open_until, self._patience = self._clock(), FIRST_PAUSE


class Passage:
    """One call that has passed the gate, until it leaves. Only the first word about how it went counts."""

    __slots__ = ("_gate", "_has_left", "_is_told", "_probe")

    def __init__(self, gate: "Gate", *, probe: int) -> None:
        self._gate = gate
        self._probe = probe
        self._is_told = False
        self._has_left = False

    def answered(self) -> None:
        """Say that a good answer has begun, by its status, nothing else of which may have come yet."""
        self._gate.circuit.answered(probe=self._probe)

    def succeeded(self) -> None:
        """Say that it came to something."""
        if not self._is_told:
            self._is_told = True
            self._gate.circuit.succeeded()

    def failed(self, error: ProviderError) -> None:
        """Say what it came to: any error that is the upstream's doing counts, and others show that it is there."""
        if self._is_told:
            return
        if not isinstance(error, _COUNTED) or error.status in _ANSWERED:
            self.succeeded()
            return
        self._is_told = True
        self._gate.circuit.failed(error.message, probe=self._probe)

    def leave(self) -> None:
        """Give the place to the next one. More than once is fine."""
        if self._has_left:
            return
        self._has_left = True
        if self._probe and not self._is_told:
            self._gate.circuit.abandoned(self._probe)
        self._gate.give_place()


class Gate:
    """The gate of the upstream `name`."""

    def __init__(
        self,
        name: str,
        *,
        max_concurrent: int | None = None,
        place_seconds: float = PLACE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.circuit = Circuit(clock)
        self.calls = 0
        self._name = name
        self._most = max_concurrent
        self._place_seconds = place_seconds
        self._line: deque[asyncio.Future[None]] = deque()

    @property
    def is_open(self) -> bool:
        """Whether the circuit lets nobody through now."""
        return self.circuit.again is not None

    @property
    def is_full(self) -> bool:
        """Whether a call would have to wait for a place now."""
        return self._most is not None and (self.calls >= self._most or bool(self._line))

    def state(self) -> UpstreamState:
        """Return how the upstream fares."""
        return UpstreamState(
            provider=self._name,
            circuit=self.circuit.state,
            failures=self.circuit.failures,
            since=self.circuit.since,
            again=self.circuit.again,
            calls=self.calls,
            waiting=sum(not place.done() for place in self._line),
            max_concurrent=self._most,
        )

    async def enter(self) -> Passage:
        """Return once there is a place. Raise `ProviderUnavailableError` while the circuit is open, and
        `ProviderRateLimitError` where no place comes free in time.
        """
        self._refuse_while_open()
        if self.is_full:
            await self._place()
            try:
                self._refuse_while_open()
            except ProviderError:
                self.give_place()
                raise
        else:
            self.calls += 1
        return Passage(self, probe=self.circuit.begin())

    def _refuse_while_open(self) -> None:
        if (refusal := self.refusal()) is not None:
            raise refusal

    async def _place(self) -> None:
        place = asyncio.get_running_loop().create_future()
        self._line.append(place)
        try:
            async with asyncio.timeout(self._place_seconds):
                await place
        except BaseException as why:  # cancelled too
            if place.done() and not place.cancelled():
                self.give_place()
            elif place in self._line:
                self._line.remove(place)
            if isinstance(why, TimeoutError):
                raise self._busy() from None
            raise

    def give_place(self) -> None:
        """Take a call's place back: whoever has waited longest has it next."""
        while self._line:
            place = self._line.popleft()
            if not place.done():
                place.set_result(None)
                return
        self.calls -= 1

    def refusal(self) -> ProviderUnavailableError | None:
        """Return why nobody is let through now, None where somebody is."""
        again = self.circuit.again
        if again is None:
            return None
        seconds = max(1, ceil(again))
        refused = ProviderUnavailableError(
            f"{self._name} failed {self.circuit.failures} times in a row and is not asked for a while; try again in "
            f"{seconds} s. The last time: {self.circuit.last_fault}",
            retry_after=seconds,
        )
        refused.refusal = "circuit_open"  # an upstream's own 503 is none
        return refused

    def _busy(self) -> ProviderRateLimitError:
        return ProviderRateLimitError(
            f"{self._name} has {self._most} calls under way, as many as the settings allow, and none ended within "
            f"{self._place_seconds:g} s. Try again in a moment.",
            retry_after=1.0,
        )
