"""By which doors people come in, and what is known of who has come."""

from typing import TYPE_CHECKING, NamedTuple

from daehwa.accounts.people import LOCAL_ISSUER, User

if TYPE_CHECKING:
    from daehwa.accounts.erasure import Erasure
    from daehwa.accounts.people_ports import PeopleStores
    from daehwa.sign_in.flow import SignIn
    from daehwa.sign_in.local_accounts import LocalAccounts


class Entrances(NamedTuple):
    """By which doors people come in: an identity provider, accounts of this server's own, or both. With `people`, they
    see their own account, and admins see everybody's; `erasure` deletes people and all that is theirs.
    """

    sign_in: "SignIn | None" = None
    local: "LocalAccounts | None" = None
    people: "PeopleStores | None" = None
    erasure: "Erasure | None" = None

    @property
    def is_any(self) -> bool:
        """Whether people sign in."""
        return self.sign_in is not None or self.local is not None

    def as_now(self, user: User) -> User | None:
        """Return somebody as what they may be now; None where the door they came by is closed to them."""
        if user.issuer == LOCAL_ISSUER:
            return None if self.local is None else user
        return None if self.sign_in is None else self.sign_in.as_now(user)

    async def is_held(self, user: User) -> bool:
        """Whether somebody would shed what an admin has made of them by going and coming back. Without the provider it
        takes an admin to come back.
        """
        return user.issuer != LOCAL_ISSUER and self.sign_in is not None and await self.sign_in.is_held(user)


NO_ENTRANCES = Entrances()
