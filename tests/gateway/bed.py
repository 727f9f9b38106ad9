"""A gateway to try things on: scripted upstreams, stores in memory, a meter that remembers."""

import asyncio
from pathlib import Path
from typing import Literal

from daehwa.accounts.people import User
from daehwa.conversation.errors import DaehwaError
from daehwa.conversation.messages import Usage
from daehwa.conversation.metering import AskedBy, Charge, Outcome, PaidCall
from daehwa.conversation.room import Room
from daehwa.gateway.callers import Callers
from daehwa.gateway.calls import Gateway
from daehwa.gateway.idempotency import OnceOnly
from daehwa.gateway.rates import Rates
from daehwa.gateway.scripted import ScriptedModels, ScriptedTarget
from daehwa.gateway.undecided import COMMENT_SECONDS
from daehwa.server.classic import ClassicApi
from daehwa.server.openai_v1.api import OpenAIV1, WireLimits
from daehwa.server.options import ServerOptions
from daehwa.server.programs import Programs, Spoken
from daehwa.stores.memory_accounts import MemoryAccounts
from daehwa.stores.memory_answers import MemoryAnswers
from daehwa.stores.memory_keys import MemoryKeys
from daehwa.stores.memory_rates import MemoryRates

OWNER = User(id="me", name="Tester", role="admin")
LIMITS = WireLimits(json_bytes=1_000_000, upload_bytes=20_000_000, body_seconds=2.0, upload_seconds=5.0)


class RememberingMeter:
    """A `Meter` that lets everything pass, or refuses with `refusal`, and remembers."""

    def __init__(self) -> None:
        self.calls: list[PaidCall] = []
        self.outcomes: list[Outcome] = []
        self.refusal: Exception | None = None
        self.output_limit: int | None = None
        self.settled = asyncio.Event()

    async def open(self, call: PaidCall) -> Charge:
        if self.refusal is not None:
            raise self.refusal
        self.calls.append(call)
        return _Charge(self)

    def note_refused(self, by: AskedBy, error: DaehwaError) -> None:
        pass


class _Charge:
    def __init__(self, meter: RememberingMeter) -> None:
        self.output_limit = meter.output_limit
        self._meter = meter
        self._is_settled = False

    def priced(self, outcome: Outcome) -> Usage | None:
        return outcome.usage

    def settle_now(self, outcome: Outcome) -> bool:
        assert not self._is_settled, "counted once"
        self._is_settled = True
        self._meter.outcomes.append(outcome)
        self._meter.settled.set()
        return True

    async def settle(self, outcome: Outcome) -> Usage | None:
        self.settle_now(outcome)
        return outcome.usage


class NotedKeys(MemoryKeys):
    """Keys that remember how often a last use was written down."""

    def __init__(self) -> None:
        super().__init__()
        self.noted: list[str] = []

    async def note_key_used(self, key: str, *, now: int) -> None:
        self.noted.append(key)
        await super().note_key_used(key, now=now)


class Bed:
    """The parts of a gateway. `usage` is what the scripted upstream says by default."""

    usage = Usage(input=7, output=5)
    comment_seconds = COMMENT_SECONDS

    def __init__(self, *targets: ScriptedTarget) -> None:
        self.models = ScriptedModels(*targets)
        self.meter = RememberingMeter()
        self.keys = NotedKeys()
        self.accounts = MemoryAccounts()
        self.answers = MemoryAnswers()
        self.once = OnceOnly(self.answers, wait_seconds=1.0)
        self.gateway = Gateway(
            self.models, self.meter, Rates(MemoryRates()), self.once, comment_seconds=self.comment_seconds
        )

    def programs(
        self,
        *,
        owner: User | None = OWNER,
        folder: Path | None = None,
        has_classic: bool = True,
        home: Literal["local", "aws"] = "local",
        room: Room | None = None,
    ) -> Programs:
        """Return the dialects; `owner` None: everybody needs a key. On AWS each request has a deadline."""
        callers = Callers(self.keys, self.accounts, owner=owner, local=OWNER)
        openai = OpenAIV1(self.gateway, callers, LIMITS, has_deadline=home == "aws", room=room)
        options = ServerOptions(version="0", home=home, room=room or Room())
        classic = ClassicApi(self.gateway, options, folder) if has_classic else None
        return Programs(lambda: Spoken(openai, classic), has_classic=has_classic)
