"""The people of this server, for its admins: who is here, what they may be, and an end of it."""

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from daehwa.accounts.audit import DELETED
from daehwa.accounts.credentials import Credentials
from daehwa.accounts.errors import NotAllowed, PersonLeaving
from daehwa.accounts.ledger import UsageQuery
from daehwa.accounts.people import LOCAL_ISSUER, Role, User, UserChanges
from daehwa.accounts.people_changes import loses_admin
from daehwa.accounts.spending import month_so_far
from daehwa.accounts.unshown import Unshown
from daehwa.server.administration import Administration, GroupIds
from daehwa.server.api.people_pages import PeopleQuery, page_of
from daehwa.server.asgi import Request, Response, json_response
from daehwa.server.body import json_body, query_values
from daehwa.server.local_auth import small
from daehwa.sign_in.links import EMAIL_CHANGED, checked_email, checked_name, void_made_by, without_second_factor


class ListedPerson(msgspec.Struct, frozen=True, kw_only=True):
    """A person as admins see them. `login` is by what they sign in here, null where they come through a provider; no
    `door` is open to whoever came by one that is closed now. `disabled` is since when they may not come in, `leaving`
    since when all that is theirs is being deleted. Times are milliseconds since 1970; `month_cost` is micro-dollars.
    """

    id: str
    login: str | None
    email: str | None
    name: str
    role: Role
    groups: Annotated[tuple[str, ...], Meta(description="Ids of groups.")]
    door: Literal["local", "provider", "none"]
    disabled: int | None
    leaving: int | None
    created: int
    last_seen: int
    has_password: bool
    has_totp: bool
    passkeys: int
    month_cost: int


class PeopleList(msgspec.Struct, frozen=True, kw_only=True):
    """People, whoever came first at the beginning; `count` is how many there are, on all pages together, and `after`
    the cursor of the next page.
    """

    people: tuple[ListedPerson, ...]
    count: int
    after: str | None


class PersonChanges(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of a person; what is not named stays."""

    role: Role | UnsetType = UNSET
    groups: GroupIds | UnsetType = UNSET
    name: Annotated[str, Meta(max_length=1000)] | UnsetType = UNSET
    email: Annotated[str, Meta(max_length=1000)] | UnsetType | None = UNSET
    disabled: bool | UnsetType = UNSET


class ResetWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A link for a new password. `second_factor`: whoever lost their app and passkeys has none any more."""

    second_factor: bool = False


class MadeReset(Unshown, frozen=True, kw_only=True):
    """A link, told this one time, and until when it works (ms since 1970)."""

    url: str
    expires: int


class PeopleApi:
    """The operations of admins on people."""

    def __init__(self, office: Administration) -> None:
        self._office = office
        self._accounts = office.people.accounts
        self._options = small(office.options)

    async def list_people(self, request: Request) -> Response:
        """List people, with what they sign in by and what they have cost this month (UTC).

        With `query`, those in whose name, login or address each word of it is.
        """
        page = page_of(await self._accounts.list_users(), query_values(request, PeopleQuery))
        costs = await self._costs()
        people = [await self._listed(user, costs) for user in page.people]
        return json_response(PeopleList(people=tuple(people), count=page.total, after=page.after))

    async def change_person(self, request: Request) -> Response:
        """Change a person. A changed role, and `disabled`, end their sessions at once; their keys stop with them.
        Links that they have made as an admin are void then. `disabled` ends what is under way for them, too.

        Nobody disables themselves or changes their own role, and the last admin stays. Who comes through an identity
        provider is made an admin by the settings alone, and is called there what they are called here.
        """
        asked = await json_body(request, PersonChanges, self._options)
        person = await self._office.person(request)
        if person.leaving is not None:
            raise PersonLeaving
        changes = await self._checked(asked, person, request.user)
        changed = await self._accounts.change_user(person.id, changes)
        if changed.role != person.role:
            await self._accounts.delete_sessions(person.id)
        await self._note_changes(request, person, changed)
        if loses_admin(person, changed):
            await self._void_links_of(request, person)
        if changed.disabled is not None:  # last, since it waits for what it ends
            await self._office.under_way.stop(person.id)
        return json_response(await self._listed(changed, await self._costs(changed.id)))

    async def delete_person(self, request: Request) -> Response:
        """Delete a person and all that is theirs, for good and without a trace.

        Conversations, keys and sessions go; what their calls cost stays counted under nobody's name.
        """
        person = await self._office.person(request)
        if person.id == request.user.id:
            raise NotAllowed("This is you. Delete your own account on the page of your account.")
        if person.is_enabled_admin:  # they would go with the person, and no log would tell
            await self._void_links_of(request, person)
        act = self._office.event(request, DELETED, person.id)
        await self._office.erasure.erase(person.id, act=act)
        return Response(204)

    async def reset_person(self, request: Request) -> Response:
        """Make a link by which somebody sets a new password, within a day. Older ones of theirs are void.

        With `second_factor` the authenticator app, the passkeys and the password of before open nothing any more.
        """
        asked = await json_body(request, ResetWanted, self._options)
        links, person = self._office.links, await self._office.person(request)
        if person.leaving is not None:
            raise PersonLeaving
        made = await links.reset(person, made_by=request.user.id, now=self._office.clock())
        if asked.second_factor:
            credentials, passwords = self._office.people.credentials, self._office.passwords
            await without_second_factor(credentials, passwords, person.id, now=self._office.clock())
        await self._office.note(request, "link.made", person.id, kind="reset", second_factor=asked.second_factor)
        return json_response(MadeReset(url=made.url, expires=made.link.expires))

    async def sign_out_person(self, request: Request) -> Response:
        """End all sessions of another person at once."""
        person = await self._office.person(request)
        if person.id == request.user.id:
            raise NotAllowed("This is you. Sign out, or end your other sessions on the page of your account.")
        ended = await self._accounts.delete_sessions(person.id)
        await self._office.note(request, "session.ended", person.id, sessions=ended)
        return Response(204)

    async def _checked(self, asked: PersonChanges, person: User, admin: User) -> UserChanges:
        """Return what may be changed. Raise `NotAllowed`, `InvalidRequest`."""
        if person.id == admin.id and (asked.role not in {UNSET, admin.role} or asked.disabled is True):
            raise NotAllowed("This is you, and you would lock yourself out. Ask another admin to do it.")
        if asked.role is not UNSET and person.login is None:
            self._check_provided_role(asked.role, person)
        if person.login is None and (asked.name is not UNSET or asked.email is not UNSET):
            raise NotAllowed("Name and e-mail address of this person come from where they sign in. Change them there.")
        disabled: int | UnsetType | None = UNSET
        if asked.disabled is not UNSET:
            disabled = (person.disabled or self._office.clock()) if asked.disabled else None
        groups = asked.groups
        return UserChanges(
            role=asked.role,
            groups=groups if groups is UNSET else await self._office.check_groups(groups, kept=person.groups),
            name=UNSET if asked.name is UNSET else checked_name(asked.name),
            email=asked.email if asked.email is UNSET or asked.email is None else checked_email(asked.email),
            disabled=disabled,
        )

    async def _void_links_of(self, request: Request, person: User) -> None:
        voided = await void_made_by(self._office.people.links, person.id, now=self._office.clock())
        if voided:
            await self._office.note(request, "link.revoked", person.id, links=voided)

    def _check_provided_role(self, role: Role, person: User) -> None:
        now = self._office.identity.as_now(person)
        if role == "admin" or (now is not None and now.role == "admin"):
            raise NotAllowed(
                "This person comes through the identity provider. Who is an admin among those is said by the settings "
                "(admin_emails, or a group of the provider), and by nothing else."
            )

    async def _note_changes(self, request: Request, before: User, now: User) -> None:
        """Write each change down as what it is; nothing for what was so before."""
        note = self._office.note
        if now.role != before.role:
            await note(request, "person.role_changed", now.id, role=now.role)
        if now.groups != before.groups:
            await note(request, "person.groups_changed", now.id, groups=len(now.groups))
        if now.name != before.name:
            await note(request, "person.renamed", now.id)
        if now.email != before.email:
            await note(request, EMAIL_CHANGED, now.id)
        if (now.disabled is None) != (before.disabled is None):
            await note(request, "person.enabled" if now.disabled is None else "person.disabled", now.id)

    async def _costs(self, user: str | None = None) -> Mapping[str, int]:
        """Return what people have cost this month, by id."""
        since, until = month_so_far(self._office.books.clock())
        costs = Counter[str]()
        for row in await self._office.books.ledger.usage(UsageQuery(since=since, until=until, user=user)):
            costs[row.user] += row.cost
        return costs

    async def _listed(self, user: User, costs: Mapping[str, int]) -> ListedPerson:
        office = self._office
        now = office.identity.as_now(user)
        # Whoever comes through a provider has nothing here to prove themselves with.
        has = Credentials() if user.login is None else await office.people.credentials.get_credentials(user.id)
        return ListedPerson(
            id=user.id,
            login=user.login,
            email=user.email,
            name=user.name,
            role=user.role if now is None else now.role,
            groups=user.groups,
            door="none" if now is None else "local" if user.issuer == LOCAL_ISSUER else "provider",
            disabled=user.disabled,
            leaving=user.leaving,
            created=user.created,
            last_seen=user.last_seen,
            has_password=has.password is not None,
            has_totp=has.asks_for_code,
            passkeys=len(has.passkeys),
            month_cost=costs.get(user.id, 0),
        )
