"""The providers of models, for admins: how they fare, and one small question to try one."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from daehwa.accounts.memberships import Memberships
from daehwa.conversation.errors import NotFound
from daehwa.conversation.ports import ModelCatalogue
from daehwa.conversation.trial import Asker, tried
from daehwa.conversation.upstreams import CircuitState, ProviderState
from daehwa.server.administration import Administration
from daehwa.server.asgi import Request, Response, json_response
from daehwa.server.body import json_body
from daehwa.server.local_auth import small


class ProviderNotFound(NotFound):
    """No provider has this name."""

    type = "provider_not_found"

    def __init__(self) -> None:
        super().__init__("There is no provider of this name in the settings.", param="provider")


class Circuit(msgspec.Struct, frozen=True, kw_only=True):
    """Whether an upstream is asked: "open", it is left alone for `again` seconds after so many `failures` in a row."""

    state: CircuitState
    failures: int
    since: int
    again: float | None
    calls: int
    waiting: int
    max_concurrent: int | None


class ListedProvider(msgspec.Struct, frozen=True, kw_only=True):
    """A provider as the settings and this process know it, without its key. `models` are how many it lists now, and
    `problem` why they are not there. `circuit` is null for one that has no upstream.
    """

    name: str
    kind: Literal["openai", "embedded", "scripted"]
    base_url: str | None
    has_key: bool
    models: int
    problem: str | None
    circuit: Circuit | None


class ProviderList(msgspec.Struct, frozen=True, kw_only=True):
    """The providers, in the order of preference, and the aliases with the models that they lead to."""

    providers: tuple[ListedProvider, ...]
    routes: dict[str, tuple[str, ...]]


class TrialWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which model to try; null: the provider's first."""

    model: Annotated[str, Meta(min_length=1, max_length=500)] | None = None


class TrialEnded(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a model answered, after how many milliseconds, and what it said, or what is wrong."""

    ok: bool
    ms: int
    model: str | None
    message: str


class ProvidersApi:
    """The operations of admins on providers."""

    def __init__(self, office: Administration, catalogue: ModelCatalogue) -> None:
        self._office = office
        self._catalogue = catalogue
        self._memberships = Memberships(office.people.groups)
        self._options = small(office.options)

    async def list_providers(self, _request: Request) -> Response:
        """List the providers that the settings name, and how they fare. Nothing secret is in it."""
        states = await self._catalogue.providers()
        routes = self._catalogue.routes()
        return json_response(ProviderList(providers=tuple(map(_listed, states)), routes=dict(routes)))

    async def test_provider(self, request: Request) -> Response:
        """Ask a model of this provider one small question, within 30 seconds. It is counted like any other."""
        wish = await json_body(request, TrialWish, self._options)
        name = request.path["provider"]
        if name not in {state.name for state in await self._catalogue.providers()}:
            raise ProviderNotFound
        groups = (await self._memberships.terms_of(request.user)).groups
        trial = await tried(
            self._catalogue,
            self._office.books.meter,
            provider=name,
            model=wish.model,
            asker=Asker(user=request.user.id, groups=groups),
        )
        await self._office.note(request, "provider.tested", name, ok=trial.is_ok)
        return json_response(TrialEnded(ok=trial.is_ok, ms=trial.ms, model=trial.model, message=trial.message))


def _listed(state: ProviderState) -> ListedProvider:
    upstream = state.upstream
    circuit = None
    if upstream is not None:
        circuit = Circuit(
            state=upstream.circuit,
            failures=upstream.failures,
            since=upstream.since,
            again=upstream.again,
            calls=upstream.calls,
            waiting=upstream.waiting,
            max_concurrent=upstream.max_concurrent,
        )
    return ListedProvider(
        name=state.name,
        kind=state.kind,
        base_url=state.base_url,
        has_key=state.has_key,
        models=state.models,
        problem=state.problem,
        circuit=circuit,
    )
