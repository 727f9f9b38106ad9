"""What admins decide for the whole installation. Everybody who signs in sees it; a change is an admin's."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from daehwa.accounts import installation
from daehwa.accounts.installation import Announcement, InstallationChanges, announcement_facts, checked_announcement
from daehwa.conversation.ids import now_ms
from daehwa.server.administration import Administration
from daehwa.server.asgi import Request, Response, json_response
from daehwa.server.body import json_body
from daehwa.server.local_auth import small

MOST_DAYS = 36_500
Days = Annotated[int, Meta(ge=1, le=MOST_DAYS)]


class Installation(msgspec.Struct, frozen=True, kw_only=True):
    """`admins_may_read`: whether admins can read conversations of others; each time is in the audit log.
    `retention_days`: after so many days without a new question a conversation is deleted for good; null: never.
    `announcement`: what everybody is told at the top of the page, also where its time is over; null: nothing.
    """

    admins_may_read: bool
    retention_days: int | None
    announcement: Announcement | None


class AnnouncementWish(Announcement, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What everybody is to be told: one line of plain text of at most 200 characters in English (`en`), in Korean
    (`ko`), or in both; `until`, in ms since 1970, is to come, or null.
    """


class InstallationWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change; what is not named stays."""

    admins_may_read: bool | UnsetType = UNSET
    retention_days: Days | UnsetType | None = UNSET
    announcement: AnnouncementWish | UnsetType | None = UNSET


class InstallationApi:
    """The operations on what is decided for all."""

    def __init__(self, office: Administration) -> None:
        self._office = office
        self._store = office.people.installation
        self._options = small(office.options)

    async def get_installation(self, _request: Request) -> Response:
        """Tell what was decided for everybody here."""
        return json_response(_shown(await self._store.get_installation()))

    async def change_installation(self, request: Request) -> Response:
        """Decide for everybody. What is kept no longer is deleted for good within minutes, on AWS within hours."""
        asked = await json_body(request, InstallationWish, self._options)
        given = {name: value for name, value in msgspec.structs.asdict(asked).items() if value is not UNSET}
        if given.get("announcement") is not None:
            given["announcement"] = checked_announcement(given["announcement"], now_ms())
        # Written down first: that admins may read shall never be so without it standing there.
        await self._office.note(request, "installation.changed", **_facts(given))
        return json_response(_shown(await self._store.change_installation(InstallationChanges(**given))))


def _facts(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the audit log says of changes."""
    told = announcement_facts(given["announcement"]) if "announcement" in given else {}
    return {**given, **told}


def _shown(decided: installation.Installation) -> Installation:
    return Installation(**{name: getattr(decided, name) for name in Installation.__struct_fields__})
