"""What somebody has set for themselves, wherever they sit."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from daehwa.accounts import preferences
from daehwa.accounts.people_ports import PreferenceStore
from daehwa.accounts.preferences import INSTRUCTION_CHARACTERS
from daehwa.server.asgi import Request, Response, json_response
from daehwa.server.body import json_body
from daehwa.server.local_auth import small
from daehwa.server.options import ServerOptions

Instructions = Annotated[
    str,
    Meta(
        max_length=INSTRUCTION_CHARACTERS,
        description="What models are told before whatever this person asks in the page; empty: nothing.",
    ),
]


class Preferences(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody has set for themselves."""

    instructions: Instructions


class PreferenceChanges(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change; what is not named stays."""

    instructions: Instructions | UnsetType = UNSET


class PreferencesApi:
    """The operations on one's own preferences."""

    def __init__(self, store: PreferenceStore, options: ServerOptions) -> None:
        self._store = store
        self._options = small(options)

    async def get_preferences(self, request: Request) -> Response:
        """Tell what one has set for oneself."""
        return json_response(_shown(await self._store.get_preferences(request.user.id)))

    async def change_preferences(self, request: Request) -> Response:
        """Set something for oneself. It counts from the next question on, in every browser."""
        asked = await json_body(request, PreferenceChanges, self._options)
        kept = await self._store.get_preferences(request.user.id)
        if asked.instructions is not UNSET:
            kept = preferences.Preferences(instructions=asked.instructions.strip())
            await self._store.set_preferences(request.user.id, kept)
        return json_response(_shown(kept))


def _shown(kept: preferences.Preferences) -> Preferences:
    return Preferences(instructions=kept.instructions)
