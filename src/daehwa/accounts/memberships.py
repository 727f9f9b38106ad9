"""What their groups mean for somebody who asks: looked up each time, so that a change counts from the next question."""

from collections.abc import Sequence

from daehwa.accounts.groups import Group
from daehwa.accounts.people import Role, User
from daehwa.accounts.people_ports import GroupStore
from daehwa.conversation.metering import GroupShare
from daehwa.conversation.terms import OPEN_TERMS, Terms


class Memberships:
    """Knows the terms of people by the groups that they are in. Where nobody signs in there are no groups (None)."""

    def __init__(self, groups: GroupStore | None) -> None:
        self._groups = groups

    async def terms_of(self, user: User) -> Terms:
        """Return under which terms somebody asks. Raise `StoreError`. Whoever is in no group costs no look."""
        if self._groups is None:
            return OPEN_TERMS
        if not user.groups:
            return terms_of(user.role, ())
        own = set(user.groups)
        groups = [group for group in await self._groups.list_groups() if group.id in own]
        return terms_of(user.role, groups, is_grouped=True)


def terms_of(role: Role, groups: Sequence[Group], *, is_grouped: bool = False) -> Terms:
    """Return the terms of somebody in these groups. Admins are held by no list of models: they would only change it.

    `is_grouped`: there may be groups of theirs that are removed. Those open nothing, so that to remove one never gives
    more rights: whoever has no other may ask no model.
    """
    if not groups and role != "guest" and not is_grouped:
        return OPEN_TERMS
    names = tuple(dict.fromkeys(name for group in groups for name in group.models))
    is_open = role == "admin" or any(not group.models for group in groups)
    return Terms(
        models=None if is_open else names,
        instructions="\n\n".join(group.instructions for group in groups if group.instructions),
        groups=tuple(GroupShare(id=group.id, name=group.name, limits=group.money) for group in groups),
    )
