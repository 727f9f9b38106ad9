"""Reading what others wrote: for admins, where the installation is switched to that, and never unnoticed."""

import asyncio
from typing import Annotated

import msgspec
from msgspec import Meta

from daehwa.accounts.errors import NotAllowed
from daehwa.conversation.ids import checked_id
from daehwa.conversation.ports import ConversationStore
from daehwa.conversation.running import RunningTurns
from daehwa.server.administration import Administration
from daehwa.server.api.images import ids_of, image_response
from daehwa.server.api.shapes import ConversationPage, OpenedConversation, without_owner
from daehwa.server.asgi import Request, Response, json_response
from daehwa.server.body import query_values


class PersonsConversationsQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which of a person's conversations."""

    archived: Annotated[bool, Meta(description="List the archived conversations instead.")] = False
    after: Annotated[str | None, Meta(description="The cursor that came with the page before.")] = None
    limit: Annotated[int, Meta(description="How many at most.", ge=1, le=100)] = 50


class ReadingApi:
    """The operations by which an admin reads."""

    def __init__(self, office: Administration, store: ConversationStore, running: RunningTurns) -> None:
        self._office = office
        self._store = store
        self._running = running

    async def list_persons_conversations(self, request: Request) -> Response:
        """List the conversations of a person, where this installation lets admins read. The audit log tells of it."""
        asked = query_values(request, PersonsConversationsQuery)
        await self._check()
        person = await self._office.person(request)
        await self._office.note(request, "conversations.listed", person.id)
        page = await self._store.list_conversations(
            person.id, archived=asked.archived, after=asked.after, limit=asked.limit
        )
        return json_response(ConversationPage(tuple(map(without_owner, page.conversations)), page.after))

    async def read_persons_conversation(self, request: Request) -> Response:
        """Return a conversation of a person, where this installation lets admins read. The audit log tells of it."""
        asked = checked_id(request.path["conversation"], "conversation")
        await self._check()
        person = await self._office.person(request)
        await self._office.note(request, "conversation.read", person.id, conversation=asked)
        (conversation, messages), title_usage = await asyncio.gather(
            self._running.read_conversation(person.id, asked), self._store.title_usage(person.id, asked)
        )
        return json_response(OpenedConversation(without_owner(conversation), messages, title_usage))

    async def read_persons_image(self, request: Request) -> Response:
        """Return an image of a person's conversation, where this installation lets admins read.

        The audit log tells of it, as of reading the conversation.
        """
        asked, image = ids_of(request)
        await self._check()
        person = await self._office.person(request)
        await self._office.note(request, "conversation.read", person.id, conversation=asked)
        # No browser keeps it: what admins may read is looked at each time.
        return image_response(await self._store.get_image(person.id, asked, image), b"no-store")

    async def _check(self) -> None:
        if not (await self._office.people.installation.get_installation()).admins_may_read:
            raise NotAllowed(
                "Admins cannot read here what others write. Whoever wants that switches it on for the installation, "
                "which everybody then sees."
            )
