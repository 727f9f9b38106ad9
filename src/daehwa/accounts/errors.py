"""Errors of accounts, on the tree of `daehwa.conversation.errors`.

DaehwaError
├── NotSignedIn           nobody is signed in, or no longer (HTTP 401)
├── NotAllowed            signed in, but not allowed to do this (HTTP 403)
│   ├── EmailNotVerified      the identity provider vouches for no e-mail address of this account
│   ├── SecondAccount         they came in by another account of the same address before, and are held there
│   └── AccountDisabled       an admin keeps this person out
├── UserNotFound          nobody has this id (HTTP 404)
├── GroupNotFound         no group has this id (HTTP 404)
├── LoginTaken            somebody else signs in by this login (HTTP 409)
├── GroupNameTaken        another group has this name (HTTP 409)
├── LastAdmin             nobody would be left who may run this server (HTTP 409)
├── SignInOff             there is nothing to sign in to here (HTTP 404)
├── SignInFailed          the way through the identity provider did not end well (HTTP 400, shown by the page)
│   ├── SignInCancelled       somebody turned back at the identity provider, or it let them go no further
│   ├── SignInExpired         begun too long ago, elsewhere, or ended already
│   └── SignInUnavailable     the identity provider cannot be reached, or is out of order (HTTP 503)
├── SignInMisconfigured   the settings of the identity provider cannot be right
├── KeyNotFound           no key of this person has this id (HTTP 404)
├── KeyRefused            the API key does not open anything (HTTP 401)
│   ├── KeyMissing            no key came with the request
│   ├── KeyUnknown            it is none of this server's
│   ├── KeyExpired            its time is over
│   └── KeyRevoked            it was revoked
├── ModelNotAllowed       the key may not ask this model (HTTP 403)
├── RateExceeded          more requests or tokens a minute than the key may have (HTTP 429)
├── BudgetExceeded        a budget would be overspent (HTTP 429)
└── PriceUnknown          a budget applies, and nobody knows what this model costs (HTTP 403)
"""

from math import ceil
from typing import Literal

import msgspec

from daehwa.conversation.budget import NamedBudget, kind_of
from daehwa.conversation.errors import Conflict, DaehwaError, NotFound

_WHERE_KEYS_ARE_MADE = "in the page, under API keys, or by `daehwa key create`"


class NotSignedIn(DaehwaError):  # noqa: N818 - errors state the fact
    """Nobody is signed in, or no longer."""

    type = "not_signed_in"

    def __init__(self) -> None:
        super().__init__("Sign in first: open the page and follow its button.")


class NotAllowed(DaehwaError):  # noqa: N818 - errors state the fact
    """Signed in, but not allowed to do this."""

    type = "not_allowed"
    refusal = "not_allowed"


class EmailNotVerified(NotAllowed):
    """The identity provider vouches for no e-mail address of this account, and only by one could it come in."""

    type = "email_not_verified"

    def __init__(self) -> None:
        super().__init__(
            "The identity provider gives no verified e-mail address of this account. Verify it there, then sign in "
            "again."
        )


class SecondAccount(NotAllowed):
    """Whoever came in by another account of the same address would shed what an admin has made of them."""

    type = "second_account"

    def __init__(self) -> None:
        super().__init__(
            "Somebody with this e-mail address came in by another account before, and is a guest or in groups here. "
            "Sign in with that one, or ask an admin to delete it."
        )


class AccountDisabled(NotAllowed):
    """An admin keeps this person out."""

    type = "account_disabled"
    refusal = "account_disabled"

    def __init__(self) -> None:
        super().__init__("This account is disabled. Whoever runs this server can enable it again.")


class UserNotFound(NotFound):
    """Nobody has this id."""

    type = "user_not_found"

    def __init__(self) -> None:
        super().__init__("There is no such person.", param="person")


class GroupNotFound(NotFound):
    """No group has this id."""

    type = "group_not_found"

    def __init__(self) -> None:
        super().__init__("There is no such group.", param="group")


class LoginTaken(Conflict):
    """Somebody else signs in by this login."""

    type = "login_taken"

    def __init__(self) -> None:
        super().__init__("Somebody else signs in by this name already. Choose another one.", param="login")


class GroupNameTaken(Conflict):
    """Another group has this name."""

    type = "group_name_taken"

    def __init__(self) -> None:
        super().__init__("There is a group of this name already. Choose another one.", param="name")


class HeldByAdmin(Conflict):
    """Whoever comes through an identity provider would come back without what an admin has made of them."""

    type = "held_by_admin"

    def __init__(self) -> None:
        super().__init__(
            "You could come back at once, without the role, the groups or the budget that you have here. So ask an "
            "admin to delete your account.",
            param="person",
        )


class LastAdmin(Conflict):
    """Nobody would be left who may run this server."""

    type = "last_admin"

    def __init__(self) -> None:
        super().__init__(
            "This is the last admin who can sign in. Make somebody else an admin first, then try again.", param="person"
        )


class PersonLeaving(Conflict):
    """All that is theirs is being deleted."""

    type = "person_leaving"

    def __init__(self) -> None:
        super().__init__("All that is theirs is being deleted. Delete them once more to go on with that.")


class SignInFailed(DaehwaError):  # noqa: N818 - errors state the fact
    """The way through the identity provider did not end well."""

    type = "sign_in_failed"


class SignInCancelled(SignInFailed):
    """Somebody turned back at the identity provider, or it let them go no further: it says both in the same word."""

    type = "sign_in_cancelled"

    def __init__(self) -> None:
        super().__init__(
            "The identity provider says that signing in was cancelled, or that this account may not (access_denied). "
            "Sign in again, with another account perhaps."
        )


class SignInExpired(SignInFailed):
    """A sign-in comes back that was begun too long ago, in another browser, or has come back before."""

    type = "sign_in_expired"

    def __init__(self) -> None:
        super().__init__(
            "This sign-in was begun too long ago, in another browser, or is over already. Begin it again from the page."
        )


class SignInUnavailable(SignInFailed):
    """The identity provider cannot be reached, or is out of order."""

    type = "sign_in_unavailable"


class SignInOff(NotFound):
    """There is nothing to sign in to: whoever reaches this server is its owner."""

    type = "sign_in_off"

    def __init__(self) -> None:
        super().__init__("This server asks nobody to sign in. Open its page.")


class SignInMisconfigured(DaehwaError):  # noqa: N818 - errors state the fact
    """The settings of the identity provider cannot be right."""

    type = "sign_in_misconfigured"


class BudgetExceeded(DaehwaError):  # noqa: N818 - errors state the fact
    """A budget would be overspent. `scope` and `period` name it, `limit` is in micro-dollars, `renews` is when its next
    period begins (ms since 1970; None: never). So much more room it `lacks`, in micro-dollars.
    """

    type = "budget_exceeded"
    refusal = "budget_exceeded"

    def __init__(
        self,
        message: str,
        *,
        scope: str,
        period: str,
        limit: int,
        renews: int | None,
        lacks: int = 0,
    ) -> None:
        super().__init__(message)
        self.budget: NamedBudget = NamedBudget(scope=scope, kind=kind_of(period), limit=limit, renews=renews)
        self.scope = scope
        self.period = period
        self.limit = limit
        self.renews = renews
        self.lacks = lacks

    def worded(self, message: str, *, name: str | None = None) -> "BudgetExceeded":
        """Return the same in other words; `name` is what its group is called."""
        error = BudgetExceeded(
            message, scope=self.scope, period=self.period, limit=self.limit, renews=self.renews, lacks=self.lacks
        )
        error.budget = msgspec.structs.replace(self.budget, name=name)
        return error


class PriceUnknown(DaehwaError):  # noqa: N818 - errors state the fact
    """A budget applies, and nobody knows what this model costs."""

    type = "price_unknown"
    refusal = "price_unknown"

    def __init__(self, model: str) -> None:
        super().__init__(
            f"A budget applies, and the price of {model} is not known, so it is not asked. Whoever runs this server "
            "can name its price: [[prices]] in the settings, or DAEHWA_PRICES.",
            param="model",
        )


class KeyNotFound(NotFound):
    """No key of this person has this id."""

    type = "key_not_found"

    def __init__(self) -> None:
        super().__init__("There is no such key, or it is not yours.", param="key")


class KeyRefused(DaehwaError):  # noqa: N818 - errors state the fact
    """The API key does not open anything."""

    type = "key_refused"


class KeyMissing(KeyRefused):
    """No API key came with the request."""

    type = "key_missing"
    refusal = "key_missing"

    def __init__(self) -> None:
        super().__init__(
            "This server wants an API key: send the header 'Authorization: Bearer' with a key made "
            f"{_WHERE_KEYS_ARE_MADE}."
        )


class KeyUnknown(KeyRefused):
    """The API key is none of this server's."""

    type = "key_unknown"
    refusal = "key_unknown"

    def __init__(self) -> None:
        super().__init__(
            "This API key is none of this server's. Check that it was copied whole, or make one "
            f"{_WHERE_KEYS_ARE_MADE}."
        )


class KeyExpired(KeyRefused):
    """The API key's time is over."""

    type = "key_expired"
    refusal = "key_expired"

    def __init__(self, name: str) -> None:
        super().__init__(f"The API key “{name}” has expired. Make a new one {_WHERE_KEYS_ARE_MADE}.")


class KeyRevoked(KeyRefused):
    """The API key was revoked."""

    type = "key_revoked"
    refusal = "key_revoked"

    def __init__(self, name: str) -> None:
        super().__init__(f"The API key “{name}” was revoked. Make a new one {_WHERE_KEYS_ARE_MADE}.")


class ModelNotAllowed(NotAllowed):
    """The key may not ask this model."""

    type = "model_not_allowed"
    refusal = "model_not_allowed"

    def __init__(self, model: str, allowed: str) -> None:
        super().__init__(f"This API key may not ask {model}. It may ask: {allowed}.", param="model")


class RateExceeded(DaehwaError):  # noqa: N818 - errors state the fact
    """More requests or tokens a minute than the key may have. `retry_after` is in seconds, `limit` what it may have."""

    type = "rate_exceeded"
    refusal = "rate_exceeded"

    def __init__(self, counted: Literal["requests", "tokens"], limit: int, *, retry_after: float) -> None:
        what = counted.removesuffix("s") if limit == 1 else counted
        super().__init__(
            f"This API key may have {limit:,} {what} a minute. Try again in {max(1, ceil(retry_after))} seconds."
        )
        self.counted: Literal["requests", "tokens"] = counted
        self.limit = limit
        self.retry_after = retry_after
