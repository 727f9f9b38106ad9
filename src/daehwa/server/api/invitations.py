"""Invitations: links by which somebody makes an account of their own, made by admins; and those for new passwords."""

from typing import Annotated

import msgspec
from msgspec import Meta

from daehwa.accounts.links import Link, LinkKind
from daehwa.accounts.people import Role, User
from daehwa.accounts.unshown import Unshown
from daehwa.conversation.errors import NotFound
from daehwa.server.administration import Administration, GroupIds
from daehwa.server.asgi import Request, Response, json_response
from daehwa.server.body import json_body
from daehwa.server.local_auth import small


class InvitationNotFound(NotFound):
    """No link that still works has this id."""

    type = "invitation_not_found"

    def __init__(self) -> None:
        super().__init__("There is no such invitation; it may have been used, or be too old.", param="invitation")


class InvitationWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is invited: with an e-mail address, that is what they sign in by; role and groups are given to them."""

    email: Annotated[str, Meta(max_length=1000)] | None = None
    role: Role = "member"
    groups: GroupIds = ()


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """A link that still works; where it leads was told once. `name` is whose password a "reset" sets anew, and `by` who
    made it: null where it came from the terminal or by mail. Times are milliseconds since 1970.
    """

    id: str
    kind: LinkKind
    email: str | None
    name: str | None
    role: Role
    groups: Annotated[tuple[str, ...], Meta(description="Ids of groups.")]
    created: int
    expires: int
    by: str | None


class InvitationList(msgspec.Struct, frozen=True):
    """The links that still work, newest first."""

    invitations: tuple[Invitation, ...]


class MadeInvitation(Unshown, frozen=True, kw_only=True):
    """An invitation and its address, which is told this one time: hand it to whom it is for."""

    url: str
    invitation: Invitation


class InvitationsApi:
    """The operations of admins on links."""

    def __init__(self, office: Administration) -> None:
        self._office = office
        self._options = small(office.options)

    async def list_invitations(self, _request: Request) -> Response:
        """List the links that still work: invitations, and those for a new password."""
        people = self._office.people
        links = await people.links.list_links(now=self._office.clock())
        users = await people.accounts.list_users() if links else ()
        names = {user.id: user.called for user in users}
        makers = {None, *(user.id for user in users if self._is_admin(user))}
        return json_response(InvitationList(tuple(_listed(link, names) for link in links if link.made_by in makers)))

    async def make_invitation(self, request: Request) -> Response:
        """Invite somebody, for a week; the link works once. Nothing is sent."""
        wish = await json_body(request, InvitationWish, self._options)
        groups = await self._office.check_groups(wish.groups)
        made = await self._office.links.invite(
            email=wish.email, role=wish.role, groups=groups, made_by=request.user.id, now=self._office.clock()
        )
        await self._office.note(request, "link.made", kind="invite", role=wish.role)
        listed = _listed(made.link, {request.user.id: request.user.called})
        return json_response(MadeInvitation(url=made.url, invitation=listed), 201)

    async def revoke_invitation(self, request: Request) -> Response:
        """Make a link void."""
        if not await self._office.people.links.delete_link(request.path["invitation"]):
            raise InvitationNotFound
        await self._office.note(request, "link.revoked")
        return Response(204)

    def _is_admin(self, user: User) -> bool:
        now = self._office.identity.as_now(user)
        return now is not None and now.is_enabled_admin


def _listed(link: Link, names: dict[str, str]) -> Invitation:
    return Invitation(
        id=link.id,
        kind=link.kind,
        email=link.email,
        name=None if link.user is None else names.get(link.user),
        role=link.role,
        groups=link.groups,
        created=link.created,
        expires=link.expires,
        by=None if link.made_by is None else names.get(link.made_by),
    )
