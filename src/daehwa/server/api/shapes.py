"""The JSON of the page's dialect where it differs from the core's values. Unknown fields of a request are refused."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from daehwa.accounts.budgets import BudgetState
from daehwa.accounts.installation import Announcement
from daehwa.accounts.people import Role
from daehwa.conversation import messages
from daehwa.conversation.messages import Message, TitleSource, Usage
from daehwa.conversation.ports import Model, Segment
from daehwa.conversation.stretch import UsageTotal
from daehwa.server.options import Limits

UUID7 = r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"


def _id(description: str) -> Meta:
    # The pattern is for the documents only: `checked_id` refuses with an error of its own.
    return Meta(description=description, extra_json_schema={"format": "uuid", "pattern": UUID7})


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation. `leaf` is the message at whose end the reader last was; times are milliseconds since 1970."""

    id: str
    title: str
    title_source: TitleSource
    model: str | None
    leaf: str | None
    pinned: bool
    archived: bool
    created: int
    updated: int


_FIELDS = Conversation.__struct_fields__


def without_owner(conversation: messages.Conversation) -> Conversation:
    """Return a conversation as its owner sees it."""
    return Conversation(**{name: getattr(conversation, name) for name in _FIELDS})


class Person(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who is asking. Where nobody signs in, everybody is the one owner. `login` is by what they sign in here."""

    id: str
    name: str
    role: Role
    email: str | None = None
    login: str | None = None


class Me(msgspec.Struct, frozen=True, kw_only=True):
    """Who is asking and what this home offers.

    `sign_in`: people sign in here, and can sign out. `may_administer`: this person sees to the others.
    `admins_may_read`: admins can read here what others write, which everybody is told. `embedded`: only the small trial
    model is there. `announcement`: what an admin tells everybody just now.
    """

    user: Person
    sign_in: bool
    may_administer: bool
    admins_may_read: bool
    home: str
    version: str
    default_model: str | None
    locale: Annotated[str, Meta(description="en or ko, by Accept-Language")]
    limits: Limits
    embedded: bool
    announcement: Announcement | None


class Problem(msgspec.Struct, frozen=True):
    """Why a provider's models cannot be listed, or none of them can answer: a type as of a failed reply, a sentence."""

    provider: str
    type: str
    message: str


class ModelPrice(msgspec.Struct, frozen=True, kw_only=True):
    """What a model costs in micro-dollars per million tokens, for a prompt of usual length."""

    input: int
    cached: int
    output: int


class Models(msgspec.Struct, frozen=True, omit_defaults=True):
    """The models that can be chosen now, the one that is taken where none is named, what keeps others away, prices by
    the models' ids (a model that is not among them has a price that nobody knows), and the budgets that count for what
    this person asks, as `GET /api/budgets` has them.
    """

    models: tuple[Model, ...]
    default: str | None
    problems: tuple[Problem, ...] = ()
    prices: dict[str, ModelPrice] = {}
    budgets: tuple[BudgetState, ...] = ()


class ConversationsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to list, or, with `query`, what to search for."""

    query: Annotated[
        str, Meta(description="Words to search titles and text for, archived conversations included.", max_length=500)
    ] = ""
    archived: Annotated[bool, Meta(description="List the archived conversations instead.")] = False
    after: Annotated[str | None, Meta(description="The cursor that came with the page before.")] = None
    limit: Annotated[int, Meta(description="How many at most.", ge=1, le=100)] = 50


class ConversationPage(msgspec.Struct, frozen=True):
    """Conversations, pinned first, then newest; `after` is the cursor of the next page."""

    conversations: tuple[Conversation, ...]
    after: str | None


class SearchHit(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation that matches, with its title and a snippet of one message in segments."""

    conversation: Conversation
    title: tuple[Segment, ...]
    message: str | None
    snippet: tuple[Segment, ...]


class SearchHits(msgspec.Struct, frozen=True):
    """What was found, best first."""

    hits: tuple[SearchHit, ...]


class StretchQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which messages; without `limit` all of them."""

    limit: Annotated[
        Annotated[int, Meta(ge=1, le=1000)] | None,
        Meta(
            description="Of a conversation with more messages than this, the end of the path to its leaf: so many "
            "messages or some more, beginning with a question, with all their siblings.",
        ),
    ] = None
    message: Annotated[
        str | None,
        _id("With `limit`: the path through this message to the newest below it, from it on at least."),
    ] = None
    before: Annotated[str | None, _id("With `limit`: the path that leads to this message, without itself.")] = None
    total: Annotated[bool, Meta(description="With `limit`: say what all replies took.")] = False


class OpenedConversation(msgspec.Struct, frozen=True):
    """A conversation and its messages, parents before children; `whole` says whether they are all. `title_usage` is
    what its titles took, `total` what all its replies took, where that is asked or known in any case.
    """

    conversation: Conversation
    messages: tuple[Message, ...]
    title_usage: Usage | None = None
    whole: bool = True
    total: UsageTotal | None = None


class ConversationChanges(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change; what is not named stays."""

    title: str | UnsetType = UNSET
    pinned: bool | UnsetType = UNSET
    archived: bool | UnsetType = UNSET
    leaf: Annotated[str | UnsetType, _id("A message of the conversation.")] = UNSET

    def given(self) -> dict[str, Any]:
        """Return what is named."""
        return {name: value for name in self.__struct_fields__ if (value := getattr(self, name)) is not UNSET}


class QuestionPart(msgspec.Struct, frozen=True, tag="text", tag_field="type", forbid_unknown_fields=True):
    """Text of a question."""

    text: str


class QuestionImage(msgspec.Struct, frozen=True, tag="image", tag_field="type", forbid_unknown_fields=True):
    """An image that a question shows, before its text. Its kind is found from its bytes."""

    image: Annotated[str, _id("A new UUID version 7, or the id of an image that the conversation has.")]
    width: Annotated[int, Meta(description="In pixels, for who lays it out.", ge=1, le=100_000)]
    height: Annotated[int, Meta(description="In pixels.", ge=1, le=100_000)]
    data: Annotated[
        bytes | None,
        Meta(description="PNG, JPEG, WebP or GIF in base64; left out where the conversation has the image."),
    ] = None


class Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question; its id is made by the client."""

    id: Annotated[str, _id("A new UUID version 7.")]
    parent: Annotated[str | None, Meta(description="The reply it follows; null at the beginning.")]
    parts: tuple[QuestionPart | QuestionImage, ...]


class TurnBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A turn: with `message` a question; with `parent` alone a further answer to that question; with `parent` and
    `continue` the rest of a reply that was cut off.
    """

    conversation: Annotated[str, _id("A new UUID version 7 begins a conversation.")]
    reply: Annotated[str, _id("A new UUID version 7; the same again follows the turn and never reruns it.")]
    model: Annotated[str | None, Meta(description="An id of /api/models; null for the default.")] = None
    message: Question | None = None
    parent: Annotated[str | None, Meta(description="A question, or with `continue` a reply.")] = None
    continue_reply: bool = msgspec.field(name="continue", default=False)


class ExpectedTurn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A turn that is expected, since its question is being written."""

    model: Annotated[str | None, Meta(description="An id of /api/models; null for the default.")] = None


class FollowQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where to go on."""

    after: Annotated[
        int, Meta(description="The last id that was seen; the header Last-Event-ID goes before it.", ge=0)
    ] = 0
