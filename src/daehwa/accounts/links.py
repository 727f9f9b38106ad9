"""Links that let somebody in once: for the first admin, an invitation, or a new password."""

from typing import Literal, TypeAlias

from daehwa.accounts.people import Role
from daehwa.accounts.unshown import Unshown

LinkKind: TypeAlias = Literal["first_admin", "invite", "reset"]


class Link(Unshown, frozen=True, kw_only=True):
    """A link. `id` is the SHA-256 (hex) of its token, which is stored nowhere.

    `user` is whose password is set anew by it, None where a person is made by it; that one is given `role` and
    `groups`. `made_by` is the id of the admin who made it, None where it came from the terminal or by mail: it is
    good as long as they are one.
    """

    id: str
    kind: LinkKind
    user: str | None = None
    email: str | None = None
    role: Role = "member"
    groups: tuple[str, ...] = ()
    made_by: str | None = None
    created: int
    expires: int
