"""What groups mean for their members, pure, and which models a name stands for."""

import pytest

from daehwa.accounts.groups import Group
from daehwa.accounts.memberships import Memberships, terms_of
from daehwa.accounts.people import Role, User
from daehwa.conversation.ports import Model
from daehwa.conversation.terms import OPEN_TERMS, default_offered, offered
from daehwa.stores.memory_people import memory_people

LARGE, SMALL = (Model(id=f"far/{name}", name=name, provider="far") for name in ("large", "small"))
BROKEN = Model(id="far/broken", name="broken", provider="far", state="unavailable")


def group(name: str, *models: str, **more: object) -> Group:
    return Group(id=f"id of {name}", name=name, models=models, **more)  # type: ignore[arg-type] # its own fields


@pytest.mark.parametrize(
    ("role", "groups", "models"),
    [
        ("member", [], None),
        ("guest", [], ()),
        ("admin", [group("a", "small")], None),
        ("member", [group("a", "small")], ("small",)),
        ("member", [group("a", "small"), group("b", "large", "small")], ("small", "large")),
        ("member", [group("a", "small"), group("b")], None),
        ("guest", [group("a", "small")], ("small",)),
        ("guest", [group("a")], None),
    ],
)
def test_groups_grant_what_any_of_them_names(role: Role, groups: list[Group], models: tuple[str, ...] | None) -> None:
    assert terms_of(role, groups).models == models


def test_instructions_stand_one_after_the_other_and_budgets_side_by_side() -> None:
    terms = terms_of("member", [group("a", instructions="One.", day=1), group("b"), group("c", instructions="Two.")])
    assert terms.instructions == "One.\n\nTwo."
    assert [(share.id, share.name, share.limits) for share in terms.groups] == [
        ("id of a", "a", {"day": 1}),
        ("id of b", "b", {}),
        ("id of c", "c", {}),
    ]


async def test_a_group_that_is_removed_gives_nobody_more_rights() -> None:
    groups = memory_people().groups
    await groups.add_group(group("a", "small"))
    for role, own, models in (
        ("member", ("id of a", "gone"), ("small",)),
        ("member", ("gone",), ()),
        ("guest", ("gone",), ()),
        ("admin", ("gone",), None),
    ):
        terms = await Memberships(groups).terms_of(User(id="mina", role=role, groups=own))  # type: ignore[arg-type] # a role
        assert (terms.models, len(terms.groups)) == (models, "id of a" in own)


async def test_where_nobody_signs_in_there_are_no_groups() -> None:
    assert await Memberships(None).terms_of(User(id="owner", role="admin", groups=("gone",))) == OPEN_TERMS


def test_the_default_is_one_that_is_open() -> None:
    every, narrow = (LARGE, BROKEN, SMALL), terms_of("member", [group("a", "broken", "sm*")])
    assert offered(every, narrow) == (BROKEN, SMALL)
    assert default_offered("far/large", offered(every, narrow), narrow) == "far/small"
    assert default_offered("far/large", every, OPEN_TERMS) == "far/large"
    nothing = terms_of("guest", [])
    assert offered(every, nothing) == ()
    assert default_offered("far/large", (), nothing) is None
