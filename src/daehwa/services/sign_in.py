"""What both homes build of settings where people sign in through an identity provider."""

import importlib.util

from daehwa.accounts.errors import NotAllowed, SignInFailed, SignInMisconfigured
from daehwa.accounts.people import User
from daehwa.accounts.people_ports import PeopleStores
from daehwa.conversation.ids import now_ms
from daehwa.http_client.client import HttpClient
from daehwa.http_client.inward import NoFurtherIn
from daehwa.http_client.route import origin_of
from daehwa.settings import ConfiguredSignIn, line_with_extra
from daehwa.sign_in.admission import role_now
from daehwa.sign_in.flow import ANSWER_SECONDS, SignIn
from daehwa.sign_in.identity_provider import Http, IdentityProvider
from daehwa.sign_in.settings import ReadSecret, SignInSettings


def build_sign_in(
    configured: ConfiguredSignIn, public_url: str, people: PeopleStores, http: Http, client_secret: ReadSecret | None
) -> SignIn:
    """Return signing in, asking nobody yet. Raise `SignInMisconfigured`."""
    _refuse_without_extra()
    settings = _sign_in_settings(configured, public_url, client_secret)
    return SignIn(settings, people.accounts, http, people=people)


def guarded_client(issuer: str, *, use_proxy: bool = True) -> HttpClient:
    """Return a client for an issuer and the addresses that it names: they may lie no further inside than itself."""
    return HttpClient(use_proxy=use_proxy, guard=NoFurtherIn(origin_of(issuer)))


async def sign_in_fault(configured: ConfiguredSignIn, http: Http) -> str | None:
    """Ask the identity provider what signing in needs of it; return what is wrong with that, None where nothing is."""
    settings = _sign_in_settings(configured, "", None)
    provider = IdentityProvider(settings, http, clock=now_ms, seconds=ANSWER_SECONDS)
    try:
        _refuse_without_extra()
        await provider.keys()
    except (SignInFailed, SignInMisconfigured) as error:
        return error.message
    return None


def is_admin_by_settings(configured: ConfiguredSignIn | None, user: User) -> bool:
    """Whether the settings make somebody who came through the provider an admin, whatever else is said of them."""
    if configured is None or user.login is not None:
        return False
    try:
        return role_now(user, _sign_in_settings(configured, "", None)) == "admin"
    except NotAllowed:
        return False


def _refuse_without_extra() -> None:
    if importlib.util.find_spec("joserfc") is None:
        line = line_with_extra("sign-in")
        raise SignInMisconfigured(f"Signing in needs a package that is not installed here. Type: {line}")


def _sign_in_settings(
    configured: ConfiguredSignIn, public_url: str, client_secret: ReadSecret | None
) -> SignInSettings:
    return SignInSettings(
        issuer=configured.issuer,
        client_id=configured.client_id,
        public_url=public_url,
        client_secret=client_secret,
        allowed_emails=configured.allowed_emails,
        admin_emails=configured.admin_emails,
        logout_url=configured.logout_url,
        name=configured.name,
        group_claim=configured.group_claim,
        group_roles=dict(configured.group_roles),
    )
