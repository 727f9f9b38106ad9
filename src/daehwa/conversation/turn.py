"""One turn: generate, fold, finish, name the conversation. The only module that holds a store and a provider together.

How this works and why. A turn is its own task (`run`), so nobody who follows it can end it by leaving. It moves through
four phases: it *generates*, *saves* the final reply, has *ended* (followers are told only after the save: told means
on disk), and may then make a title before it is *closed*. Stopping and interrupting cancel the task in the first phase
only; from the second on the reply is what it is. Checkpoints are not made here: one ticker makes them for all turns.
What it costs is reserved at the beginning of the first phase, where the question is stored already and a refusal can
stand as its reply, and counted beside the save.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Literal

import msgspec

from daehwa.conversation.errors import DaehwaError, ProviderError, StoreError, TimeIsUp
from daehwa.conversation.events import Numbered, TextDelta, TitleMade, UsageReported
from daehwa.conversation.following import Batch, BatchSink, Followers, Told, end_events
from daehwa.conversation.ids import now_ms
from daehwa.conversation.image_reading import read_shown_images
from daehwa.conversation.images import Image
from daehwa.conversation.messages import Failure, Message, Status, TextPart
from daehwa.conversation.metering import CallKind, Meter, PaidCall, Unmetered
from daehwa.conversation.paid_answer import PaidAnswer, closing
from daehwa.conversation.ports import (
    BegunTurn,
    Checkpoint,
    ConversationStore,
    GenerationRequest,
    ResolvedModel,
)
from daehwa.conversation.reply import GrowingReply
from daehwa.conversation.room import Room, Share
from daehwa.conversation.title import title_from_answer, title_request
from daehwa.conversation.transcript import IMAGE_NOTE, build_transcript
from daehwa.conversation.turn_request import TurnWish

REPLY_CHARACTERS = 1_000_000
"""Where a reply that will not end is ended, as if the model had come to its own limit."""

_SAVE_PAUSES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 20.0)
_LAST_SAVE_PAUSES = (0.25, 0.75, 2.0)
_LAST_SAVE_SECONDS = 4.0
"""How long storing may take once the program is to end, whatever the store itself would wait: less than a deadline's
margin, so that the followers are told, too.
"""
_TITLE_SECONDS = 20.0
_SHORTEST_TITLE_SECONDS = 3.0
_log = logging.getLogger("daehwa.turn")

Phase = Literal["generating", "saving", "ended", "closed"]


class Turn:
    """A turn in flight."""

    def __init__(
        self,
        begun: BegunTurn,
        resolved: ResolvedModel,
        store: ConversationStore,
        *,
        wish: TurnWish,
        room: Room,
        meter: Meter | None = None,
    ) -> None:
        self.owner = begun.conversation.owner
        self.message = begun.reply
        self.reply = GrowingReply()
        self.phase: Phase = "generating"
        self.checkpointed = 0
        self.checkpointed_at = begun.reply.created
        self.is_unsaved = False
        """Whether its end could not be stored."""
        self._begun = begun
        self._resolved = resolved
        self._store = store
        self._continue_reply = wish.continue_reply
        self._until = wish.until
        self._meter = meter or Unmetered()
        self._room = room
        self._terms = wish.terms
        self._images = wish.images
        self._paid = self._paid_answer(self.message.id, "turn")
        self._title: TitleMade | None = None
        self._cancelled_as: Status | None = None
        self._is_late = False
        self._is_generating = False
        self._is_ending = asyncio.Event()
        self._last_pauses = iter(_LAST_SAVE_PAUSES)
        self._save_limit: asyncio.Timeout | None = None
        self._task: asyncio.Task[None] | None = None
        self._followers = Followers()
        self._ended = asyncio.Event()

    # ------------------------------------------------------------ its own task

    def start(self) -> asyncio.Task[None]:
        """Begin the turn's task."""
        self._task = asyncio.create_task(self.run(), name=f"turn {self.message.id}")
        return self._task

    async def run(self) -> None:
        """Make the reply, store it, tell the followers, name the conversation."""
        try:
            self.message = await self._generated()
            self.message, _ = await asyncio.gather(self._saved(self.message), self._paid.settle())
            self._enter("ended")
            self._ended.set()
            await self._make_title()
        finally:
            self._ended.set()
            self._enter("closed")

    def is_in(self, owner: str, conversation: str) -> bool:
        """Return whether this turn belongs to a conversation of this owner."""
        return self.owner == owner and self.message.conversation == conversation

    def stop(self) -> None:
        """End the upstream call now; the reply keeps what came. Once the reply is final this does nothing."""
        self._cancel("stopped")

    def interrupt(self) -> None:
        """End because the program ends; a title that is being made is given up too."""
        self._is_ending.set()
        self._cancel("interrupted")
        if self.phase == "saving":
            self._limit_saving()
        if self.phase == "ended" and self._task is not None:
            self._task.cancel()

    def expire(self) -> None:
        """End because its time is up: as interrupting, and the reply says why."""
        self._is_late = True
        self.interrupt()

    async def wait_ended(self) -> Message:
        """Return the final message once it is stored."""
        await self._ended.wait()
        return self.message

    def checkpoint(self, heartbeat_ms: int) -> Checkpoint | None:
        """Return what is to be stored now: grown parts, or a sign of life when the last is `heartbeat_ms` old."""
        if self.phase != "generating":
            return None
        now = now_ms()
        grown = self.reply.position > self.checkpointed
        if not grown and 0 <= now - self.checkpointed_at < heartbeat_ms:  # or the clock was put back
            return None
        return Checkpoint(
            reply=self.message.id,
            conversation=self.message.conversation,
            parts=self.reply.parts() if grown else None,
            position=self.reply.position,
            heartbeat=now,
        )

    def note_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Remember that this much is stored."""
        self.checkpointed = checkpoint.position
        self.checkpointed_at = checkpoint.heartbeat

    # ------------------------------------------------------------ followers

    def follow(self, after: int) -> AsyncIterator[Batch]:
        """Yield everything after position `after` in batches until the turn is closed."""
        return self._followers.follow(self, after)

    async def forward(self, after: int, sink: BatchSink) -> None:
        """Write the same into `sink`, each batch within the call in which it comes. Raise what the sink raises."""
        await self._followers.forward(self, after, sink)

    def beat(self) -> None:
        """Let every follower tell its client that all is well."""
        self._followers.tell(changed=False)

    def new_to(self, told: Told) -> Batch:
        """Return what is new to a follower, and note it as told."""
        batch = self.reply.since(told.position)
        if batch:
            told.position = batch[-1].position
        if self.phase in {"ended", "closed"} and not told.end:
            told.end = True
            batch += end_events(self.message, self.reply.position)
        if self._title is not None and not told.title:
            told.title = True
            batch.append(Numbered(self.reply.position, self._title))
        return batch

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return self.phase == "closed"

    def _enter(self, phase: Phase) -> None:
        self.phase = phase
        self._followers.tell(changed=True)

    # ------------------------------------------------------------ phases

    def _cancel(self, status: Status) -> None:
        if self.phase == "generating" and self._cancelled_as is None and self._task is not None:
            self._cancelled_as = status
            if self._is_generating:  # a task that is cancelled before its first step would never take it
                self._task.cancel()

    async def _generated(self) -> Message:
        status: Status = "complete"
        error: Failure | None = None
        try:
            await self._generate()
        except asyncio.CancelledError:
            if self._cancelled_as is None:  # the loop itself is going down
                self._cancelled_as = "interrupted"
            _uncancel()
            status = self._cancelled_as
            if self._is_late and status == "interrupted":
                error = Failure(type=TimeIsUp.type, message=TimeIsUp().message)
        except DaehwaError as fault:
            self._paid.note_refused(fault)
            status, error = self._failed(fault)
        except Exception:  # noqa: BLE001 - the edge of the turn's task
            _log.exception("turn %s: the provider failed in a way that it does not announce", self.message.id)
            status, error = self._failed(ProviderError("The model's answer could not be read. Try again."))
        self.phase = "saving"
        parts = self.reply.parts()
        return msgspec.structs.replace(
            self.message,
            parts=parts,
            status=status,
            finish=(self.reply.finish or "stop") if status == "complete" else None,
            usage=self._paid.ended(self.reply.usage, parts, error=None if error is None else error.type),
            error=error,
            position=self.reply.position,
            heartbeat=now_ms(),
        )

    async def _generate(self) -> None:
        if self._cancelled_as is not None:
            raise asyncio.CancelledError
        self._is_generating = True
        resolved = self._resolved
        with self._room.share_of(self.owner) as share:
            request = await self._paid.opened(await self._request(share), resolved)
            async with closing(resolved.provider.generate(request)) as batches:
                del request  # megabytes, perhaps: the provider has them as long as it needs them
                async for batch in batches:
                    share.give_back()
                    self._paid.note_content(batch)
                    self.reply.apply(batch)
                    self._followers.tell(changed=True)
                    if self.reply.position > REPLY_CHARACTERS:
                        self.reply.finish = "length"
                        return

    async def _request(self, share: Share) -> GenerationRequest:
        resolved, begun = self._resolved, self._begun
        messages = build_transcript(
            begun.path,
            context_window=resolved.model.context_window,
            continue_reply=self._continue_reply,
            continues_replies=resolved.provider.continues_replies,
            instructions=self._terms.instructions,
            sees_images=resolved.model.sees_images,
        )
        messages, images = await read_shown_images(
            messages, self._store, begun.conversation, share, self._taken_images()
        )
        return GenerationRequest(
            model=resolved.upstream_name,
            messages=messages,
            images=images,
            continue_last=bool(messages) and messages[-1].role == "assistant",
        )

    def _taken_images(self) -> tuple[Image, ...]:
        images, self._images = self._images, ()
        return images

    def _failed(self, fault: DaehwaError) -> tuple[Status, Failure]:
        retry_after = fault.retry_after if isinstance(fault, ProviderError) else None
        failure = Failure(type=fault.type, message=fault.told, retry_after=retry_after, budget=fault.budget)
        return ("failed" if self.reply.is_empty else "interrupted"), failure

    async def _saved(self, message: Message) -> Message:
        """Store the final reply; while the store fails, keep the text and try again: for about a minute, or for
        seconds more once the program is to end.
        """
        try:
            async with asyncio.timeout(None) as self._save_limit:
                if self._is_ending.is_set():
                    self._limit_saving()
                if await self._is_saved(message):
                    return message
        except TimeoutError:
            _log.warning("turn %s: the store takes longer than there is time for the final reply", self.message.id)
        finally:
            self._save_limit = None
        self.is_unsaved = True
        failure = Failure(type=StoreError.type, message="The answer could not be stored. Copy it before you leave.")
        return msgspec.structs.replace(message, status="failed", error=failure)

    def _limit_saving(self) -> None:
        limit = self._save_limit
        if limit is not None and limit.when() is None:
            limit.reschedule(asyncio.get_running_loop().time() + _LAST_SAVE_SECONDS)

    async def _is_saved(self, message: Message) -> bool:
        """Try to store the reply until it is done or no further attempt is worth it; return whether it is."""
        pauses = iter(_SAVE_PAUSES)
        while True:
            try:
                await self._store.finish_reply(message)
            except StoreError as error:
                _log.warning("turn %s: the final reply is not stored yet: %s", message.id, error.message)
                if self._is_ending.is_set():
                    pauses = self._last_pauses
                if (pause := next(pauses, None)) is None:
                    return False
                await self._pause(pause)
            except Exception:  # noqa: BLE001 - the edge of the turn's task
                _log.exception("turn %s: the store failed in a way that it does not announce", message.id)
                return False
            else:
                return True

    async def _pause(self, seconds: float) -> None:
        """Wait, but not through the word that the program is to end."""
        if self._is_ending.is_set():
            await asyncio.sleep(seconds)
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._is_ending.wait()

    async def _make_title(self) -> None:
        begun, model = self._begun, self._resolved.model
        is_first = len(begun.path) == 1 and begun.conversation.title_source == "question"
        if not (is_first and model.titles and self.message.status == "complete" and self.message.text):
            return
        seconds = _TITLE_SECONDS if self._until is None else min(_TITLE_SECONDS, (self._until - now_ms()) / 1000)
        if seconds < _SHORTEST_TITLE_SECONDS:
            return
        try:
            async with asyncio.timeout(seconds):
                self._title = await self._asked_title(begun.path[0].text or IMAGE_NOTE)
        except (DaehwaError, TimeoutError) as error:
            # Not its text: an upstream's refusal may quote the question.
            why = error.type if isinstance(error, DaehwaError) else "it took too long"
            _log.info("turn %s: no title was made: %s", self.message.id, why)
        except asyncio.CancelledError:
            _uncancel()

    async def _asked_title(self, question: str) -> TitleMade | None:
        text, usage, error = "", None, None
        paid = self._paid_answer(f"{self.message.id}-title", "title")
        wished = title_request(self._resolved.upstream_name, question, self.message.text)
        request = await paid.opened(wished, self._resolved)
        try:
            async with closing(self._resolved.provider.generate(request)) as batches:
                async for batch in batches:
                    paid.note_content(batch)
                    text += "".join(event.text for event in batch if isinstance(event, TextDelta))
                    usage = next((event.usage for event in batch if isinstance(event, UsageReported)), usage)
        except DaehwaError as fault:
            error = fault.type
            raise
        finally:
            usage = paid.ended(usage, [TextPart(text)], error=error)
            await paid.settle()
        title = title_from_answer(text)
        if title is None:
            return None
        kept = await self._store.set_title(self.message.conversation, title, "model", usage)
        return TitleMade(title, usage) if kept else None

    def _paid_answer(self, call: str, kind: CallKind) -> PaidAnswer:
        return PaidAnswer(
            self._meter,
            PaidCall(
                id=call,
                kind=kind,
                user=self.owner,
                model=self._resolved.candidates[0],
                others=self._resolved.candidates[1:],
                input_tokens=0,
                groups=self._terms.groups,
                conversation=self.message.conversation,
            ),
        )


def _uncancel() -> None:
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        task.uncancel()
