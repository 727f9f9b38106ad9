"""Groups: what their members may ask and spend, and what models are told before they are asked."""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from daehwa.accounts.errors import GroupNotFound
from daehwa.accounts.groups import Group
from daehwa.accounts.key_making import MODEL_CHARACTERS, MOST_MODELS, Money
from daehwa.accounts.ports import Budget
from daehwa.accounts.spending import period_at
from daehwa.conversation.budget import BudgetKind
from daehwa.conversation.errors import InvalidRequest
from daehwa.conversation.ids import new_id
from daehwa.conversation.ports import ModelCatalogue
from daehwa.conversation.terms import unmatched
from daehwa.server.administration import MOST_GROUPS, Administration
from daehwa.server.asgi import Request, Response, json_response
from daehwa.server.body import json_body
from daehwa.server.local_auth import small

NAME_CHARACTERS = 100
INSTRUCTION_CHARACTERS = 8_000
CLAIM_CHARACTERS = 200

Name = Annotated[str, Meta(max_length=1000, description=f"1 to {NAME_CHARACTERS} characters.")]
Models = Annotated[
    tuple[Annotated[str, Meta(min_length=1, max_length=MODEL_CHARACTERS)], ...],
    Meta(description="Ids, names, aliases, or patterns with `*`; none: every model.", max_length=MOST_MODELS),
]
Instructions = Annotated[
    str, Meta(max_length=INSTRUCTION_CHARACTERS, description="What models are told before its members' questions.")
]
Claim = Annotated[
    str, Meta(max_length=CLAIM_CHARACTERS, description="Whom the identity provider puts under this word is in it.")
]


class GroupWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A group to be made. Money is what its members may spend together, a day, a month and in all; null: no limit."""

    name: Name
    models: Models = ()
    day: Money | None = None
    month: Money | None = None
    total: Money | None = None
    instructions: Instructions = ""
    claim: Claim | None = None


class GroupChanges(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of a group; what is not named stays."""

    name: Name | UnsetType = UNSET
    models: Models | UnsetType = UNSET
    day: Money | UnsetType | None = UNSET
    month: Money | UnsetType | None = UNSET
    total: Money | UnsetType | None = UNSET
    instructions: Instructions | UnsetType = UNSET
    claim: Claim | UnsetType | None = UNSET


class GroupSpent(msgspec.Struct, frozen=True, kw_only=True):
    """What a group's members have spent in micro-dollars today, this month (UTC) and in all, calls that still run
    included; null where there is no limit on it.
    """

    day: int | None
    month: int | None
    total: int | None


class ListedGroup(msgspec.Struct, frozen=True, kw_only=True):
    """A group. `models` none: every model. Money in micro-dollars, null: no limit. So many people are `members`, and of
    `models` these mean no model that is there now (`unmatched`).
    """

    id: str
    name: str
    models: tuple[str, ...]
    day: int | None
    month: int | None
    total: int | None
    instructions: str
    claim: str | None
    created: int
    members: int
    spent: GroupSpent
    unmatched: tuple[str, ...]


class GroupList(msgspec.Struct, frozen=True):
    """All groups, by name."""

    groups: tuple[ListedGroup, ...]


class GroupsApi:
    """The operations of admins on groups."""

    def __init__(self, office: Administration, catalogue: ModelCatalogue) -> None:
        self._office = office
        self._catalogue = catalogue
        self._groups = office.people.groups
        self._options = small(office.options)

    async def list_groups(self, _request: Request) -> Response:
        """List the groups that were made on the page."""
        return json_response(GroupList(await self._listed(await self._groups.list_groups())))

    async def make_group(self, request: Request) -> Response:
        """Make a group. There may be 100."""
        wish = await json_body(request, GroupWish, self._options)
        if len(await self._groups.list_groups()) >= MOST_GROUPS:
            raise InvalidRequest(f"There are {MOST_GROUPS} groups already. Remove one that is not needed any more.")
        values = msgspec.structs.asdict(wish)
        group = _checked(Group(id=new_id(), created=self._office.clock(), **values))
        await self._groups.add_group(group)
        await self._office.note(request, "group.added", group.id, name=group.name)
        (listed,) = await self._listed([group])
        return json_response(listed, 201)

    async def change_group(self, request: Request) -> Response:
        """Change a group; what its members ask from now on goes by it."""
        asked = await json_body(request, GroupChanges, self._options)
        group = await self._groups.get_group(request.path["group"])
        if group is None:
            raise GroupNotFound
        given = {name: value for name, value in msgspec.structs.asdict(asked).items() if value is not UNSET}
        changed = _checked(msgspec.structs.replace(group, **given))
        # What its members have spent so far counts too, and lists do not sum it up.
        new = [budget for kind, budget in self._budgets(changed).items() if kind not in group.money]
        await self._office.books.ledger.begin(new)
        await self._groups.replace_group(changed)
        await self._office.note(request, "group.changed", group.id, name=changed.name, what=" ".join(given))
        (listed,) = await self._listed([changed])
        return json_response(listed)

    async def remove_group(self, request: Request) -> Response:
        """Remove a group. Whoever is in no other may ask no model then, until an admin changes their groups."""
        group = await self._groups.get_group(request.path["group"])
        if group is None:
            raise GroupNotFound
        await self._groups.delete_group(group.id)
        await self._office.note(request, "group.removed", group.id, name=group.name)
        return Response(204)

    async def _listed(self, groups: Sequence[Group]) -> tuple[ListedGroup, ...]:
        users = await self._office.people.accounts.list_users()
        members = Counter(group for user in users for group in user.groups)
        budgets = {group.id: self._budgets(group) for group in groups}
        counted = await self._office.books.ledger.counted([each for own in budgets.values() for each in own.values()])
        models, aliases = await self._catalogue.listed(), self._catalogue.routes()

        def listed(group: Group) -> ListedGroup:
            # Where no counter is there yet, nobody has asked in this period since there is the limit.
            spent = {kind: counted.get(budget, 0) for kind, budget in budgets[group.id].items()}
            own = {name: getattr(group, name) for name in ListedGroup.__struct_fields__ if hasattr(group, name)}
            return ListedGroup(
                **own,
                members=members[group.id],
                spent=GroupSpent(day=spent.get("day"), month=spent.get("month"), total=spent.get("total")),
                unmatched=unmatched(group.models, models, aliases),
            )

        return tuple(map(listed, groups))

    def _budgets(self, group: Group) -> dict[BudgetKind, Budget]:
        """Return what a group's limits are in the ledger now."""
        now, scope = self._office.books.clock(), f"group:{group.id}"
        return {
            kind: Budget(scope=scope, period=period_at(kind, now), limit=limit) for kind, limit in group.money.items()
        }


def _checked(group: Group) -> Group:
    """Return a group as it is kept. Raise `InvalidRequest`."""
    name = " ".join(group.name.split())
    if not 1 <= len(name) <= NAME_CHARACTERS or not name.isprintable():
        raise InvalidRequest(f"A group's name has 1 to {NAME_CHARACTERS} characters.", param="name")
    claim = None if group.claim is None else group.claim.strip() or None
    return msgspec.structs.replace(group, name=name, claim=claim, instructions=group.instructions.strip())
