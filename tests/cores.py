"""A core to try things on: a store in memory, a scripted provider, and the turns between them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from daehwa.conversation.archive_ports import KeptConversations
from daehwa.conversation.errors import ModelNotFound, ProviderError
from daehwa.conversation.events import Heartbeat, Numbered, ReplyEnded, StreamedEvent, TextDelta
from daehwa.conversation.ids import new_id
from daehwa.conversation.messages import Message, TextPart
from daehwa.conversation.metering import Meter
from daehwa.conversation.ports import Model, NewTurn, Provider, ResolvedModel
from daehwa.conversation.running import Question, RunningOptions, RunningTurns, TurnRequest
from daehwa.conversation.upstreams import ProviderState
from daehwa.providers.catalogue import Catalogue
from daehwa.providers.scripted import Script, ScriptedProvider
from daehwa.stores.memory import MemoryStore


class OneProviderCatalogue:
    """A catalogue of one provider with one model."""

    def __init__(self, provider: Provider, *, titles: bool = False) -> None:
        self.provider = provider
        self.model = Model(id=f"{provider.name}/parrot", name="parrot", provider=provider.name, titles=titles)

    async def models(self) -> Sequence[Model]:
        return [self.model]

    async def listed(self) -> Sequence[Model]:
        name = self.provider.name
        feathers = Model(id=f"{name}/feathers", name="feathers", provider=name, kind="embedding")
        return [*await self.models(), feathers]

    async def default_model(self) -> str | None:
        return self.model.id

    async def resolve(self, model: str | None) -> ResolvedModel:
        if model not in {None, "parrot", self.model.id}:
            raise ModelNotFound(f"There is no model '{model}'.", param="model")
        return ResolvedModel(self.provider, self.model, "parrot")

    def problems(self) -> Mapping[str, ProviderError]:
        return {}

    async def providers(self) -> Sequence[ProviderState]:
        return await Catalogue([self.provider]).providers()

    def routes(self) -> Mapping[str, tuple[str, ...]]:
        return {"any": ("parrot",)}


class Preparing(ScriptedProvider):
    """A provider that counts how often it was told to prepare."""

    prepared = 0

    def prepare(self) -> None:
        self.prepared += 1


class Core:
    """The parts of a core, and a person who uses it."""

    def __init__(
        self,
        provider: ScriptedProvider | None = None,
        *,
        titles: bool = False,
        store: KeptConversations | None = None,
        meter: Meter | None = None,
    ) -> None:
        self.provider = provider or ScriptedProvider()
        self.store = store or MemoryStore()
        self.options = RunningOptions(checkpoint=0.01, follower_heartbeat=0.05, stored_heartbeat=0.02, store_poll=0.01)
        self.catalogue = OneProviderCatalogue(self.provider, titles=titles)
        self.running = RunningTurns(self.store, self.catalogue, runner="test", options=self.options, meter=meter)

    def question(self, text: str = "Hello", *, parent: str | None = None, conversation: str = "") -> TurnRequest:
        return TurnRequest(
            owner="me",
            conversation=conversation or new_id(),
            reply=new_id(),
            question=Question(new_id(), parent, (TextPart(text),)),
        )

    async def followed(self, reply: str, *, after: int = 0) -> list[Numbered]:
        """Every event of a reply but heartbeats, to its end."""
        batches = self.running.follow("me", reply, after=after)
        return [each async for batch in batches for each in batch if not isinstance(each.event, Heartbeat)]

    async def events(self, reply: str, *, after: int = 0) -> list[StreamedEvent]:
        return [each.event for each in await self.followed(reply, after=after)]

    async def ended(self, reply: str) -> ReplyEnded:
        """The reply's end, once it has come."""
        return next(event for event in await self.events(reply) if isinstance(event, ReplyEnded))


@asynccontextmanager
async def a_core(script: Script, *, titles: bool = False) -> AsyncIterator[Core]:
    core = Core(ScriptedProvider(script), titles=titles)
    try:
        yield core
    finally:
        await core.running.aclose()


def texts(events: Sequence[object]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def left_behind(request: TurnRequest, heartbeat: int) -> NewTurn:
    """A turn as another process stored it before it was killed."""
    assert request.question is not None
    question = Message(
        id=request.question.id,
        conversation=request.conversation,
        parent=None,
        role="user",
        parts=request.question.parts,
        created=heartbeat,
    )
    reply = Message(
        id=request.reply,
        conversation=request.conversation,
        parent=question.id,
        role="assistant",
        parts=(),
        status="streaming",
        created=heartbeat,
        heartbeat=heartbeat,
    )
    return NewTurn(
        owner="me", conversation=request.conversation, question=question, reply=reply, title="Hi", runner="killed"
    )
