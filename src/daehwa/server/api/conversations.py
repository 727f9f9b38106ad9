"""Conversations: list, search, read, change, delete, restore."""

import asyncio

from daehwa.conversation.errors import InvalidRequest, TooMuch
from daehwa.conversation.ids import checked_id
from daehwa.conversation.ports import ConversationChanges, ConversationStore
from daehwa.conversation.running import RunningTurns
from daehwa.conversation.stretch import Stretch, StretchWish
from daehwa.server.api import shapes
from daehwa.server.api.shapes import ConversationPage, OpenedConversation, SearchHit, SearchHits, without_owner
from daehwa.server.asgi import Request, Response, json_response
from daehwa.server.body import json_body, query_values
from daehwa.server.options import ServerOptions


class ConversationsApi:
    """The operations on conversations."""

    def __init__(self, store: ConversationStore, running: RunningTurns, options: ServerOptions) -> None:
        self._store = store
        self._running = running
        self._options = options

    async def list_conversations(self, request: Request) -> Response:
        """List conversations, pinned first and then newest; with `query`, search their titles and text."""
        asked = query_values(request, shapes.ConversationsQuery)
        if asked.query.strip():
            return await self._search(request.user.id, asked)
        page = await self._store.list_conversations(
            request.user.id, archived=asked.archived, after=asked.after, limit=asked.limit
        )
        return json_response(ConversationPage(tuple(map(without_owner, page.conversations)), page.after))

    async def _search(self, owner: str, asked: shapes.ConversationsQuery) -> Response:
        hits = await self._store.search_conversations(owner, asked.query, limit=asked.limit)
        found = (
            SearchHit(
                conversation=without_owner(hit.conversation), title=hit.title, message=hit.message, snippet=hit.snippet
            )
            for hit in hits
        )
        return json_response(SearchHits(tuple(found)))

    async def get_conversation(self, request: Request) -> Response:
        """Return a conversation and all its messages, or, of a long one, a stretch of them."""
        owner, asked, wish = request.user.id, _conversation_id(request), _stretch_wish(request)
        found, title_usage = await asyncio.gather(self._read(owner, asked, wish), self._store.title_usage(owner, asked))
        return json_response(
            OpenedConversation(without_owner(found.conversation), found.messages, title_usage, found.whole, found.total)
        )

    async def _read(self, owner: str, conversation: str, wish: StretchWish | None) -> Stretch:
        if wish is None:
            return Stretch(*await self._running.read_conversation(owner, conversation), whole=True, total=None)
        return await self._running.read_stretch(owner, conversation, wish)

    async def change_conversation(self, request: Request) -> Response:
        """Rename, pin, archive, or remember where the reader is."""
        conversation = _conversation_id(request)
        asked = (await json_body(request, shapes.ConversationChanges, self._options)).given()
        if "title" in asked:
            asked["title"] = self._checked_title(asked["title"])
        if "leaf" in asked:
            checked_id(asked["leaf"], "leaf")
        changed = await self._store.change_conversation(request.user.id, conversation, ConversationChanges(**asked))
        return json_response(without_owner(changed))

    async def delete_conversation(self, request: Request) -> Response:
        """Delete a conversation; for ten minutes it can be restored. What is being written in it is stopped."""
        conversation = _conversation_id(request)
        await self._store.delete_conversation(request.user.id, conversation)
        await self._running.stop_all(request.user.id, conversation)
        return Response(204)

    async def restore_conversation(self, request: Request) -> Response:
        """Undo a deletion."""
        restored = await self._store.restore_conversation(request.user.id, _conversation_id(request))
        return json_response(without_owner(restored))

    def _checked_title(self, title: str) -> str:
        line = " ".join(title.split())
        if not line:
            raise InvalidRequest("A title has at least one letter.", param="title")
        most = self._options.limits.title_characters
        if len(line) > most:
            raise TooMuch(f"The title is too long: at most {most} characters.", param="title")
        return line


def _stretch_wish(request: Request) -> StretchWish | None:
    asked = query_values(request, shapes.StretchQuery)
    message = None if asked.message is None else checked_id(asked.message, "message")
    before = None if asked.before is None else checked_id(asked.before, "before")
    if asked.limit is None:
        return None
    return StretchWish(limit=asked.limit, message=message, before=before, total=asked.total)


def _conversation_id(request: Request) -> str:
    return checked_id(request.path["conversation"], "conversation")
