"""The server: every route and every middleware in one view. Stores, providers and turns come in from outside."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple, Protocol

from daehwa.accounts.errors import (
    AccountDisabled,
    BudgetExceeded,
    KeyExpired,
    KeyMissing,
    KeyNotFound,
    KeyRefused,
    KeyRevoked,
    KeyUnknown,
    ModelNotAllowed,
    NotAllowed,
    PriceUnknown,
    RateExceeded,
    SignInOff,
)
from daehwa.accounts.key_making import KeyWish
from daehwa.accounts.memberships import Memberships
from daehwa.conversation.errors import (
    Conflict,
    ConversationNotFound,
    IdTaken,
    InvalidParent,
    InvalidRequest,
    KeyNotSet,
    MessageNotFound,
    ModelNotFound,
    ModelNotInstalled,
    ModelNotOffered,
    ProviderError,
    ReplyStillGrowing,
    StoreError,
    TooMuch,
)
from daehwa.conversation.messages import Message
from daehwa.conversation.ports import KeptConversations, ModelCatalogue
from daehwa.conversation.purging import PurgeInPassing
from daehwa.conversation.running import RunningTurns
from daehwa.server.access_log import AccessLog, Traffic
from daehwa.server.api import keys, shapes, usage
from daehwa.server.api.budgets import BudgetList, BudgetsApi
from daehwa.server.api.conversations import ConversationsApi
from daehwa.server.api.keys import KeysApi
from daehwa.server.api.me import MeApi
from daehwa.server.api.models import ModelsApi
from daehwa.server.api.turns import TurnsApi
from daehwa.server.api.usage import UsageApi
from daehwa.server.asgi import ASGIApp, Receive, Scope, Send
from daehwa.server.auth import AuthApi, Doors, SignedOut, SignInQuery
from daehwa.server.books import Books
from daehwa.server.entrances import NO_ENTRANCES, Entrances
from daehwa.server.errors import BodyTooSlow, Dialect, ErrorAnswers, RouteNotFound, UnsupportedMediaType
from daehwa.server.identity import Identity
from daehwa.server.metrics import MetricsApi
from daehwa.server.openai_v1.api import DescribedV1, ListedModel, ModelList, OpenAIV1
from daehwa.server.openai_v1.errors import error_response as openai_error_response
from daehwa.server.openapi import OpenApi
from daehwa.server.options import ServerOptions
from daehwa.server.page import Page
from daehwa.server.routing import Handler, Operation, Router
from daehwa.server.safety import SafetyChecks, SafetyHeaders
from daehwa.server.sharing import SharedWith
from daehwa.sign_in.errors import ProviderOff
from daehwa.sign_in.flow import ProviderAnswer

if TYPE_CHECKING:
    from daehwa.server.classic import ClassicApi

_BODY = (TooMuch, UnsupportedMediaType, BodyTooSlow)
_ONE = (ConversationNotFound, StoreError)
_REPLY = (MessageNotFound, StoreError)
_MODEL = (ModelNotFound, ModelNotInstalled, KeyNotSet)
_REFUSED = (KeyRefused, NotAllowed, ModelNotAllowed, ModelNotOffered)
_CALL = (
    *(InvalidRequest, *_REFUSED, PriceUnknown, *_MODEL, Conflict, TooMuch, BodyTooSlow),
    *(BudgetExceeded, RateExceeded, ProviderError, StoreError),
)
_TURN = (*_ONE, MessageNotFound, *_MODEL, ModelNotOffered, InvalidParent, IdTaken, ReplyStillGrowing)


class App:
    """The ASGI application; `operations` is its table."""

    def __init__(
        self,
        router: Router,
        checks: SafetyChecks,
        traffic: Traffic,
        running: RunningTurns,
        programs: "Programs | None" = None,
    ) -> None:
        self.operations = router.operations
        self._running = running
        self._programs = programs
        dialects = () if programs is None else programs.dialects
        # From the outside in: the log sees every answer, the headers are on every answer, errors of all that follows
        # become answers.
        app: ASGIApp = ErrorAnswers(checks, dialects)
        app = SafetyHeaders(app)
        if checks.cors_origins:
            app = SharedWith(app, checks.cors_origins)
        self._app = AccessLog(app, traffic)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await self._app(scope, receive, send)

    async def aclose(self) -> None:
        """End the calls of programs and the turns, so that whoever waits for one is told; to be done before the end."""
        if self._programs is not None:
            self._programs.openai.end_calls()
        await self._running.aclose()


class Core(Protocol):
    """What the application stands on: conversations, the turns that run in them, and the models."""

    @property
    def store(self) -> KeptConversations:
        """Where conversations are kept."""
        ...

    @property
    def running(self) -> RunningTurns:
        """The turns."""
        ...

    @property
    def catalogue(self) -> ModelCatalogue:
        """The models that can be asked."""
        ...


class Programs(NamedTuple):
    """The dialects that other programs speak; that of the 2023 demo only where it is wanted."""

    openai: OpenAIV1
    classic: "ClassicApi | None" = None

    @property
    def operations(self) -> tuple[Operation, ...]:
        """Their rows."""
        openai = (*_openai(self.openai), *_described(DescribedV1()))
        return (*openai, *(() if self.classic is None else _classic(self.classic)))

    @property
    def dialects(self) -> tuple[Dialect, ...]:
        """How their errors are said."""
        openai = Dialect("/v1", openai_error_response)
        if self.classic is None:
            return (openai,)
        from daehwa.server.classic import error_response  # noqa: PLC0415 - where people sign in it is seldom wanted

        return (openai, Dialect("/chat", error_response), Dialect("/classic", error_response))


def create_app(
    core: Core,
    *,
    options: ServerOptions,
    books: Books,
    entrances: Entrances = NO_ENTRANCES,
    purge: PurgeInPassing | None = None,
    programs: Programs | None = None,
) -> App:
    """Return the application. Without an entrance, whoever reaches it is its owner. `purge` is for a home that has no
    other time to remove what was deleted. `programs`: the dialects that other programs speak, where they may.
    """
    store, running, catalogue = core.store, core.running, core.catalogue
    openapi, traffic = OpenApi(options.version), Traffic()
    sign_in, local = entrances.sign_in, entrances.local
    identity, has_sign_in, people = Identity(entrances, options), entrances.is_any, entrances.people
    memberships = Memberships(people.groups if has_sign_in and people is not None else None)
    operations = (
        *_home(MeApi(catalogue, books, options, entrances, memberships), ModelsApi(catalogue, books, memberships)),
        *_auth(AuthApi(sign_in, identity, options, local)),
        *_accounts(entrances, identity, options, books, core),
        *_conversations(ConversationsApi(store, running, options, purge)),
        *_turns(TurnsApi(store, running, options, memberships)),
        *_keys(KeysApi(books, options, identity.acts)),
        *_money(UsageApi(books), BudgetsApi(books, memberships)),
        *_watching(MetricsApi(traffic, books, has_sign_in=has_sign_in, as_now=entrances.as_now)),
        Operation("GET", "/api/openapi.json", openapi.get_openapi, answers=(dict,)),
    )
    openapi.operations = operations
    if programs is not None:
        operations = (*operations, *programs.operations)
    router = Router(operations, identify=identity.user_of, otherwise=Page(options.page).get_page)
    checks = SafetyChecks(router, options, identity, identity.public_url)
    return App(router, checks, traffic, running, programs)


def _home(me: MeApi, models: ModelsApi) -> Iterator[Operation]:
    yield Operation("GET", "/healthz", me.get_health, answers=(shapes.Health,), is_open=True)
    yield Operation("GET", "/api/me", me.get_me, answers=(shapes.Me,))
    yield Operation("GET", "/api/models", models.get_models, answers=(shapes.Models,))


def _auth(api: AuthApi) -> Iterator[Operation]:
    go, back, off = "/auth/sign-in", "/auth/callback", (SignInOff, ProviderOff)
    yield Operation("GET", go, api.begin_sign_in, query=SignInQuery, status=302, errors=off, is_open=True)
    yield Operation("GET", back, api.finish_sign_in, query=ProviderAnswer, status=302, errors=off, is_open=True)
    answers, errors = (SignedOut,), (SignInOff, StoreError)
    yield Operation("POST", "/auth/sign-out", api.sign_out, answers=answers, errors=errors, is_open=True)
    yield Operation("GET", "/auth/doors", api.get_doors, answers=(Doors,), is_open=True)


def _accounts(
    entrances: Entrances, identity: Identity, options: ServerOptions, books: Books, core: Core
) -> Iterator[Operation]:
    """Yield the rows of accounts and administration, where people sign in: any other start is spared their import."""
    people, erasure = entrances.people, entrances.erasure
    if entrances.is_any and people is not None and erasure is not None:
        from daehwa.server.account_operations import account_operations  # noqa: PLC0415 - see above
        from daehwa.server.administration import Administration  # noqa: PLC0415 - see above

        office = Administration(people, erasure, books, entrances.local, identity, options)
        yield from account_operations(office, core.store, core.running, core.catalogue)


def _conversations(api: ConversationsApi) -> Iterator[Operation]:
    every, one = "/api/conversations", "/api/conversations/{conversation}"
    query, listed = shapes.ConversationsQuery, (shapes.ConversationPage, shapes.SearchHits)
    yield Operation("GET", every, api.list_conversations, query=query, answers=listed, errors=(StoreError,))
    yield Operation("GET", one, api.get_conversation, answers=(shapes.OpenedConversation,), errors=_ONE)
    yield Operation(
        "PATCH",
        one,
        api.change_conversation,
        body=shapes.ConversationChanges,
        answers=(shapes.Conversation,),
        errors=(*_ONE, MessageNotFound, *_BODY),
    )
    yield Operation("DELETE", one, api.delete_conversation, status=204, errors=_ONE)
    yield Operation(
        "POST",
        f"{one}/restore",
        api.restore_conversation,
        answers=(shapes.Conversation,),
        errors=_ONE,
    )


def _turns(api: TurnsApi) -> Iterator[Operation]:
    events, stop = "/api/turns/{reply}/events", "/api/turns/{reply}/stop"
    yield Operation("POST", "/api/turns", api.start_turn, body=shapes.TurnBody, streams=True, errors=(*_TURN, *_BODY))
    yield Operation("GET", events, api.follow_turn, query=shapes.FollowQuery, streams=True, errors=_REPLY)
    yield Operation("POST", stop, api.stop_turn, answers=(Message,), errors=_REPLY)


def _openai(api: OpenAIV1) -> Iterator[Operation]:
    calls: tuple[tuple[str, Handler], ...] = (
        ("/v1/chat/completions", api.create_chat_completion),
        ("/v1/completions", api.create_completion),
        ("/v1/responses", api.create_response),
        ("/v1/embeddings", api.create_embedding),
        ("/v1/images/generations", api.create_image),
    )
    for path, handler in calls:
        yield Operation("POST", path, handler, errors=(*_CALL, UnsupportedMediaType), is_open=True)
    uploads: tuple[tuple[str, Handler], ...] = (
        ("/v1/audio/transcriptions", api.create_transcription),
        ("/v1/audio/translations", api.create_translation),
    )
    for path, handler in uploads:
        yield Operation("POST", path, handler, errors=_CALL, is_open=True)
    one, errors = "/v1/models/{model}", (ModelNotFound, KeyRefused, NotAllowed, StoreError)
    yield Operation("GET", "/v1/models", api.list_models, answers=(ModelList,), errors=errors[1:], is_open=True)
    yield Operation(
        "GET", one, api.retrieve_model, answers=(ListedModel,), errors=errors, is_open=True, has_slashes=True
    )


def _keys(api: KeysApi) -> Iterator[Operation]:
    every, one, listed = "/api/keys", "/api/keys/{key}", (keys.KeyList,)
    errors = (NotAllowed, StoreError)
    yield Operation("GET", every, api.list_keys, query=keys.KeysQuery, answers=listed, errors=errors)
    made, wrong = (keys.MadeKey,), (InvalidRequest, NotAllowed, StoreError, *_BODY)
    yield Operation("POST", every, api.make_key, body=KeyWish, answers=made, status=201, errors=wrong)
    yield Operation("DELETE", one, api.revoke_key, answers=(keys.Key,), errors=(KeyNotFound, StoreError))


def _money(used: UsageApi, budgets: BudgetsApi) -> Iterator[Operation]:
    query, answers, errors = usage.UsageOf, (usage.UsageReport,), (NotAllowed, StoreError)
    yield Operation("GET", "/api/usage", used.get_usage, query=query, answers=answers, errors=errors)
    yield Operation("GET", "/api/usage.csv", used.get_usage_csv, query=query, text="text/csv", errors=errors)
    yield Operation("GET", "/api/budgets", budgets.list_budgets, answers=(BudgetList,), errors=(StoreError,))


def _watching(api: MetricsApi) -> Iterator[Operation]:
    errors = (KeyMissing, KeyUnknown, KeyExpired, KeyRevoked, NotAllowed, AccountDisabled, StoreError)
    yield Operation("GET", "/metrics", api.get_metrics, text="text/plain", errors=errors, is_open=True)


def _described(api: DescribedV1) -> Iterator[Operation]:
    yield Operation("GET", "/v1/openapi.json", api.get_v1_openapi, answers=(dict,), is_open=True)


def _classic(api: "ClassicApi") -> Iterator[Operation]:
    from daehwa.server.classic import ClassicAnswer, ClassicQuestion  # noqa: PLC0415 - as above

    chats = (("/chat", api.answer_classic), ("/classic/chat", api.answer_classic_beside))
    for path, handler in chats:
        yield Operation("POST", path, handler, body=ClassicQuestion, answers=(ClassicAnswer,), is_open=api.needs_keys)
    if api.folder is not None:
        yield Operation("GET", "/classic", api.go_to_classic_start, status=308)
        yield Operation("GET", "/classic/", api.get_classic_start, errors=(RouteNotFound,))
        yield Operation("GET", "/classic/{file}", api.get_classic_file, errors=(RouteNotFound,), has_slashes=True)
