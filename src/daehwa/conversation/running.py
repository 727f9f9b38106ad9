"""Turns in flight: start, follow, stop. A turn outlives the HTTP request that began it.

How this works and why. `start` returns when question and reply are stored; the reply then grows in its own task. While
any turn runs, one ticker serves them all: it stores what has grown in a single transaction, reads the stop flags that
come back, and lets quiet followers send a heartbeat, however slow the store is. While none runs there is no timer at
all. A reply that another process makes (or made) is followed by reading the store; the events are the same.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from functools import partial

import msgspec

from daehwa.conversation.deadline import BEFORE_DEADLINE_SECONDS
from daehwa.conversation.errors import (
    MessageNotFound,
    ModelNotFound,
    ModelNotOffered,
    ReplyStillGrowing,
    StoreError,
)
from daehwa.conversation.events import Heartbeat, Numbered
from daehwa.conversation.following import Batch, BatchSink, end_events
from daehwa.conversation.ids import now_ms
from daehwa.conversation.image_reading import AskedImage, QuestionImages, read_question_images
from daehwa.conversation.images import ImageNotFound, ImagesNotSeen
from daehwa.conversation.messages import Conversation, Message
from daehwa.conversation.metering import Meter, Unmetered
from daehwa.conversation.ports import BegunTurn, ConversationStore, Model, ModelCatalogue, NewTurn
from daehwa.conversation.reply import deltas_since
from daehwa.conversation.room import Room
from daehwa.conversation.stretch import Stretch, StretchWish
from daehwa.conversation.terms import offered_model
from daehwa.conversation.turn import Turn
from daehwa.conversation.turn_request import NO_IMAGES, Question, TurnRequest, TurnWish, new_turn

__all__ = ["AskedImage", "Question", "RunningOptions", "RunningTurns", "TurnRequest"]

_log = logging.getLogger("daehwa.turn")


class RunningOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Intervals in seconds. A turn without a sign of life for `stale_after` counts as interrupted, and so does one
    whose last sign is as far ahead of the clock: that stood wrong when it was given. One with a deadline ends
    `before_deadline`, so that there is time to store it.
    """

    checkpoint: float = 0.4
    follower_heartbeat: float = 10.0
    stored_heartbeat: float = 5.0
    stale_after: float = 30.0
    store_poll: float = 0.5
    before_deadline: float = BEFORE_DEADLINE_SECONDS


class RunningTurns:
    """The turns that this process makes. What they show to models, if it is large, has a share of `room`."""

    def __init__(
        self,
        store: ConversationStore,
        catalogue: ModelCatalogue,
        *,
        runner: str,
        options: RunningOptions | None = None,
        meter: Meter | None = None,
        room: Room | None = None,
    ) -> None:
        self.room = room or Room()
        self._store = store
        self._catalogue = catalogue
        self._runner = runner
        self._options = options or RunningOptions()
        self._meter = meter or Unmetered()
        self._turns: dict[str, Turn] = {}
        self._starting: dict[str, asyncio.Task[Message]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._ticker: asyncio.Task[None] | None = None
        self._closing = False
        self.unsaved = 0
        """So many replies could not be stored as they ended."""

    def __len__(self) -> int:
        """Return how many turns are in flight."""
        return len(self._turns)

    # ------------------------------------------------------------ start

    async def start(self, request: TurnRequest) -> Message:
        """Store the turn and begin it; return its reply. The same reply id again changes nothing.

        Raises what `Catalogue.resolve`, `read_question_images` and `ConversationStore.begin_turn` raise, and
        `ModelNotOffered` and `ImagesNotSeen`.
        """
        while (other := self._starting.get(request.reply)) is not None:
            await asyncio.wait([other])
        # Its own task: a caller that is cancelled while the store commits would leave a reply that nobody makes.
        starting = asyncio.create_task(self._start(request), name=f"start of {request.reply}")
        self._starting[request.reply] = starting
        starting.add_done_callback(partial(self._started, request.reply))
        await asyncio.wait([starting])
        return starting.result()

    def _started(self, reply: str, starting: asyncio.Task[Message]) -> None:
        del self._starting[reply]
        if not starting.cancelled():
            starting.exception()  # whoever still waits raises it; nobody else needs to hear of it

    async def _start(self, request: TurnRequest) -> Message:
        self._check_open()
        try:
            resolved = await offered_model(self._catalogue, request.model, request.terms)
            images = await self._question_images(request, resolved.model)
        except (ModelNotFound, ModelNotOffered, ImagesNotSeen, ImageNotFound):
            existing = await self._existing_reply(request)
            if existing is None:
                raise
            return existing
        self._check_open()
        begun = await self._begin(new_turn(request, resolved.model, self._runner, images))
        if begun.created:
            until = None if request.deadline is None else request.deadline - round(self._options.before_deadline * 1000)
            wish = TurnWish(
                continue_reply=request.continue_reply, terms=request.terms, until=until, images=images.images
            )
            turn = Turn(begun, resolved, self._store, wish=wish, meter=self._meter, room=self.room)
            self._run(begun, turn, until)
        return begun.reply

    async def _question_images(self, request: TurnRequest, model: Model) -> QuestionImages:
        if request.question is None or not request.question.images:
            return NO_IMAGES
        if not model.sees_images:
            raise ImagesNotSeen(model.name)
        return await read_question_images(request.question.images, self._store, request.owner, request.conversation)

    def _check_open(self) -> None:
        if self._closing:
            raise StoreError("The server is shutting down. Send the question again in a moment.")

    async def _begin(self, turn: NewTurn) -> BegunTurn:
        try:
            return await self._store.begin_turn(turn)
        except ReplyStillGrowing:
            if not await self.interrupt_stale(turn.conversation):
                raise
        return await self._store.begin_turn(turn)

    async def _existing_reply(self, request: TurnRequest) -> Message | None:
        try:
            message = await self._store.get_message(request.owner, request.reply)
        except MessageNotFound:
            return None
        is_it = message.role == "assistant" and message.conversation == request.conversation
        return message if is_it else None

    def _run(self, begun: BegunTurn, turn: Turn, until: int | None) -> None:
        self._turns[begun.reply.id] = turn
        task = turn.start()
        self._tasks.add(task)
        task.add_done_callback(partial(self._forget, begun.reply.id))
        if until is not None:
            # Not the ticker's business: it may be waiting for a slow store just then.
            timer = asyncio.get_running_loop().call_later((until - now_ms()) / 1000, turn.expire)
            task.add_done_callback(lambda _: timer.cancel())
        if self._ticker is None:
            self._ticker = asyncio.create_task(self._tick(), name="checkpoints of all turns")

    def _forget(self, reply: str, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        turn = self._turns.pop(reply, None)
        self.unsaved += turn is not None and turn.is_unsaved
        _report_fault(task)

    # ------------------------------------------------------------ follow

    def follow(self, owner: str, reply: str, *, after: int = 0) -> AsyncIterator[Batch]:
        """Yield the reply's events after position `after`, in batches, until it has ended and nothing more will come.

        Raises `MessageNotFound`, instead of the first batch.
        """
        turn = self._turns.get(reply)
        if turn is not None and turn.owner == owner:
            return turn.follow(after)
        return self._follow_stored(owner, reply, after)

    async def forward(self, owner: str, reply: str, sink: BatchSink, *, after: int = 0) -> None:
        """Write into `sink` what `follow` yields, at once where the reply grows in this process, and return at its end.

        Raises `MessageNotFound`, before anything is written, and what the sink raises.
        """
        turn = self._turns.get(reply)
        if turn is not None and turn.owner == owner:
            await turn.forward(after, sink)
            return
        async with aclosing(self._follow_stored(owner, reply, after)) as batches:
            async for batch in batches:
                if not sink.write(batch):
                    await sink.drained()

    async def _follow_stored(self, owner: str, reply: str, after: int) -> AsyncGenerator[Batch, None]:
        position, options = after, self._options
        loop = asyncio.get_running_loop()
        quiet_since = loop.time()
        while True:
            message = await self._store.get_message(owner, reply)
            if self._is_stale(message):
                if not await self.interrupt_stale(message.conversation):
                    await asyncio.sleep(options.store_poll)  # somebody else does, or a list is a moment behind
                continue
            batch = list(deltas_since(message.parts, position))
            position = max(position, message.position)
            if message.status != "streaming":
                yield batch + end_events(message, message.position)
                return
            if not batch and loop.time() - quiet_since >= options.follower_heartbeat:
                batch = [Numbered(position, Heartbeat())]
            if batch:
                quiet_since = loop.time()
                yield batch
            await asyncio.sleep(options.store_poll)

    def _is_stale(self, message: Message) -> bool:
        last_sign, (earliest, latest) = message.heartbeat or message.created, self._lively()
        return message.status == "streaming" and not earliest <= last_sign <= latest

    def _lively(self) -> tuple[int, int]:
        """Return between which moments the last sign of a living turn lies."""
        now, after = now_ms(), round(self._options.stale_after * 1000)
        return now - after, now + after

    async def interrupt_leftovers(self) -> int:
        """Mark the replies "interrupted" that an earlier process of this runner's name left growing; return how many.

        For the start, when it is certain that no other process runs by this name.
        """
        return await self._interrupt(runner=self._runner)

    async def interrupt_stale(self, conversation: str | None = None) -> int:
        """Mark the replies "interrupted" that nobody makes any more, in one conversation or in all; return how many.

        Those that are made here show first that they live: after the machine's sleep their last sign of life is old.
        """
        await self._save_checkpoints(list(self._turns.values()), heartbeat_after=0.0)
        return await self._interrupt(conversation=conversation)

    async def _interrupt(self, **among: str | None) -> int:
        earliest, latest = self._lively()
        return await self._store.interrupt_replies(heartbeat_before=earliest, heartbeat_after=latest, **among)

    # ------------------------------------------------------------ read

    async def read_conversation(self, owner: str, conversation: str) -> tuple[Conversation, tuple[Message, ...]]:
        """Return a conversation and its messages, none of them growing that nobody makes any more.

        Where a home has no process that lives on to look for such replies, whoever reads one notices it.
        Raises `ConversationNotFound`.
        """
        found = await self._store.get_conversation(owner, conversation)
        if not await self._has_interrupted(conversation, found[1]):
            return found
        return await self._store.get_conversation(owner, conversation)

    async def read_stretch(self, owner: str, conversation: str, wish: StretchWish) -> Stretch:
        """Return a stretch of a conversation; otherwise as `read_conversation`. Raises `MessageNotFound`, too."""
        found = await self._store.read_stretch(owner, conversation, wish)
        if not await self._has_interrupted(conversation, found.messages):
            return found
        return await self._store.read_stretch(owner, conversation, wish)

    async def _has_interrupted(self, conversation: str, messages: Iterable[Message]) -> bool:
        """Interrupt what of these nobody makes any more; return whether something may have changed. Where that
        cannot be written, as on a full disk, it keeps nobody from reading.
        """
        if not any(self._is_stale(message) for message in messages):
            return False
        try:
            await self.interrupt_stale(conversation)
        except StoreError:
            return False
        return True

    # ------------------------------------------------------------ stop

    async def stop(self, owner: str, reply: str) -> Message:
        """Stop a reply and return it as stored; where another process makes it, ask that one. A final reply stays, and
        one that nobody makes any more is interrupted.

        Raises `MessageNotFound`.
        """
        turn = self._turns.get(reply)
        if turn is None or turn.owner != owner:
            asked = await self._store.request_stop(owner, reply)
            if self._is_stale(asked) and await self.interrupt_stale(asked.conversation):
                return await self._store.get_message(owner, reply)
            return asked
        turn.stop()
        return await turn.wait_ended()

    async def stop_all(self, owner: str, conversation: str) -> None:
        """Stop every reply that this process makes in a conversation: nobody wants to pay for what was deleted."""
        turns = [turn for turn in self._turns.values() if turn.is_in(owner, conversation)]
        for turn in turns:
            turn.stop()
        await asyncio.gather(*(turn.wait_ended() for turn in turns))

    async def stop_of(self, owner: str) -> None:
        """Stop every reply that this process makes for somebody, and wait until none grows."""
        if self._starting:
            await asyncio.wait(list(self._starting.values()))  # theirs may be among them, and would be stored late
        turns = [turn for turn in self._turns.values() if turn.owner == owner]
        for turn in turns:
            turn.stop()
        await asyncio.gather(*(turn.wait_ended() for turn in turns))

    async def forget(self, owner: str) -> None:
        """Do so for somebody who is being deleted."""
        await self.stop_of(owner)

    async def aclose(self) -> None:
        """Interrupt every turn; return when all are stored and their followers were told."""
        self._closing = True
        self._interrupt_all()
        if self._starting:
            await asyncio.wait(list(self._starting.values()))
            self._interrupt_all()  # what was being stored just now
        if self._tasks:
            await asyncio.wait(list(self._tasks))
        if self._ticker is not None:
            self._ticker.cancel()
            await asyncio.wait([self._ticker])

    def _interrupt_all(self) -> None:
        for turn in self._turns.values():
            turn.interrupt()

    # ------------------------------------------------------------ the shared ticker

    async def _tick(self) -> None:
        loop, options = asyncio.get_running_loop(), self._options
        last_beat = loop.time()
        saving: asyncio.Task[None] | None = None
        try:
            while self._turns:
                await asyncio.sleep(options.checkpoint)
                if saving is None or saving.done():
                    # Not waited for: proxies give up on a stream that is silent because a store is slow.
                    due = self._save_checkpoints(list(self._turns.values()), heartbeat_after=options.stored_heartbeat)
                    saving = asyncio.create_task(due, name="one round of checkpoints")
                    saving.add_done_callback(_report_fault)
                if loop.time() - last_beat >= options.follower_heartbeat - options.checkpoint / 2:
                    last_beat = loop.time()
                    for turn in self._turns.values():
                        turn.beat()
        finally:
            self._ticker = None
            if saving is not None:
                saving.cancel()  # what it stores is final by now, and a process that stands still goes on with nothing

    async def _save_checkpoints(self, turns: Sequence[Turn], *, heartbeat_after: float) -> None:
        heartbeat_ms = round(heartbeat_after * 1000)
        due = {turn.message.id: (turn, made) for turn in turns if (made := turn.checkpoint(heartbeat_ms)) is not None}
        if not due:
            return
        try:
            stops = await self._store.save_checkpoints([made for _, made in due.values()])
        except StoreError as error:
            _log.warning("checkpoints of %d turns are not stored yet: %s", len(due), error.message)
            return
        for turn, made in due.values():
            turn.note_checkpoint(made)
            if turn.message.id in stops:
                turn.stop()


def _report_fault(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("%s: it failed in a way that is not announced", task.get_name(), exc_info=error)
