"""The rows of administration: there only where people sign in, and for admins alone."""

from collections.abc import Iterator

from daehwa.accounts.errors import GroupNameTaken, GroupNotFound, LastAdmin, PersonLeaving, UserNotFound
from daehwa.conversation.errors import ConversationNotFound, InvalidRequest, StoreError, TooMuch
from daehwa.conversation.images import ImageNotFound
from daehwa.conversation.ports import ConversationStore, ModelCatalogue
from daehwa.conversation.running import RunningTurns
from daehwa.server.administration import Administration
from daehwa.server.api import audit, groups, installation, invitations, people, people_pages, providers, reading, shapes
from daehwa.server.api.audit import AuditApi
from daehwa.server.api.groups import GroupsApi
from daehwa.server.api.images import IMAGE_TYPES
from daehwa.server.api.installation import InstallationApi
from daehwa.server.api.invitations import InvitationsApi
from daehwa.server.api.people import PeopleApi
from daehwa.server.api.providers import ProvidersApi
from daehwa.server.api.reading import ReadingApi
from daehwa.server.errors import BodyTooSlow, UnsupportedMediaType
from daehwa.server.routing import Operation
from daehwa.sign_in.errors import AccountsOff

_BODY = (InvalidRequest, TooMuch, UnsupportedMediaType, BodyTooSlow, StoreError)


def admin_operations(
    office: Administration, store: ConversationStore, running: RunningTurns, catalogue: ModelCatalogue
) -> Iterator[Operation]:
    """Yield the rows."""
    yield from _people(PeopleApi(office))
    yield from _reading(ReadingApi(office, store, running))
    yield from _invitations(InvitationsApi(office))
    yield from _groups(GroupsApi(office, catalogue))
    yield from _providers(ProvidersApi(office, catalogue))
    yield from _installation(InstallationApi(office))
    yield from _audit(AuditApi(office))


def _people(api: PeopleApi) -> Iterator[Operation]:
    every, one, gone = "/api/people", "/api/people/{person}", (UserNotFound, StoreError)
    yield Operation(
        "GET",
        every,
        api.list_people,
        query=people_pages.PeopleQuery,
        answers=(people.PeopleList,),
        errors=(InvalidRequest, StoreError),
        for_admins=True,
    )
    yield Operation(
        "PATCH",
        one,
        api.change_person,
        body=people.PersonChanges,
        answers=(people.ListedPerson,),
        errors=(UserNotFound, LastAdmin, PersonLeaving, *_BODY),
        for_admins=True,
    )
    yield Operation("DELETE", one, api.delete_person, status=204, errors=(LastAdmin, *gone), for_admins=True)
    yield Operation(
        "POST",
        f"{one}/reset",
        api.reset_person,
        body=people.ResetWanted,
        answers=(people.MadeReset,),
        errors=(UserNotFound, AccountsOff, PersonLeaving, *_BODY),
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


def _reading(api: ReadingApi) -> Iterator[Operation]:
    every, errors = "/api/people/{person}/conversations", (UserNotFound, StoreError)
    query, listed = reading.PersonsConversationsQuery, (shapes.ConversationPage,)
    yield Operation(
        "GET",
        every,
        api.list_persons_conversations,
        query=query,
        answers=listed,
        errors=errors,
        for_admins=True,
    )
    yield Operation(
        "GET",
        f"{every}/{{conversation}}",
        api.read_persons_conversation,
        answers=(shapes.OpenedConversation,),
        errors=(ConversationNotFound, *errors),
        for_admins=True,
    )
    yield Operation(
        "GET",
        f"{every}/{{conversation}}/images/{{image}}",
        api.read_persons_image,
        media=IMAGE_TYPES,
        errors=(ConversationNotFound, ImageNotFound, *errors),
        for_admins=True,
    )


def _providers(api: ProvidersApi) -> Iterator[Operation]:
    every, listed = "/api/providers", (providers.ProviderList,)
    yield Operation("GET", every, api.list_providers, answers=listed, errors=(StoreError,), for_admins=True)
    yield Operation(
        "POST",
        f"{every}/{{provider}}/test",
        api.test_provider,
        body=providers.TrialWish,
        answers=(providers.TrialEnded,),
        errors=(providers.ProviderNotFound, *_BODY),
        for_admins=True,
    )


def _installation(api: InstallationApi) -> Iterator[Operation]:
    path, shown = "/api/installation", (installation.Installation,)
    yield Operation("GET", path, api.get_installation, answers=shown, errors=(StoreError,))
    yield Operation(
        "PATCH",
        path,
        api.change_installation,
        body=installation.InstallationWish,
        answers=shown,
        errors=_BODY,
        for_admins=True,
    )


def _audit(api: AuditApi) -> Iterator[Operation]:
    every, failed = "/api/audit", (StoreError,)
    yield Operation(
        "GET",
        every,
        api.list_audit_events,
        query=audit.AuditQuery,
        answers=(audit.AuditPage,),
        errors=failed,
        for_admins=True,
    )
    yield Operation("GET", f"{every}/export", api.export_audit_log, text=audit.NDJSON, errors=failed, for_admins=True)
    checked = (audit.AuditChecked,)
    yield Operation("GET", f"{every}/check", api.check_audit_log, answers=checked, errors=failed, for_admins=True)
