"""The rows of the page: who asks, the models, conversations and turns."""

from collections.abc import Iterator

from daehwa.accounts.errors import NotAllowed
from daehwa.accounts.memberships import Memberships
from daehwa.conversation.errors import (
    ConversationNotFound,
    IdTaken,
    InvalidParent,
    KeyNotSet,
    MessageNotFound,
    ModelNotFound,
    ModelNotInstalled,
    ModelNotOffered,
    ReplyStillGrowing,
    StoreError,
    TooMuch,
    Unreadable,
)
from daehwa.conversation.images import ImageNotFound, ImagesNotSeen, NoImage
from daehwa.conversation.messages import Message
from daehwa.server.api import shapes
from daehwa.server.api.bringing import BringingApi, Brought, BroughtConversations
from daehwa.server.api.conversations import ConversationsApi
from daehwa.server.api.images import IMAGE_TYPES, ImagesApi
from daehwa.server.api.me import MeApi
from daehwa.server.api.models import ModelsApi
from daehwa.server.api.preferences import PreferenceChanges, Preferences, PreferencesApi
from daehwa.server.api.turns import TurnsApi
from daehwa.server.errors import BodyTooSlow, TooManyAtOnce, UnsupportedMediaType
from daehwa.server.routing import Operation
from daehwa.server.wiring import Wiring

_BODY = (TooMuch, UnsupportedMediaType, BodyTooSlow, TooManyAtOnce)
_ONE = (ConversationNotFound, StoreError, Unreadable)
_REPLY = (MessageNotFound, StoreError, Unreadable)
_MODEL = (ModelNotFound, ModelNotInstalled, KeyNotSet)
_EXPECTED = (StoreError, *_BODY)
_SHOWN = (NoImage, ImagesNotSeen, ImageNotFound)
_TURN = (*_ONE, MessageNotFound, *_MODEL, ModelNotOffered, InvalidParent, IdTaken, ReplyStillGrowing, *_SHOWN)


def home_operations(wiring: Wiring) -> Iterator[Operation]:
    """Yield the rows of what this home offers to whoever asks."""
    catalogue, memberships = wiring.core.catalogue, Memberships(wiring.groups)
    me = MeApi(catalogue, wiring.options, wiring.entrances, memberships)
    models = ModelsApi(catalogue, wiring.books, memberships)
    yield Operation("GET", "/api/me", me.get_me, answers=(shapes.Me,))
    yield Operation("GET", "/api/models", models.get_models, answers=(shapes.Models,), errors=(StoreError,))


def conversation_operations(wiring: Wiring) -> Iterator[Operation]:
    """Yield the rows of conversations, of the turns in them, and of what somebody wants each of them to heed."""
    store, running, options = wiring.core.store, wiring.core.running, wiring.options
    yield from _conversations(ConversationsApi(store, running, options))
    yield Operation(
        "GET",
        "/api/conversations/{conversation}/images/{image}",
        ImagesApi(store).get_image,
        media=IMAGE_TYPES,
        errors=(*_ONE, ImageNotFound),
    )
    people = wiring.entrances.people
    yield _bringing(BringingApi(store, options, None if people is None else people.installation))
    memberships, preferences = Memberships(wiring.groups), wiring.preferences
    yield from _turns(TurnsApi(store, running, options, memberships, wiring.core.catalogue, preferences))
    if preferences is not None:
        yield from _preferences(PreferencesApi(preferences, options))


def _conversations(api: ConversationsApi) -> Iterator[Operation]:
    every, one = "/api/conversations", "/api/conversations/{conversation}"
    query, listed = shapes.ConversationsQuery, (shapes.ConversationPage, shapes.SearchHits)
    yield Operation("GET", every, api.list_conversations, query=query, answers=listed, errors=(StoreError,))
    yield Operation(
        "GET",
        one,
        api.get_conversation,
        query=shapes.StretchQuery,
        answers=(shapes.OpenedConversation,),
        errors=(*_ONE, MessageNotFound),
    )
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


def _preferences(api: PreferencesApi) -> Iterator[Operation]:
    own, shown = "/api/preferences", (Preferences,)
    yield Operation("GET", own, api.get_preferences, answers=shown, errors=(StoreError,))
    yield Operation("PATCH", own, api.change_preferences, body=PreferenceChanges, answers=shown, errors=_EXPECTED)


def _bringing(api: BringingApi) -> Operation:
    return Operation(
        "POST",
        "/api/conversations/import",
        api.import_conversations,
        body=BroughtConversations,
        answers=(Brought,),
        errors=(NotAllowed, StoreError, *_BODY),
    )


def _turns(api: TurnsApi) -> Iterator[Operation]:
    expected, events, stop = "/api/turns/expected", "/api/turns/{reply}/events", "/api/turns/{reply}/stop"
    yield Operation("POST", "/api/turns", api.start_turn, body=shapes.TurnBody, streams=True, errors=(*_TURN, *_BODY))
    yield Operation("POST", expected, api.expect_turn, body=shapes.ExpectedTurn, status=204, errors=_EXPECTED)
    yield Operation("GET", events, api.follow_turn, query=shapes.FollowQuery, streams=True, errors=_REPLY)
    yield Operation("POST", stop, api.stop_turn, answers=(Message,), errors=_REPLY)
