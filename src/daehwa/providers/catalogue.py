"""All models of all providers: listed, remembered for a while, found by name, and one of them the default.

How long things wait: a listing is asked for once at a time and kept for `lifetime`; when it is older it still serves
while a new one is fetched. Only the very first listing is waited for, and not for long, so that an upstream that does
not answer never holds up the page.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from enum import IntEnum
from typing import TYPE_CHECKING

from daehwa.conversation.errors import DaehwaError, KeyNotSet, ModelNotFound, ModelNotInstalled, ProviderError
from daehwa.conversation.ports import Model, ModelKind, Provider, ResolvedModel
from daehwa.providers.known import OFFERED, Described, HasGate, KnownModels, speaks_wire
from daehwa.providers.routes import ModelRoute, RoutedProvider

if TYPE_CHECKING:
    from daehwa.conversation.upstreams import ProviderState, UpstreamState
    from daehwa.gateway.ports import Endpoint, WireTarget

LIFETIME = 300.0
"""Seconds for which a listing is fresh."""

FIRST_WAIT = 3.0
"""Seconds for which the first listing of an upstream is waited for."""
_NAMED = 10
_MODERATION = "moderation"
_KINDS: dict[str, str] = {
    "completions": "completion",
    "embeddings": "embedding",
    "audio/transcriptions": "audio",
    "audio/translations": "audio",
    "audio/speech": "speech",
    "moderations": _MODERATION,
    "images/generations": "image",
    "images/edits": "image",
    "images/variations": "image",
}
"""Models are not told apart as "speech" or "moderation": which one speaks has to be named, one that moderates is looked
for by its name.
"""


class _Trouble(IntEnum):
    """Why a model is not asked first."""

    NONE = 0
    WAITING = 1
    STANDING_BY = 2
    SILENT = 3


class Catalogue:
    """Fulfils `ModelCatalogue` and `WireModels`. Providers come in the order of preference; a trial model is the
    default only where there is nothing else. `default` is the configured model, by id or by bare name. `in_background`
    False: an old listing is waited for too, and nothing is fetched once its caller has an answer, for a process that
    may stand still then. `routes` are the aliases. Closing the catalogue closes its providers.
    """

    def __init__(
        self,
        providers: Sequence[Provider],
        *,
        default: str | None = None,
        lifetime: float = LIFETIME,
        first_wait: float = FIRST_WAIT,
        in_background: bool = True,
        routes: Sequence[ModelRoute] = (),
    ) -> None:
        self._lost_routes: dict[str, ProviderError] = {}
        self._routes = {route.name: route for route in routes}
        self._listings = [
            KnownModels(provider, lifetime, first_wait, in_background=in_background) for provider in providers
        ]
        self._default = default

    async def warm_up(self) -> None:
        """Let every provider get ready, and fetch all listings."""
        await asyncio.gather(*(listing.warm_up() for listing in self._listings))

    async def models(self) -> Sequence[Model]:
        """Return every model that can be chosen now."""
        return [model for model in await self.listed() if model.kind in OFFERED]

    async def listed(self) -> Sequence[Model]:
        """Return every model of every kind, aliases first."""
        lists = await asyncio.gather(*(listing.current() for listing in self._listings))
        found = [route for name in self._routes if (route := await self._find(name)) is not None]
        aliases = [route.model for route in found if self._missing_key(route) is None]
        return [*aliases, *(model for models in lists for model in models or ())]

    async def targets(
        self, model: str | None, endpoint: "Endpoint", may_ask: Callable[[Model], bool] | None = None
    ) -> "Sequence[WireTarget]":
        """Return who can answer in OpenAI's own dialect; see `WireModels`."""
        found = await (self._default_for(endpoint, may_ask) if model is None else self._find(model))
        if found is None:
            raise await (self._no_default(endpoint) if model is None else self._not_found(model))
        if (fault := self._missing_key(found)) is not None:
            raise fault
        asked = found.provider.targets if isinstance(found.provider, RoutedProvider) else (found,)
        targets = [
            one.provider.wire_target(one.model, one.upstream_name)
            for one in asked
            if speaks_wire(one.provider) and one.provider.serves(endpoint)
        ]
        if not targets:
            raise ModelNotFound(_unserved(found, endpoint), param="model")
        return targets

    def upstreams(self) -> tuple["UpstreamState", ...]:
        """Return how each upstream fares: its circuit, and the calls under way."""
        providers = (listing.provider for listing in self._listings)
        return tuple(provider.upstream_gate.state() for provider in providers if isinstance(provider, HasGate))

    async def default_model(self) -> str | None:
        """Return the configured model if it is listed, or if its provider cannot be asked; else the best there is."""
        found = await self._default_model()
        return None if found is None or self._missing_key(found) is not None else found.model.id

    async def resolve(self, model: str | None) -> ResolvedModel:
        """Find a model by its id, by its bare name at the upstream, or the default."""
        found = await (self._default_model() if model is None else self._find(model))
        if found is None:
            raise self._nothing() if model is None else await self._not_found(model)
        if found.model.kind not in OFFERED:
            raise ModelNotFound(
                f"“{found.model.id}” is no model for conversations. Choose another model.", param="model"
            )
        if (fault := self._missing_key(found)) is not None:
            raise fault
        return found

    def _missing_key(self, found: ResolvedModel) -> KeyNotSet | None:
        """Return the fault of a model that is known not to answer, since its provider has no key."""
        if isinstance(found.provider, RoutedProvider):
            faults = [self._missing_key(target) for target in found.provider.targets]
            return faults[0] if all(faults) else None
        for listing in self._listings:
            if listing.provider is found.provider:
                fault = listing.fault
                return fault if isinstance(fault, KeyNotSet) else None
        return None

    def problems(self) -> dict[str, ProviderError]:
        """Return, by provider, why its models could not be listed when it was last asked, or why none can answer."""
        faults = {listing.provider.name: listing.fault for listing in self._listings if listing.fault is not None}
        return {**faults, **self._lost_routes}

    async def providers(self) -> tuple["ProviderState", ...]:
        """Return every provider, in the order of preference, and how it fares."""
        from daehwa.conversation.upstreams import ProviderState  # noqa: PLC0415 - asked for seldom, by admins

        found = []
        for listing in self._listings:
            models, provider, fault = await listing.current(), listing.provider, listing.fault
            told = provider if isinstance(provider, Described) else None
            found.append(
                ProviderState(
                    name=provider.name,
                    kind="scripted" if told is None else told.kind,
                    base_url=None if told is None else told.shown_url,
                    has_key=told is not None and told.has_key and not isinstance(fault, KeyNotSet),
                    models=len(models or ()),
                    problem=None if fault is None else fault.told,
                    upstream=provider.upstream_gate.state() if isinstance(provider, HasGate) else None,
                )
            )
        return tuple(found)

    def routes(self) -> dict[str, tuple[str, ...]]:
        """Return the aliases, with the models that they lead to."""
        return {name: tuple(target.model for target in route.targets) for name, route in self._routes.items()}

    async def unserved_targets(self) -> tuple[tuple[str, str], ...]:
        """Return each alias and target that no provider serves; one that cannot be asked now may serve it."""
        pairs = [(name, target.model) for name, route in self._routes.items() for target in route.targets]
        return tuple([pair for pair in pairs if await self._find_one(pair[1]) is None])

    async def aclose(self) -> None:
        """Stop asking, and close the providers."""
        for listing in self._listings:
            await listing.aclose()
            await listing.provider.aclose()

    async def _default_model(self) -> ResolvedModel | None:
        found = None if self._default is None else await self._find(self._default)
        if found is not None and found.model.kind in OFFERED:
            return found
        await asyncio.gather(*(listing.current() for listing in self._listings))
        if (best := self._best(OFFERED)) is not None:
            return best
        for listing in self._listings:
            if (sleeping := listing.sleeping()) is not None:
                return listing.resolved(sleeping)
        return None

    def _best(self, kinds: Collection[ModelKind]) -> ResolvedModel | None:
        for trial in (False, True):
            for listing in self._listings:
                if (best := listing.best(kinds, trial=trial)) is not None:
                    return listing.resolved(best)
        return None

    async def _default_for(self, endpoint: "Endpoint", may_ask: Callable[[Model], bool] | None) -> ResolvedModel | None:
        """Return the default model, or, where it is not of the kind that an endpoint is for, the first that is and that
        may be asked; for chats the best.
        """
        found, kind = await self._default_model(), _KINDS.get(endpoint, "chat")
        if found is not None and found.model.kind == kind:
            return found
        if kind == "chat":  # the default may be one that only goes on with a prompt
            return self._best({"chat"}) or found
        listed = await self.listed()
        of_kind = _moderating(listed) if kind == _MODERATION else [model for model in listed if model.kind == kind]
        if of_kind:
            best = of_kind[0] if may_ask is None else next(filter(may_ask, of_kind), of_kind[0])
            return await self._find(best.id)
        # Servers on one's own machine go on with prompts by any model.
        return found if endpoint == "completions" else None

    async def _find(self, model: str) -> ResolvedModel | None:
        route = self._routes.get(model)
        return await (self._find_one(model) if route is None else self._find_route(route))

    async def _find_route(self, route: ModelRoute) -> ResolvedModel | None:
        """Return an alias with those of its targets that are there: first those that have a place for the call now,
        then those where it waits for one, then those that stand by, last those that are known not to answer.
        """
        ranked: list[tuple[_Trouble, ResolvedModel]] = []
        for name in route.in_order():
            if (target := await self._find_one(name)) is not None:
                least = _Trouble.STANDING_BY if name in route.standing_by else _Trouble.NONE
                ranked.append((max(least, self._trouble(target)), target))
        if not ranked:
            self._lost_routes[route.name] = route.nobody()
            return None
        self._lost_routes.pop(route.name, None)
        found = [target for _, target in sorted(ranked, key=lambda each: each[0])]
        model = route.model([target.model for target in found])
        candidates = tuple(target.model.id for target in found)
        return ResolvedModel(RoutedProvider(model, found), model, route.name, candidates)

    def _trouble(self, found: ResolvedModel) -> _Trouble:
        if self._missing_key(found) is not None or found.model.state == "unavailable":
            return _Trouble.SILENT
        provider = found.provider
        if not isinstance(provider, HasGate):
            return _Trouble.NONE
        gate = provider.upstream_gate
        return _Trouble.SILENT if gate.is_open else _Trouble.WAITING if gate.is_full else _Trouble.NONE

    async def _find_one(self, model: str) -> ResolvedModel | None:
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
        for listing in self._listings:  # what is known well needs no task for each provider
            if not listing.is_fresh:
                break
            if (found := listing.find(name)) is not None:
                return listing.resolved(found)
        await asyncio.gather(*(listing.current() for listing in self._listings))
        for listing in self._listings:
            if (found := listing.find(name)) is not None:
                return listing.resolved(found)
        silent = next((listing for listing in self._listings if listing.models is None), None)
        return silent.unlisted(name) if silent is not None and may_guess else None

    async def _no_default(self, endpoint: "Endpoint") -> DaehwaError:
        """Return the error of a request without a model where the default cannot stand in."""
        if await self._default_model() is None:
            return self._nothing()
        sentence = f"Nobody here is known to serve /v1/{endpoint}. Name a model in the field “model”."
        return ModelNotFound(sentence, param="model")

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
        ids = [listed.id for listed in await self.listed() if listed.state != "unavailable"]
        if not ids:
            return self._nothing()
        import difflib  # noqa: PLC0415 - each start on AWS pays for imports, and this is a rare fault

        near = difflib.get_close_matches(model, ids, 3, 0.5)
        named = [*near, *(each for each in ids if each not in near)]
        more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
        sentence = f"No provider serves “{model}”. Choose one of: {', '.join(named[:_NAMED])}{more}."
        return ModelNotFound(sentence, param="model")


def _moderating(models: Sequence[Model]) -> list[Model]:
    """Return those whose names say that they moderate, last those for texts alone, as OpenAI's were once."""

    def name(model: Model) -> str:
        return model.id.removeprefix(f"{model.provider}/")

    found = [model for model in models if _MODERATION in name(model)]
    return sorted(found, key=lambda model: "omni" not in name(model))


def _unserved(found: ResolvedModel, endpoint: "Endpoint") -> str:
    if speaks_wire(found.provider) or isinstance(found.provider, RoutedProvider):
        return f"“{found.model.id}” does not serve /v1/{endpoint}. Ask /v1/chat/completions, or name another model."
    return f"“{found.model.id}” cannot be asked in this way. Choose another model."
