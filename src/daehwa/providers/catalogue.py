"""All models of all providers: listed, remembered for a while, found by name, and one of them the default.

How long things wait: a listing is asked for once at a time and kept for `lifetime`; when it is older it still serves
while a new one is fetched. Only the very first listing is waited for, and not for long, so that an upstream that does
not answer never holds up the page.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from daehwa.conversation.errors import (
    DaehwaError,
    KeyNotSet,
    ModelNotFound,
    ModelNotInstalled,
    ProviderError,
    ProviderTimeoutError,
)
from daehwa.conversation.ports import Model, Provider, ResolvedModel
from daehwa.providers.listing import PREFERRED

LIFETIME = 300.0
"""Seconds for which a listing is fresh."""

_FAULT_LIFETIME = 10.0
_NO_KEY_LIFETIME = 1.0  # whoever has just set it tries at once
FIRST_WAIT = 3.0
"""Seconds for which the first listing of an upstream is waited for."""
_NAMED = 10


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
class WarmsUp(Protocol):
    """A provider that can get ready before it is asked."""

    async def warm_up(self) -> None:
        """Return when it is ready, or cannot be."""
        ...


class _Listing:
    """What one provider lists, as far as is known."""

    def __init__(self, provider: Provider, lifetime: float, first_wait: float, *, in_background: bool) -> None:
        self.provider = provider
        self.models: tuple[Model, ...] | None = None
        self._fault: ProviderError | None = None
        self._lifetime = lifetime
        self._first_wait = first_wait
        self._in_background = in_background
        self._is_local = isinstance(provider, ListsAtOnce) and provider.lists_at_once
        self._fresh_until = 0.0
        self._waited_for_until = 0.0
        self._asking: asyncio.Task[None] | None = None

    @property
    def fault(self) -> ProviderError | None:
        """Why the models could not be listed when last asked for, or why none of them can answer."""
        own = self.provider.fault if isinstance(self.provider, TellsFault) else None
        return self._fault or own

    async def current(self) -> tuple[Model, ...] | None:
        """Return what is listed; None where the provider cannot be asked."""
        if self._is_local or time.monotonic() >= self._fresh_until:
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
        return next((model for model in self.models or () if model.id in ids), None)

    def best(self, *, trial: bool) -> Model | None:
        """Return the first preferred model that is listed, else the first; none that is known not to work."""
        models = [model for model in self.models or () if model.state != "unavailable" and model.trial == trial]
        preferred = {f"{self.provider.name}/{name}": rank for rank, name in enumerate(PREFERRED)}
        return min(models, key=lambda model: preferred.get(model.id, len(preferred)), default=None)

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
        model = Model(id=f"{self.provider.name}/{name}", name=name, provider=self.provider.name)
        return ResolvedModel(self.provider, model, name)

    async def aclose(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait({self._asking})


class Catalogue:
    """Fulfils `ModelCatalogue`. Providers come in the order of preference; a trial model is the default only where
    there is nothing else. `default` is the configured model, by id or by bare name. `in_background` False: an old
    listing is waited for too, and nothing is fetched once its caller has an answer, for a process that may stand still
    then. Closing the catalogue closes its providers.
    """

    def __init__(
        self,
        providers: Sequence[Provider],
        *,
        default: str | None = None,
        lifetime: float = LIFETIME,
        first_wait: float = FIRST_WAIT,
        in_background: bool = True,
    ) -> None:
        self._listings = [
            _Listing(provider, lifetime, first_wait, in_background=in_background) for provider in providers
        ]
        self._default = default

    async def warm_up(self) -> None:
        """Let every provider get ready, and fetch all listings."""
        await asyncio.gather(*(listing.warm_up() for listing in self._listings))

    async def models(self) -> Sequence[Model]:
        """Return every model that can be chosen now."""
        lists = await asyncio.gather(*(listing.current() for listing in self._listings))
        return [model for models in lists for model in models or ()]

    async def default_model(self) -> str | None:
        """Return the configured model if it is listed, or if its provider cannot be asked; else the best there is."""
        found = await self._default_model()
        return None if found is None or self._missing_key(found) is not None else found.model.id

    async def resolve(self, model: str | None) -> ResolvedModel:
        """Find a model by its id, by its bare name at the upstream, or the default."""
        found = await (self._default_model() if model is None else self._find(model))
        if found is None:
            raise self._nothing() if model is None else await self._not_found(model)
        if (fault := self._missing_key(found)) is not None:
            raise fault
        return found

    def _missing_key(self, found: ResolvedModel) -> KeyNotSet | None:
        """Return the fault of a model that is known not to answer, since its provider has no key."""
        fault = next(listing.fault for listing in self._listings if listing.provider is found.provider)
        return fault if isinstance(fault, KeyNotSet) else None

    def problems(self) -> dict[str, ProviderError]:
        """Return, by provider, why its models could not be listed when it was last asked, or why none can answer."""
        return {listing.provider.name: listing.fault for listing in self._listings if listing.fault is not None}

    async def aclose(self) -> None:
        """Stop asking, and close the providers."""
        for listing in self._listings:
            await listing.aclose()
            await listing.provider.aclose()

    async def _default_model(self) -> ResolvedModel | None:
        if self._default is not None and (found := await self._find(self._default)) is not None:
            return found
        await asyncio.gather(*(listing.current() for listing in self._listings))
        for trial in (False, True):
            for listing in self._listings:
                if (best := listing.best(trial=trial)) is not None:
                    return listing.resolved(best)
        for listing in self._listings:
            if (sleeping := listing.sleeping()) is not None:
                return listing.resolved(sleeping)
        return None

    async def _find(self, model: str) -> ResolvedModel | None:
        provider, _, name = model.partition("/")
        is_refused = False
        for listing in self._listings:
            if listing.provider.name == provider and name:
                await listing.current()
                if (found := listing.find(name)) is not None:
                    return listing.resolved(found)
                if listing.models is None:
                    return listing.unlisted(name)
                is_refused = True
        return await self._find_by_name(model, may_guess=not is_refused)

    async def _find_by_name(self, name: str, *, may_guess: bool) -> ResolvedModel | None:
        await asyncio.gather(*(listing.current() for listing in self._listings))
        for listing in self._listings:
            if (found := listing.find(name)) is not None:
                return listing.resolved(found)
        silent = next((listing for listing in self._listings if listing.models is None), None)
        return silent.unlisted(name) if silent is not None and may_guess else None

    def _nothing(self) -> DaehwaError:
        """Return the error of having no model at all, with the reasons."""
        problems = self.problems().values()
        for problem in problems:
            if isinstance(problem, KeyNotSet):
                return problem
        if not problems:
            sentence = "There is no model to answer."
            if not self._listings:
                sentence += " Set OPENAI_API_KEY, or add a provider to daehwa.toml, and start again."
            return ModelNotFound(sentence, param="model")
        sentences = " ".join(problem.message for problem in problems)
        if all(isinstance(problem, ModelNotInstalled) for problem in problems):
            return ModelNotInstalled(sentences)
        return ModelNotFound(sentences, param="model")

    async def _not_found(self, model: str) -> DaehwaError:
        ids = [listed.id for listed in await self.models() if listed.state != "unavailable"]
        if not ids:
            return self._nothing()
        import difflib  # noqa: PLC0415 - each start on AWS pays for imports, and this is a rare fault

        near = difflib.get_close_matches(model, ids, 3, 0.5)
        named = [*near, *(each for each in ids if each not in near)]
        more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
        sentence = f"No provider serves “{model}”. Choose one of: {', '.join(named[:_NAMED])}{more}."
        return ModelNotFound(sentence, param="model")
