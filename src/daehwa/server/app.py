"""The server: every route and every middleware in one view. Stores, providers and turns come in from outside."""

from daehwa.conversation.errors import (
    ConversationNotFound,
    IdTaken,
    InvalidParent,
    MessageNotFound,
    ModelNotFound,
    ReplyStillGrowing,
    TooMuch,
)
from daehwa.conversation.messages import Message
from daehwa.conversation.ports import ConversationStore, ModelCatalogue
from daehwa.conversation.running import RunningTurns
from daehwa.server.access_log import AccessLog
from daehwa.server.api import shapes
from daehwa.server.api.conversations import ConversationsApi
from daehwa.server.api.me import MeApi
from daehwa.server.api.models import ModelsApi
from daehwa.server.api.turns import TurnsApi
from daehwa.server.asgi import ASGIApp, Receive, Scope, Send
from daehwa.server.errors import BodyTooSlow, ErrorAnswers, UnsupportedMediaType
from daehwa.server.openapi import OpenApi
from daehwa.server.options import ServerOptions
from daehwa.server.page import Page
from daehwa.server.routing import EVENT_STREAM, Operation, Router
from daehwa.server.safety import SafetyChecks, SafetyHeaders

_BODY = (TooMuch, UnsupportedMediaType, BodyTooSlow)
_TURN = (ConversationNotFound, MessageNotFound, ModelNotFound, InvalidParent, IdTaken, ReplyStillGrowing)


class App:
    """The ASGI application; `operations` is its table."""

    def __init__(self, router: Router, options: ServerOptions) -> None:
        self.operations = router.operations
        # From the outside in: the log sees every answer, the headers are on every answer, errors of all that follows
        # become answers.
        app: ASGIApp = SafetyChecks(router, options)
        app = ErrorAnswers(app)
        app = SafetyHeaders(app)
        self._app = AccessLog(app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await self._app(scope, receive, send)


def create_app(
    *, store: ConversationStore, running: RunningTurns, catalogue: ModelCatalogue, options: ServerOptions
) -> App:
    """Return the application."""
    me = MeApi(catalogue, options)
    models = ModelsApi(catalogue)
    conversations = ConversationsApi(store, options)
    turns = TurnsApi(store, running, options)
    openapi = OpenApi(options.version)

    one = "/api/conversations/{conversation}"
    listed = shapes.ConversationPage | shapes.SearchHits
    operations = (
        Operation(method="GET", path="/healthz", handler=me.get_health, answer=shapes.Health),
        Operation(method="GET", path="/api/me", handler=me.get_me, answer=shapes.Me),
        Operation(method="GET", path="/api/models", handler=models.list_models, answer=shapes.Models),
        Operation(
            method="GET",
            path="/api/conversations",
            handler=conversations.list_conversations,
            query=shapes.ConversationsQuery,
            answer=listed,
        ),
        Operation(
            method="GET",
            path=one,
            handler=conversations.get_conversation,
            answer=shapes.WholeConversation,
            errors=(ConversationNotFound,),
        ),
        Operation(
            method="PATCH",
            path=one,
            handler=conversations.change_conversation,
            body=shapes.ConversationChanges,
            answer=shapes.Conversation,
            errors=(ConversationNotFound, MessageNotFound, *_BODY),
        ),
        Operation(
            method="DELETE",
            path=one,
            handler=conversations.delete_conversation,
            status=204,
            errors=(ConversationNotFound,),
        ),
        Operation(
            method="POST",
            path=f"{one}/restore",
            handler=conversations.restore_conversation,
            answer=shapes.Conversation,
            errors=(ConversationNotFound,),
        ),
        Operation(
            method="POST",
            path="/api/turns",
            handler=turns.begin_turn,
            body=shapes.TurnBody,
            media_type=EVENT_STREAM,
            errors=(*_TURN, *_BODY),
        ),
        Operation(
            method="GET",
            path="/api/turns/{reply}/events",
            handler=turns.follow_turn,
            query=shapes.FollowQuery,
            media_type=EVENT_STREAM,
            errors=(MessageNotFound,),
        ),
        Operation(
            method="POST",
            path="/api/turns/{reply}/stop",
            handler=turns.stop_turn,
            answer=Message,
            errors=(MessageNotFound,),
        ),
        Operation(method="GET", path="/api/openapi.json", handler=openapi.get_openapi, answer=dict),
    )
    openapi.operations = operations
    return App(Router(operations, otherwise=Page(options.page).get_page), options)
