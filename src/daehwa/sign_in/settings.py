"""What signing in must be told: a frozen value, handed over by whoever reads settings."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from daehwa.accounts.people import Role
from daehwa.accounts.unshown import Unshown

ReadSecret: TypeAlias = Callable[[], Awaitable[str | None]]

EVERYBODY = "*"
"""In `allowed_emails`: everybody whom the provider lets in, as with a user pool by invitation only."""


class SignInSettings(Unshown, frozen=True, kw_only=True):
    """One identity provider, and who of its users may come in.

    `issuer` is the provider's address exactly as its discovery document says it, `public_url` this site's own origin
    ("https://chat.example.com", no slash at the end). `client_secret` is asked when a token is fetched, so it may be
    read late, and cached, by whoever gives it; None, here or as its answer, for a public client. `allowed_emails`
    holds addresses, domains ("@example.com") or "*"; `admin_emails` may come in too, as admins. `logout_url` is where
    the provider ends its own session where it does not announce that, as with Cognito: the client's id and our address
    are added to it. `group_claim` is the claim that says in which groups somebody is there; `group_roles` makes some of
    its values roles here.
    """

    issuer: str
    client_id: str
    public_url: str
    client_secret: ReadSecret | None = None
    allowed_emails: tuple[str, ...] = ()
    admin_emails: tuple[str, ...] = ()
    logout_url: str | None = None
    name: str | None = None
    group_claim: str | None = None
    group_roles: Mapping[str, Role] = {}
    scopes: tuple[str, ...] = ("openid", "email", "profile")
