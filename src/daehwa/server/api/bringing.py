"""Conversations that somebody brings along: their own of another home, or of another product."""

import asyncio
from typing import Annotated

import msgspec
from msgspec import Meta

from daehwa.accounts.errors import NotAllowed
from daehwa.accounts.people_ports import InstallationStore
from daehwa.conversation.archive_ports import ConversationArchive
from daehwa.conversation.ids import now_ms
from daehwa.server.asgi import Request, Response, json_response
from daehwa.server.body import json_body
from daehwa.server.options import ServerOptions

MOST_BROUGHT = 100
"""So many conversations are brought by one request."""
_DAY_MS = 86_400_000


class BroughtConversations(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Conversations as another product exports them, or lines of an export of daehwa."""

    conversations: Annotated[
        tuple[msgspec.Raw, ...],
        Meta(
            description="Each a conversation of an export of ChatGPT, Claude, Open WebUI or LibreChat, or a line of an "
            "export of daehwa that holds one. One of ChatGPT may have a member `daehwa_images` more: the images of its "
            "questions, as base64 by the ids by which it calls them (`file-…`, `file_…`).",
            min_length=1,
            max_length=MOST_BROUGHT,
        ),
    ]


class LeftOut(msgspec.Struct, frozen=True):
    """A conversation that was not stored, and why, as a sentence; its title where it has one."""

    title: str | None
    reason: str


class Brought(msgspec.Struct, frozen=True, kw_only=True):
    """What became of conversations: how many were new, brought back that had been deleted, brought up to date, there
    already, empty, or left out. `images` are those that came with
    their questions and were not here before, `not_brought` counts what else did not
    come, such as images, by its kind.
    """

    added: int
    restored: int
    changed: int
    same: int
    empty: int
    images: int
    left_out: tuple[LeftOut, ...]
    not_brought: dict[str, int]


class BringingApi:
    """The operation by which conversations are brought along."""

    def __init__(
        self, archive: ConversationArchive, options: ServerOptions, installation: InstallationStore | None
    ) -> None:
        self._archive = archive
        self._options = options
        self._installation = installation
        # A conversation takes many times its bytes while it is converted: one request after the other.
        self._turn = asyncio.Lock()

    async def import_conversations(self, request: Request) -> Response:
        """Store conversations that one brings along, for oneself alone; the same again changes nothing.

        One that cannot be read is left out and named, and the others are stored. Guests bring none.
        """
        from daehwa.transfer.taking_in import take_in  # noqa: PLC0415 - each start pays for imports

        _refuse_guest(request)
        body = await json_body(request, BroughtConversations, self._options)
        _refuse_guest(request)  # once more: the body may have been long on its way
        now = now_ms()
        texts = [bytes(text) for text in body.conversations]
        oldest = await self._oldest(now)
        async with self._turn:
            moved = await take_in(
                self._archive, texts, owner=request.user.id, now=now, oldest=oldest, most=MOST_BROUGHT
            )
        return json_response(
            Brought(
                added=moved.added,
                restored=moved.restored,
                changed=moved.changed,
                same=moved.same,
                empty=moved.empty,
                images=moved.images,
                left_out=tuple(LeftOut(skipped.where, skipped.reason) for skipped in moved.skipped),
                not_brought=dict(moved.lost),
            )
        )

    async def _oldest(self, now: int) -> int | None:
        """Return when a conversation must have been used last, so that it is not deleted for its age."""
        if self._installation is None:
            return None
        days = (await self._installation.get_installation()).retention_days
        return None if days is None else now - days * _DAY_MS


def _refuse_guest(request: Request) -> None:
    if request.user.role == "guest":
        raise NotAllowed("Guests bring no conversations along. Ask an admin to make you a member.")
