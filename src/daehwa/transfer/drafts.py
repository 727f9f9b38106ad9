"""A conversation of another product, in one shape whatever product that is, and the record that becomes of it. Pure.

How this works and why. Other products keep a node for each thing that a model does: a thought, a call, its result, a
sentence, the answer. Here an answer is one message below its question, so a run of such nodes becomes one. Where a run
forks, each of its ends is an answer of its own that begins alike: versions of one answer, as the page shows them. A
question that nothing answered is given the empty, stopped reply that it would have here; only so can it be asked again,
and another question follow it.

Ids are derived from the owner, the product and the ids there: the same import again finds everything there already,
and a later export adds what is new. Nobody gives the ids of another person's conversations to their own.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, Literal

import msgspec

from daehwa.conversation.archive_ports import ConversationRecord
from daehwa.conversation.errors import InvalidRequest, TooMuch
from daehwa.conversation.ids import id_of
from daehwa.conversation.images import Image
from daehwa.conversation.messages import (
    Conversation,
    FinishReason,
    ImagePart,
    Message,
    Part,
    Status,
    TextPart,
    body_of,
    title_from,
)
from daehwa.transfer.brought_images import BroughtImage, BroughtPart
from daehwa.transfer.foreign_json import list_in
from daehwa.transfer.texts import Lost, joined, one_line

_MESSAGES: Final = 100_000
"""The most messages that a conversation may have."""
_NODES: Final = 250_000
"""The most nodes that it may have there, shown or not: each takes a thousand times the bytes that say it."""
_PIECES: Final = 1_000_000
"""The most nodes that its answers may be made of, those counted twice that belong to two of them."""
_COPIES: Final = 4
"""So many times as long as what was written may become what is stored, where answers share their beginnings."""
_ALWAYS: Final = 1_000_000
"""So many characters may be stored in any case."""
_UNKNOWN_TIME: Final = 1
_NO_ANSWER: Final = "no answer"


class Empty(InvalidRequest):
    """There is no message in it that anybody wrote."""

    type = "empty_conversation"


class Piece(msgspec.Struct, kw_only=True):
    """A node of another product's tree. `role` None: nobody is shown it, and what is below it hangs on what is above.
    Images are parts of questions alone.

    `created` is in milliseconds since 1970, None where it is not known.
    """

    id: str
    parent: str | None
    role: Literal["user", "assistant"] | None
    parts: Sequence[BroughtPart] = ()
    model: str | None = None
    created: int | None = None
    status: Status = "complete"
    finish: FinishReason | None = None


class Draft(msgspec.Struct, kw_only=True):
    """A conversation of another product. `pieces` may be in any order, and their tree any; `leaf` is the piece at which
    it was open. `id` may be empty where it has none there. `lost` counts what was not brought.
    """

    product: str
    id: str
    title: str
    pieces: list[Piece]
    lost: Lost
    leaf: str | None = None
    created: int | None = None
    updated: int | None = None
    archived: bool = False
    pinned: bool = False


def derived_id(created: int, *names: str) -> str:
    """Return the id of something that has names elsewhere: of the same names and time (ms) it is always the same."""
    return id_of(
        created, hashlib.blake2b(json.dumps(names).encode(), digest_size=10, person=b"daehwa.transfer").digest()
    )


def refuse_too_many(nodes: int) -> None:
    """Raise `TooMuch` where a conversation has more nodes than are looked at."""
    if nodes > _NODES:
        raise TooMuch(f"It has more than {_NODES:,} messages and pieces.")


def links_upwards(nodes: dict[str, Any], name: str) -> dict[str, str]:
    """Return what each node is below, by the fields of this name that list what is below a node: not every export names
    both.
    """
    lists = {above: list_in(node, name) for above, node in nodes.items()}
    return {below: above for above, listed in lists.items() for below in listed if isinstance(below, str)}


def record_of(draft: Draft, owner: str) -> ConversationRecord:
    """Return a draft as a record. Raise `Empty`, and `TooMuch` where it is over a limit."""
    tree = _ShownTree(draft.pieces)
    if not tree.order:
        raise Empty("There is no message in it.")
    draft.id = draft.id or _known_by(tree.order[0])
    times = [piece.created for piece in tree.order if piece.created is not None]
    created = draft.created or min(times, default=_UNKNOWN_TIME)
    writing = _Writing(draft, owner, created, tree)
    writing.write()
    messages = tuple(writing.messages)
    updated = max(draft.updated or max(times, default=created), created)
    title = one_line(draft.title)
    question = next((message.text for message in messages if message.role == "user" and message.text.strip()), "")
    conversation = Conversation(
        id=writing.conversation,
        owner=owner,
        title=title or title_from(question) or draft.product,
        title_source="user" if title else "question",
        leaf=writing.message_of.get(tree.shown_at(draft.leaf) or "", _newest(messages).id),
        pinned=draft.pinned,
        archived=draft.archived,
        created=created,
        updated=updated,
    )
    return ConversationRecord(conversation=conversation, messages=messages, images=tuple(writing.images.values()))


def _newest(messages: tuple[Message, ...]) -> Message:
    return max(enumerate(messages), key=lambda each: (each[1].created, each[0]))[1]


def _known_by(first: Piece) -> str:
    """Return by what a conversation without an id is known again: how it began, which no later export changes, and
    neither does an image that comes or stays behind.
    """
    parts = [TextPart(part.note) if isinstance(part, BroughtImage) else part for part in first.parts]
    begun = json.dumps([first.id, first.created, msgspec.to_builtins(parts)])
    return hashlib.blake2b(begun.encode(), digest_size=16).hexdigest()


class _ShownTree:
    """The pieces that are shown, as a tree: parents before what is below them, siblings in the order given.

    Whatever the nodes say of each other: of two with one id the later is given another, a parent that is not there is
    none, and a ring is opened.
    """

    def __init__(self, pieces: Iterable[Piece]) -> None:
        self._pieces = _with_own_ids(pieces)
        _open_rings(self._pieces)
        below: dict[str | None, list[Piece]] = {}
        for piece in self._pieces.values():
            below.setdefault(piece.parent, []).append(piece)
        self.below: dict[str | None, list[Piece]] = {}
        self._shown: dict[str | None, str | None] = {None: None}
        self.order: list[Piece] = []
        for piece in _down(below):
            above = self._shown[piece.parent]
            if piece.role is None or not piece.parts:
                self._shown[piece.id] = above
                continue
            self._shown[piece.id] = piece.id
            self.order.append(piece)
            self.below.setdefault(above, []).append(piece)

    def shown_at(self, piece: str | None) -> str | None:
        """Return the piece itself where it is shown, else the next one above it."""
        return self._shown.get(piece)


def _with_own_ids(pieces: Iterable[Piece]) -> dict[str, Piece]:
    found: dict[str, Piece] = {}
    numbers: dict[str, int] = {}
    for piece in pieces:
        while piece.id in found:
            numbers[piece.id] = numbers.get(piece.id, 1) + 1
            piece.id = f"{piece.id} ({numbers[piece.id]})"
        found[piece.id] = piece
    return found


def _open_rings(pieces: dict[str, Piece]) -> None:
    done: set[str] = set()
    for piece in pieces.values():
        way: dict[str, None] = {}
        at: Piece | None = piece
        while at is not None and at.id not in done:
            way[at.id] = None
            above = None if at.parent is None else pieces.get(at.parent)
            if above is None or above.id in way:
                at.parent = None
                break
            at = above
        done.update(way)


def _down(below: dict[str | None, list[Piece]]) -> Iterator[Piece]:
    waiting = list(reversed(below.get(None, ())))
    while waiting:
        piece = waiting.pop()
        yield piece
        waiting.extend(reversed(below.get(piece.id, ())))


class _Run(msgspec.Struct, frozen=True):
    """Pieces of one answer, from its end to its beginning."""

    piece: Piece
    before: "_Run | None"

    def pieces(self) -> list[Piece]:
        """Return them from the beginning."""
        found: list[Piece] = []
        at: _Run | None = self
        while at is not None:
            found.append(at.piece)
            at = at.before
        found.reverse()
        return found


class _Place(msgspec.Struct, frozen=True):
    """Where a piece comes: below which message, in which answer, and as which of its siblings."""

    piece: Piece
    above: Message | None
    run: _Run | None
    number: int


def _length(piece: Piece) -> int:
    return sum(len(body_of(part)) for part in _said(piece))


def _said(piece: Piece) -> list[Part]:
    """Return its parts without its images."""
    return [part for part in piece.parts if not isinstance(part, BroughtImage)]


class _Writing:
    """The messages of a draft as they are made, and the images that they name, by their ids; `message_of` says in which
    message a piece is.
    """

    def __init__(self, draft: Draft, owner: str, created: int, tree: _ShownTree) -> None:
        self._draft = draft
        self._owner = owner
        self._created = created
        self._tree = tree
        self._pieces = 0
        self._left = _ALWAYS + _COPIES * sum(map(_length, tree.order))
        self.conversation = derived_id(draft.created or 0, owner, draft.product, draft.id)
        self.messages: list[Message] = []
        self.images: dict[str, Image] = {}
        self.message_of: dict[str, str] = {}

    def write(self) -> None:
        """Make all messages."""
        waiting = self._places(None, None, None)
        while waiting:
            place = waiting.pop()
            below = self._question(place) if place.piece.role == "user" else self._answer(place)
            waiting += below
            if len(self.messages) > _MESSAGES:
                raise TooMuch(f"It has more than {_MESSAGES:,} messages.")

    def _places(self, piece: str | None, above: Message | None, run: _Run | None, *roles: str) -> list[_Place]:
        """Return where comes what is below a piece, of these roles, the first at the end."""
        below = [each for each in self._tree.below.get(piece, ()) if not roles or each.role in roles]
        return [_Place(each, above, run, number) for number, each in enumerate(below)][::-1]

    def _question(self, place: _Place) -> list[_Place]:
        piece = place.piece
        question = self._put(place, piece.id, [piece])
        answers = self._places(piece.id, question, None, "assistant")
        others = self._tree.below.get(piece.id, ())
        if answers and len(answers) == len(others):
            return answers
        unanswered = self._bare((_NO_ANSWER, piece.id), piece, question, question.created)
        self.messages.append(msgspec.structs.replace(unanswered, status="stopped"))
        if not others:
            self.message_of[piece.id] = unanswered.id
        return [*answers, *self._places(piece.id, unanswered, None, "user")]

    def _answer(self, place: _Place) -> list[_Place]:
        run = _Run(place.piece, place.run)
        below = self._tree.below.get(place.piece.id, ())
        goes_on = self._places(place.piece.id, place.above, run, "assistant")
        if below and len(goes_on) == len(below):
            return goes_on
        answer = self._put(place, place.piece.id, run.pieces())
        return [*goes_on, *self._places(place.piece.id, answer, None, "user")]

    def _put(self, place: _Place, name: str, pieces: list[Piece]) -> Message:
        first, last, above = pieces[0], pieces[-1], place.above
        self._pieces += len(pieces)
        self._left -= sum(map(_length, pieces))
        if self._pieces > _PIECES or self._left < 0:
            raise TooMuch("Its answers fork too often.")
        earliest = self._created if above is None else above.created
        created = earliest + place.number if first.created is None else max(first.created, earliest)
        is_whole_reply = last.role == "assistant" and last.status == "complete"
        bare = self._bare((name,), last, above, created)
        texts = joined([part for piece in pieces for part in _said(piece)], self._draft.lost)
        message = msgspec.structs.replace(
            bare,
            parts=(*self._shown_by(first), *texts) or bare.parts,
            status=last.status,
            finish=(last.finish or "stop") if is_whole_reply else None,
            model=next((one_line(piece.model, 100) for piece in reversed(pieces) if piece.model), None),
        )
        self.messages.append(message)
        for piece in pieces:
            self.message_of[piece.id] = message.id
        return message

    def _shown_by(self, piece: Piece) -> tuple[ImagePart, ...]:
        """Return the images of a question, each once: its id is the conversation's, and of the same name the same."""
        draft, shown = self._draft, {}
        brought = [part for part in piece.parts if isinstance(part, BroughtImage)]
        for number, image in enumerate(brought):
            names = [image.name] if image.name else [piece.id, f"{number}"]
            name = derived_id(draft.created or 0, self._owner, draft.product, draft.id, "image", *names)
            self.images.setdefault(name, Image(name, image.media_type, image.data))
            shown[name] = ImagePart(name, image.media_type, len(image.data), image.width, image.height)
        return tuple(shown.values())

    def _bare(self, names: tuple[str, ...], piece: Piece, above: Message | None, created: int) -> Message:
        draft = self._draft
        is_reply = piece.role == "assistant" or names[0] == _NO_ANSWER
        return Message(
            id=derived_id(piece.created or draft.created or 0, self._owner, draft.product, draft.id, *names),
            conversation=self.conversation,
            parent=None if above is None else above.id,
            role="assistant" if is_reply else "user",
            parts=() if is_reply else (TextPart(""),),
            created=created,
        )
