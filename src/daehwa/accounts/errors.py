"""Errors of accounts, on the tree of `daehwa.conversation.errors`.

DaehwaError
├── NotSignedIn       nobody is signed in, or no longer (HTTP 401)
├── NotAllowed        signed in, but not allowed to do this (HTTP 403)
├── SignInFailed      the way through the identity provider did not end well (HTTP 400, shown by the page)
└── BudgetExceeded    a budget would be overspent (HTTP 429)
"""

from daehwa.conversation.errors import DaehwaError


class NotSignedIn(DaehwaError):  # noqa: N818 - errors state the fact
    """Nobody is signed in, or no longer."""

    type = "not_signed_in"

    def __init__(self) -> None:
        super().__init__("Sign in first: open the page and follow its button.")


class NotAllowed(DaehwaError):  # noqa: N818 - errors state the fact
    """Signed in, but not allowed to do this."""

    type = "not_allowed"


class SignInFailed(DaehwaError):  # noqa: N818 - errors state the fact
    """The way through the identity provider did not end well."""

    type = "sign_in_failed"


class BudgetExceeded(DaehwaError):  # noqa: N818 - errors state the fact
    """A budget would be overspent. `scope` and `period` name it, `limit` is in micro-dollars."""

    type = "budget_exceeded"

    def __init__(self, message: str, *, scope: str, period: str, limit: int) -> None:
        super().__init__(message)
        self.scope = scope
        self.period = period
        self.limit = limit
