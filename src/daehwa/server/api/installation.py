"""What admins decide for the whole installation. Everybody who signs in sees it; a change is an admin's."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from daehwa.accounts import installation
from daehwa.accounts.installation import InstallationChanges
from daehwa.server.administration import Administration
from daehwa.server.asgi import Request, Response, json_response
from daehwa.server.body import json_body
from daehwa.server.local_auth import small

MOST_DAYS = 36_500
Days = Annotated[int, Meta(ge=1, le=MOST_DAYS)]


class Installation(msgspec.Struct, frozen=True, kw_only=True):
    """`admins_may_read`: whether admins can read conversations of others; each time is in the audit log.
    `retention_days`: after so many days without a new question a conversation is deleted for good; null: never.
    """

    admins_may_read: bool
    retention_days: int | None


class InstallationWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change; what is not named stays."""

    admins_may_read: bool | UnsetType = UNSET
    retention_days: Days | UnsetType | None = UNSET


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
        # Written down first: that admins may read shall never be so without it standing there.
        await self._office.note(request, "installation.changed", **given)
        return json_response(_shown(await self._store.change_installation(InstallationChanges(**given))))


def _shown(decided: installation.Installation) -> Installation:
    return Installation(admins_may_read=decided.admins_may_read, retention_days=decided.retention_days)
