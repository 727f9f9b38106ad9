"""The rows of administration: there only where people sign in, and for admins alone."""

from collections.abc import Iterator

from daehwa.accounts.errors import GroupNameTaken, GroupNotFound, LastAdmin, UserNotFound
from daehwa.conversation.errors import InvalidRequest, StoreError, TooMuch
from daehwa.server.administration import Administration
from daehwa.server.api import groups, invitations, people
from daehwa.server.api.groups import GroupsApi
from daehwa.server.api.invitations import InvitationsApi
from daehwa.server.api.people import PeopleApi
from daehwa.server.errors import BodyTooSlow, UnsupportedMediaType
from daehwa.server.routing import Operation
from daehwa.sign_in.errors import AccountsOff

_BODY = (InvalidRequest, TooMuch, UnsupportedMediaType, BodyTooSlow, StoreError)


def admin_operations(office: Administration) -> Iterator[Operation]:
    """Yield the rows."""
    yield from _people(PeopleApi(office))
    yield from _invitations(InvitationsApi(office))
    yield from _groups(GroupsApi(office))


def _people(api: PeopleApi) -> Iterator[Operation]:
    every, one, gone = "/api/people", "/api/people/{person}", (UserNotFound, StoreError)
    yield Operation("GET", every, api.list_people, answers=(people.PeopleList,), errors=(StoreError,), for_admins=True)
    yield Operation(
        "PATCH",
        one,
        api.change_person,
        body=people.PersonChanges,
        answers=(people.ListedPerson,),
        errors=(UserNotFound, LastAdmin, people.PersonLeaving, *_BODY),
        for_admins=True,
    )
    yield Operation("DELETE", one, api.delete_person, status=204, errors=(LastAdmin, *gone), for_admins=True)
    yield Operation(
        "POST",
        f"{one}/reset",
        api.reset_person,
        body=people.ResetWanted,
        answers=(people.MadeReset,),
        errors=(UserNotFound, AccountsOff, people.PersonLeaving, *_BODY),
        for_admins=True,
    )
    yield Operation("POST", f"{one}/sign-out", api.sign_out_person, status=204, errors=gone, for_admins=True)


def _invitations(api: InvitationsApi) -> Iterator[Operation]:
    every, one = "/api/invitations", "/api/invitations/{invitation}"
    listed, made = (invitations.InvitationList,), (invitations.MadeInvitation,)
    yield Operation("GET", every, api.list_invitations, answers=listed, errors=(StoreError,), for_admins=True)
    yield Operation(
        "POST",
        every,
        api.make_invitation,
        body=invitations.InvitationWish,
        answers=made,
        status=201,
        errors=(AccountsOff, *_BODY),
        for_admins=True,
    )
    gone = (invitations.InvitationNotFound, StoreError)
    yield Operation("DELETE", one, api.revoke_invitation, status=204, errors=gone, for_admins=True)


def _groups(api: GroupsApi) -> Iterator[Operation]:
    every, one, shown = "/api/groups", "/api/groups/{group}", (groups.ListedGroup,)
    listed = (groups.GroupList,)
    yield Operation("GET", every, api.list_groups, answers=listed, errors=(StoreError,), for_admins=True)
    yield Operation(
        "POST",
        every,
        api.make_group,
        body=groups.GroupWish,
        answers=shown,
        status=201,
        errors=(GroupNameTaken, *_BODY),
        for_admins=True,
    )
    yield Operation(
        "PATCH",
        one,
        api.change_group,
        body=groups.GroupChanges,
        answers=shown,
        errors=(GroupNotFound, GroupNameTaken, *_BODY),
        for_admins=True,
    )
    gone = (GroupNotFound, StoreError)
    yield Operation("DELETE", one, api.remove_group, status=204, errors=gone, for_admins=True)
