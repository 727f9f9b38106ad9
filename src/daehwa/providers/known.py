"""What one provider lists, as far as is known: asked for once at a time, remembered for a while, found by name."""

import asyncio
import time
from collections.abc import Collection
from functools import cache
from typing import TYPE_CHECKING, Protocol, TypeGuard, runtime_checkable

from daehwa.conversation.errors import KeyNotSet, ProviderError, ProviderTimeoutError
from daehwa.conversation.ports import Model, ModelKind, Provider, ResolvedModel
from daehwa.providers.listing import PREFERRED, model_kind

if TYPE_CHECKING:
    from daehwa.conversation.upstreams import ProviderKind
    from daehwa.gateway.ports import Endpoint, WireTarget
    from daehwa.providers.gate import Gate

OFFERED: frozenset[ModelKind] = frozenset({"chat", "completion"})
"""The kinds of models that answer in a conversation."""

_FAULT_LIFETIME = 10.0
_NO_KEY_LIFETIME = 1.0  # whoever has just set it tries at once


@runtime_checkable
class ListsAtOnce(Protocol):
    """A provider on this machine: asking it costs nothing and its state changes, so it is asked every time."""

    lists_at_once: bool


@runtime_checkable
class TellsFault(Protocol):
    """A provider that lists its models although none of them can answer, and knows why."""

    fault: ProviderError | None


@runtime_checkable
class StartsAgain(Protocol):
    """A provider that has ended and that the next question starts again, while `starts_again` is true."""

    starts_again: bool


@runtime_checkable
class HasAddress(Protocol):
    """A provider that is a server somewhere."""

    address: str


@runtime_checkable
class Described(Protocol):
    """A provider that can be told apart by more than its name: never by its key."""

    kind: "ProviderKind"

    @property
    def shown_url(self) -> str | None:
        """Where its upstream is, without what may be secret in it."""
        ...

    @property
    def has_key(self) -> bool:
        """Whether it sends a key."""
        ...


@runtime_checkable
class WarmsUp(Protocol):
    """A provider that can get ready before it is asked."""

    async def warm_up(self) -> None:
        """Return when it is ready, or cannot be."""
        ...


@runtime_checkable
class SpeaksWire(Protocol):
    """A provider that takes requests in OpenAI's own dialect."""

    def wire_target(self, model: Model, upstream_name: str) -> "WireTarget":
        """Return what sends requests for a model, which the provider calls `upstream_name`."""
        ...

    def serves(self, endpoint: "Endpoint") -> bool:
        """Whether requests of this kind may be sent at all; its server may refuse them all the same."""
        ...


@cache
def _has_targets(kind: type) -> bool:
    return issubclass(kind, SpeaksWire)


def speaks_wire(provider: Provider) -> TypeGuard[SpeaksWire]:
    """Whether a provider is a `SpeaksWire`. Asked for every call, and slow to find out: a class is looked at once."""
    return _has_targets(type(provider))


@runtime_checkable
class HasGate(Protocol):
    """A provider whose calls pass a gate."""

    @property
    def upstream_gate(self) -> "Gate":
        """The gate before its upstream."""
        ...


class KnownModels:
    """What one provider lists, as far as is known."""

    def __init__(self, provider: Provider, lifetime: float, first_wait: float, *, in_background: bool) -> None:
        self.provider = provider
        self.models: tuple[Model, ...] | None = None
        self._fault: ProviderError | None = None
        self._lifetime = lifetime
        self._first_wait = first_wait
        self._in_background = in_background
        self._is_local = isinstance(provider, ListsAtOnce) and provider.lists_at_once
        self._teller = provider if isinstance(provider, TellsFault) else None  # to ask that is slow
        self._gated = provider if isinstance(provider, HasGate) else None
        self._fresh_until = 0.0
        self._waited_for_until = 0.0
        self._asking: asyncio.Task[None] | None = None

    @property
    def fault(self) -> ProviderError | None:
        """Why the models could not be listed when last asked for, or why none of them can answer."""
        own = None if self._teller is None else self._teller.fault
        return self._fault or own or (None if self._gated is None else self._gated.upstream_gate.refusal())

    @property
    def is_fresh(self) -> bool:
        """Whether what is known needs no asking for."""
        return not self._is_local and time.monotonic() < self._fresh_until

    async def current(self) -> tuple[Model, ...] | None:
        """Return what is listed; None where the provider cannot be asked."""
        if not self.is_fresh:
            task = self._ask()
            if self.models is None or self._is_local or not self._in_background:
                await asyncio.wait({task}, timeout=max(0.0, self._waited_for_until - time.monotonic()))
                if not task.done():
                    self._give_up(task)
        return self.models

    def _give_up(self, task: asyncio.Task[None]) -> None:
        self._fault = self._silence()
        if not self._in_background:
            task.cancel()
            self._fresh_until = time.monotonic() + min(_FAULT_LIFETIME, self._lifetime)

    async def warm_up(self) -> None:
        """Let the provider get ready, and fetch its listing."""
        if isinstance(self.provider, WarmsUp):
            await self.provider.warm_up()
        await self.current()

    def _ask(self) -> asyncio.Task[None]:
        if self._asking is None or self._asking.done():
            self._asking = asyncio.get_running_loop().create_task(self._refresh())
            # Counted from here: one request may ask several times, and many may come while an upstream is silent.
            patience = self._first_wait if self._fault is None else self._first_wait / 3
            self._waited_for_until = time.monotonic() + patience
        return self._asking

    async def _refresh(self) -> None:
        try:
            self.models = tuple(await self.provider.models())
        except ProviderError as fault:
            self._fault = fault
            lifetime = _NO_KEY_LIFETIME if isinstance(fault, KeyNotSet) else _FAULT_LIFETIME
            self._fresh_until = time.monotonic() + min(lifetime, self._lifetime)
        else:
            self._fault = None
            self._fresh_until = time.monotonic() + self._lifetime

    def _silence(self) -> ProviderError:
        address = f" at {self.provider.address}" if isinstance(self.provider, HasAddress) else ""
        return ProviderTimeoutError(
            f"{self.provider.name}{address} has not answered for {self._first_wait:g} s. Check that it is running and "
            "that the base URL is right."
        )

    def find(self, name: str) -> Model | None:
        """Return the listed model of this name at the upstream. Ollama's names stand for their ":latest"."""
        ids = {f"{self.provider.name}/{name}", f"{self.provider.name}/{name}:latest"}
        for model in self.models or ():
            if model.id in ids:
                return model
        return None

    def best(self, kinds: Collection[ModelKind], *, trial: bool) -> Model | None:
        """Return the first preferred model of these kinds that is listed, else the first; none that is known not to
        work.
        """
        models = [model for model in self.models or () if model.state != "unavailable" and model.trial == trial]
        preferred = {f"{self.provider.name}/{name}": rank for rank, name in enumerate(PREFERRED)}
        ranks = {"chat": len(preferred), "completion": len(preferred) + 1}
        return min(
            (model for model in models if model.kind in kinds),
            key=lambda model: preferred.get(model.id, ranks[model.kind]),
            default=None,
        )

    def sleeping(self) -> Model | None:
        """Return a model that cannot answer now and will when it is asked."""
        is_sleeping = isinstance(self.provider, StartsAgain) and self.provider.starts_again
        return next(iter(self.models or ()), None) if is_sleeping else None

    def resolved(self, model: Model) -> ResolvedModel:
        """Return the model with its provider and its name there."""
        return ResolvedModel(self.provider, model, model.id.removeprefix(f"{self.provider.name}/"))

    def unlisted(self, name: str) -> ResolvedModel:
        """Return a model that may be there: the provider could not be asked, so the turn will tell."""
        name = name.removeprefix(f"{self.provider.name}/")
        kind = model_kind(name)
        model = Model(
            id=f"{self.provider.name}/{name}",
            name=name,
            provider=self.provider.name,
            kind="chat" if kind == "other" else kind,
            titles=kind != "completion",
            sees_images=kind != "completion",
        )
        return ResolvedModel(self.provider, model, name)

    async def aclose(self) -> None:
        """Stop asking."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait({self._asking})
