"""Turns: begin, follow, stop. The turn itself runs in the core; here it is only asked for and watched."""

from functools import partial

import msgspec

from daehwa.accounts.memberships import Memberships
from daehwa.accounts.people import User
from daehwa.accounts.people_ports import PreferenceStore
from daehwa.conversation.errors import InvalidRequest, MessageNotFound, TooMuch
from daehwa.conversation.expecting import expect_turn
from daehwa.conversation.ids import checked_id
from daehwa.conversation.messages import TextPart
from daehwa.conversation.ports import ConversationStore, ModelCatalogue
from daehwa.conversation.running import AskedImage, Question, RunningTurns, TurnRequest
from daehwa.conversation.terms import Terms
from daehwa.server.api import shapes
from daehwa.server.asgi import Request, Response, json_response
from daehwa.server.body import json_body, query_values
from daehwa.server.deadline import deadline_of
from daehwa.server.event_stream import EventStream
from daehwa.server.options import ServerOptions

_LONGEST_POSITION = 15
"""Digits of the largest integer that every JSON reader keeps exact."""


class TurnsApi:
    """The operations on turns."""

    def __init__(
        self,
        store: ConversationStore,
        running: RunningTurns,
        options: ServerOptions,
        memberships: Memberships,
        catalogue: ModelCatalogue,
        preferences: PreferenceStore | None = None,
    ) -> None:
        self._preferences = preferences
        self._catalogue = catalogue
        self._memberships = memberships
        self._store = store
        self._running = running
        self._options = options

    async def start_turn(self, request: Request) -> EventStream:
        """Ask a question, ask for a further answer, or for the rest of one; the answer streams.

        The head is sent when question and reply are on disk. The turn goes on when the client leaves. The same reply
        id again follows the turn that is there.
        """
        after = _last_event_id(request) or 0
        body = await json_body(request, shapes.TurnBody, self._options, self._options.limits.turn_bytes)
        # Behind the adapter nobody but it can write this header.
        deadline = deadline_of(request) if self._options.home == "aws" else None
        asked = self._turn_request(request.user.id, body, deadline)
        terms = await self._terms_of(request.user)
        reply = await self._running.start(msgspec.structs.replace(asked, terms=terms))
        return self._following(request, reply.id, after)

    async def expect_turn(self, request: Request) -> Response:
        """Say that a question is being written: a connection to its model's upstream is there when it comes.

        No model is asked, and nothing is said of how it went: the turn will tell. On AWS nothing is done: the function
        stands still until then.
        """
        body = await json_body(request, shapes.ExpectedTurn, self._options)
        if self._options.home != "aws":
            await expect_turn(self._catalogue, body.model, await self._memberships.terms_of(request.user))
        return Response(204)

    async def follow_turn(self, request: Request) -> EventStream:
        """Follow a reply from where the client last was: what it missed, then what is new, to the end."""
        reply = checked_id(request.path["reply"], "reply")
        after = query_values(request, shapes.FollowQuery).after
        last = _last_event_id(request)
        message = await self._store.get_message(request.user.id, reply)
        if message.role != "assistant":
            raise MessageNotFound("reply")
        position = after if last is None else last
        return self._following(request, reply, position)

    def _following(self, request: Request, reply: str, after: int) -> EventStream:
        return EventStream(partial(self._running.forward, request.user.id, reply, after=after))

    async def stop_turn(self, request: Request) -> Response:
        """Stop a reply where it is, ending the upstream call, and return it as stored."""
        reply = checked_id(request.path["reply"], "reply")
        return json_response(await self._running.stop(request.user.id, reply))

    async def _terms_of(self, user: User) -> Terms:
        terms = await self._memberships.terms_of(user)
        if self._preferences is None:
            return terms
        return terms.with_own((await self._preferences.get_preferences(user.id)).instructions)

    def _turn_request(self, owner: str, body: shapes.TurnBody, deadline: int | None) -> TurnRequest:
        if (body.message is None) == (body.parent is None):
            raise InvalidRequest("Give either a 'message' to ask or the 'parent' of a further answer.", param="message")
        if body.continue_reply and body.parent is None:
            raise InvalidRequest("To continue, give the cut reply as 'parent' and no 'message'.", param="continue")
        if body.parent is not None:
            checked_id(body.parent, "parent")
        return TurnRequest(
            owner=owner,
            conversation=checked_id(body.conversation, "conversation"),
            reply=checked_id(body.reply, "reply"),
            model=body.model,
            question=None if body.message is None else self._question(body.message),
            parent=body.parent,
            continue_reply=body.continue_reply,
            deadline=deadline,
        )

    def _question(self, question: shapes.Question) -> Question:
        checked_id(question.id, "message.id")
        if question.parent is not None:
            checked_id(question.parent, "message.parent")
        texts = [part.text for part in question.parts if isinstance(part, shapes.QuestionPart) and part.text]
        images = tuple(_asked_image(part) for part in question.parts if isinstance(part, shapes.QuestionImage))
        most = self._options.limits.message_characters
        if sum(map(len, texts)) > most:
            raise TooMuch(f"The message is too long: at most {most:,} characters.", param="message.parts")
        if not any(text.strip() for text in texts):
            if not images:
                raise InvalidRequest("The message is empty. Write something to ask.", param="message.parts")
            texts = []
        return Question(question.id, question.parent, tuple(map(TextPart, texts)), images)


def _asked_image(part: shapes.QuestionImage) -> AskedImage:
    return AskedImage(checked_id(part.image, "message.parts"), part.width, part.height, part.data)


def _last_event_id(request: Request) -> int | None:
    """Return the header's number; browsers send it empty when they have none."""
    text = (request.header(b"last-event-id") or "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST_POSITION):
        raise InvalidRequest("'Last-Event-ID' must be the id of an event of this reply.", param="Last-Event-ID")
    return int(text)
