"""What the core needs of the world, as protocols that it owns. The docstrings here are the contract.

One contract suite holds every implementation to them: `tests/stores/test_contract_*.py`, `tests/providers/contract.py`.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from daehwa.conversation.delivery import Delivery
from daehwa.conversation.errors import ProviderError
from daehwa.conversation.events import Batch
from daehwa.conversation.images import Image, ImageStore
from daehwa.conversation.messages import Conversation, ImagePart, Message, Part, TitleSource, Usage
from daehwa.conversation.stretch import Stretch, StretchWish

if TYPE_CHECKING:
    from daehwa.conversation.upstreams import ProviderState

# ---------------------------------------------------------------- providers

ModelKind = Literal["chat", "completion", "embedding", "audio", "image", "other"]


class Model(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A model as the page and programs see it. `id` is `provider/name-at-the-upstream`.

    `context_window` is in tokens, None where unknown. `state` says whether it can answer now ("loading" models
    answer as soon as they can). `trial` marks the small embedded model. `titles` says whether it is asked for titles.
    `kind` is what it does: the page offers those of the kinds "chat" and "completion" (a prompt is gone on with).
    `created` is when it was made, in seconds since 1970, where its upstream says so. `sees_images` is false where it is
    known that it sees none.
    """

    id: str
    name: str
    provider: str
    context_window: int | None = None
    state: Literal["ready", "loading", "unavailable"] = "ready"
    detail: str | None = None
    trial: bool = False
    titles: bool = True
    kind: ModelKind = "chat"
    created: int | None = None
    sees_images: bool = True


class PromptMessage(msgspec.Struct, frozen=True):
    """One message as the model is given it: the images that it shows, and its text after them."""

    role: Literal["system", "user", "assistant"]
    text: str
    images: tuple[ImagePart, ...] = ()


class GenerationRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider is asked: `model` is the name at the upstream. The last message is a question, or a reply to go
    on with where the provider's `continues_replies` is true. `images` are those that the messages name, by their ids.
    The provider notes in `delivery` how far it came.
    """

    model: str
    messages: tuple[PromptMessage, ...]
    max_output_tokens: int | None = None
    continue_last: bool = False
    images: Mapping[str, Image] = {}
    delivery: Delivery = msgspec.field(default_factory=Delivery)


class Provider(Protocol):
    """Something that turns a transcript into events."""

    name: str
    continues_replies: bool
    """Whether a reply at the transcript's end is gone on with, rather than answered."""

    async def models(self) -> Sequence[Model]:
        """Return what can be chosen, in the upstream's order. Raise `ProviderError` when it cannot be asked."""
        ...

    def generate(self, request: GenerationRequest) -> AsyncIterator[Batch]:
        """Yield events in batches as they arrive; end after the last one.

        The first content is yielded the moment it is there; later ones may be gathered for up to 50 ms. At most one
        `Finished`. Raise `ProviderError`: retries are the provider's business, with backoff and jitter, and only
        before the first event. When the consumer closes the iterator, the upstream call ends at once.
        """
        ...

    async def aclose(self) -> None:
        """Give back connections and child processes. More than once is fine."""
        ...


class ResolvedModel(msgspec.Struct, frozen=True):
    """A provider and the name under which it knows the model. `targets`: the ids of the models that may answer in place
    of an alias, first choice first; the one that does is told by `AnsweredBy`.
    """

    provider: Provider
    model: Model
    upstream_name: str
    targets: tuple[str, ...] = ()

    @property
    def candidates(self) -> tuple[str, ...]:
        """The ids of all models that may answer, first choice first."""
        return self.targets or (self.model.id,)


class ModelCatalogue(Protocol):
    """All models of all providers."""

    async def models(self) -> Sequence[Model]:
        """Return every model that can be chosen now; a provider that cannot be asked adds none."""
        ...

    async def listed(self) -> Sequence[Model]:
        """Return every model of every kind, those too that no conversation can choose; aliases first."""
        ...

    async def default_model(self) -> str | None:
        """Return the id of a model that is really served, or None when there is none."""
        ...

    async def resolve(self, model: str | None) -> ResolvedModel:
        """Find a model by its id, by its bare name at the upstream, or the default. Raise `ModelNotFound`, or
        `KeyNotSet` where it is known that the provider has no key yet.
        """
        ...

    def problems(self) -> Mapping[str, ProviderError]:
        """Return, by provider, why its models are not there; empty when all is well."""
        ...

    async def providers(self) -> "Sequence[ProviderState]":
        """Return every provider, in the order of preference, and how it fares."""
        ...

    def routes(self) -> Mapping[str, tuple[str, ...]]:
        """Return the aliases, with the models that they lead to."""
        ...


# ---------------------------------------------------------------- stores


class NewTurn(msgspec.Struct, frozen=True, kw_only=True):
    """A question and the reply to be made for it.

    `question` None: a further reply to the message `reply.parent` (regenerate: a question; continue: a reply).
    `title` names the conversation if this turn creates it. `reply` has status "streaming" and no parts. `runner` is
    whoever makes the reply; `continue_reply` says that it goes on with its parent, a reply that was cut off.
    `context_window` is how many tokens its model can be given, None where unknown. `images` are those that the question
    names and that are new.
    """

    owner: str
    conversation: str
    question: Message | None
    reply: Message
    title: str
    runner: str
    images: tuple[Image, ...] = ()
    continue_reply: bool = False
    context_window: int | None = None


class BegunTurn(msgspec.Struct, frozen=True, kw_only=True):
    """A turn as stored. `created` is false when this very turn was there before. `path` goes from the root of the
    tree to the reply's parent; it is empty when `created` is false. Where the turn names a context window, it may begin
    later: what `transcript.end_within` leaves out need not be read.
    """

    created: bool
    conversation: Conversation
    reply: Message
    path: tuple[Message, ...] = ()


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A reply as far as it has grown, with a sign of life (`heartbeat`, ms)."""

    reply: str
    conversation: str
    parts: tuple[Part, ...] | None
    position: int
    heartbeat: int


class ConversationChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What to change; None leaves as is."""

    title: str | None = None
    pinned: bool | None = None
    archived: bool | None = None
    leaf: str | None = None


class ConversationPage(msgspec.Struct, frozen=True):
    """Conversations and the cursor of the next page, None at the end."""

    conversations: tuple[Conversation, ...]
    after: str | None


class Segment(msgspec.Struct, frozen=True, omit_defaults=True):
    """A piece of found text; `match` where it is what was searched for."""

    text: str
    match: bool = False


class SearchHit(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation that matches. `title` is its whole title in segments, `snippet` text around the best match in
    a message (`message` its id), both None and empty where only the title matches.
    """

    conversation: Conversation
    title: tuple[Segment, ...]
    message: str | None = None
    snippet: tuple[Segment, ...] = ()


class ConversationStore(ImageStore, Protocol):
    """Where conversations are kept, with their images. Every write is on disk (or as durable as the store gets) when
    the call returns.

    Ids of another owner behave as if they did not exist. A deleted conversation does not exist for any method but
    `restore_conversation`; yet a reply that is being made in it goes on being stored (`save_checkpoints`,
    `finish_reply`, `interrupt_replies`), so that undoing the deletion loses nothing. Half a surrogate pair, which no
    encoding can hold, is stored as U+FFFD. Any method raises `StoreError` when the store cannot do its work.
    """

    async def begin_turn(self, turn: NewTurn) -> BegunTurn:
        """Store question, its images and streaming reply as one, creating the conversation where it is new. An image
        whose id is there already in this conversation stays as it is. Raise `ImageNotFound` where the question names
        one that is neither given nor there.

        Idempotent by the reply's id: the same turn again changes nothing and returns what is stored, whatever its
        state. The rules of the tree are those of `conversation.tree.check_turn`, whose errors this raises; nothing
        is then stored. The conversation's `updated` becomes `reply.created`, unless that is earlier (a clock set
        back), `leaf` the reply, `model` its model.
        """
        ...

    async def save_checkpoints(self, checkpoints: Sequence[Checkpoint]) -> frozenset[str]:
        """Store growing replies, all in one transaction, and return the ids of those that were asked to stop.

        `parts` None means only a heartbeat. A checkpoint of a reply that is no longer streaming, or whose position
        is below the stored one, changes nothing. A reply that is there no more counts as asked to stop.
        """
        ...

    async def finish_reply(self, reply: Message) -> None:
        """Store a reply's final parts, status, finish, usage and error. A reply that is no longer streaming stays as
        it is, except that an "interrupted" one without error gives way to its runner's own word. Missing: no-op.
        """
        ...

    async def request_stop(self, owner: str, reply: str) -> Message:
        """Ask whoever makes this reply to stop; return it as stored. Raise `MessageNotFound`."""
        ...

    async def interrupt_replies(
        self,
        *,
        heartbeat_before: int,
        heartbeat_after: int | None = None,
        runner: str | None = None,
        conversation: str | None = None,
    ) -> int:
        """Mark streaming replies "interrupted" whose heartbeat (ms) is older than `heartbeat_before` or newer than
        `heartbeat_after`, or whose runner is `runner`; their text stays. Return how many. Without `conversation` they
        are looked for in all of them, which may take a store long: for a start, not for a request.
        """
        ...

    async def get_message(self, owner: str, message: str) -> Message:
        """Return one message. Raise `MessageNotFound`."""
        ...

    async def get_conversation(self, owner: str, conversation: str) -> tuple[Conversation, tuple[Message, ...]]:
        """Return a conversation and all its messages, parents before children, siblings by time of creation and
        then by id. Raise `ConversationNotFound`.
        """
        ...

    async def read_stretch(self, owner: str, conversation: str, wish: StretchWish) -> Stretch:
        """Return a conversation and the messages that are wished for, with all their siblings, in the order of
        `get_conversation`; all messages where there are no more than the wish's `limit`. Which they are is decided by
        `stretch.path_of`, which also raises `MessageNotFound`. Raise `ConversationNotFound`.
        """
        ...

    async def title_usage(self, owner: str, conversation: str) -> Usage | None:
        """Return what its titles took, None where no model made one. Raise `ConversationNotFound`."""
        ...

    async def list_conversations(
        self, owner: str, *, archived: bool = False, after: str | None = None, limit: int = 50
    ) -> ConversationPage:
        """Return a page: pinned first, then newest `updated` first, ties by id descending. A conversation is never
        skipped or repeated because others changed between pages, unless it moved itself. Raise `InvalidRequest` on a
        cursor that this store did not make.
        """
        ...

    async def search_conversations(self, owner: str, query: str, *, limit: int = 30) -> tuple[SearchHit, ...]:
        """Find conversations whose title, or one of whose messages, holds every word of the query: titles before texts;
        of each, whole words first (a store that reads no old text ranks what it reads), then titles by newest `updated`
        and texts by the newest message that matches so, which is the one shown.

        Case and width do not matter. A word in a script with spaces matches words that begin with it; in Chinese,
        Japanese and Korean letters match anywhere, and count as whole. Archived ones are found, deleted ones not.
        Text of streaming replies is found at the latest when they end. A query with no letters or digits finds nothing.
        """
        ...

    async def change_conversation(self, owner: str, conversation: str, changes: ConversationChanges) -> Conversation:
        """Apply changes and return the result; a title given here has the source "user". `leaf` must be a message of
        the conversation. `updated` stays. Raise `ConversationNotFound`, `MessageNotFound`.
        """
        ...

    async def set_title(self, conversation: str, title: str, source: TitleSource, usage: Usage | None) -> bool:
        """Give a title made by a model, unless the person named it meanwhile or it is gone; return whether it is set.
        The usage is kept with the conversation either way.
        """
        ...

    async def delete_conversation(self, owner: str, conversation: str) -> None:
        """Take a conversation away; it can be restored until purged. Whoever makes a reply in it is asked to stop.
        Raise `ConversationNotFound`.
        """
        ...

    async def restore_conversation(self, owner: str, conversation: str) -> Conversation:
        """Undo a deletion; of one that is not deleted, a no-op. Raise `ConversationNotFound` when it is purged."""
        ...

    async def purge_deleted(self, *, before: int, limit: int | None = None) -> int:
        """Remove for good what was deleted before this time (ms), search index included; at most `limit` of them, the
        oldest first. Return how many.

        What a call that is cancelled does not come to the end of, a later one goes on with.
        """
        ...

    async def purge_untouched(self, *, before: int, limit: int | None = None) -> int:
        """Remove for good the conversations whose `updated` is before this time (ms), whether deleted, archived or
        pinned; at most `limit` of them. Return how many. Otherwise as `purge_deleted`. Where there are accounts, it may
        look at what their people own alone.
        """
        ...

    async def forget(self, user: str) -> None:
        """Remove for good all that this owner has, deleted or not, search index included. A reply that is being made
        is stored no further. Otherwise as `purge_deleted`.
        """
        ...

    async def aclose(self) -> None:
        """Finish what was begun and give the file back. More than once is fine."""
        ...
