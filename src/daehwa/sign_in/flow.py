"""Signing in, from the page's button to a session, and out again: the authorization code flow with PKCE.

The browser carries two random texts, in cookies that no script reads: one ties a sign-in to the browser that began it,
one is the session. No token of the provider ever reaches the browser, but for the hint at its own sign-out.
"""

import hmac
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec

from daehwa.accounts.errors import (
    NotAllowed,
    SignInCancelled,
    SignInExpired,
    SignInFailed,
    SignInMisconfigured,
    SignInUnavailable,
)
from daehwa.accounts.people import Profile, Session, SignInAttempt, User
from daehwa.accounts.ports import AccountStore
from daehwa.accounts.unshown import Unshown
from daehwa.conversation.ids import now_ms
from daehwa.sign_in.addresses import CALLBACK_PATH, HOME_PATH, checked_issuer, checked_origin, checked_return_path
from daehwa.sign_in.admission import admitted_role, is_plain_email
from daehwa.sign_in.id_token import Expected, checked_claims
from daehwa.sign_in.identity_provider import Http, IdentityProvider, Metadata
from daehwa.sign_in.settings import SignInSettings
from daehwa.sign_in.signing_keys import SigningKeys
from daehwa.sign_in.tokens import challenge, digest, is_token, new_token

SESSION_SECONDS = 30 * 24 * 3600
ATTEMPT_SECONDS = 10 * 60
ANSWER_SECONDS = 8.0
"""How long the provider may take for each answer."""
_NAME_CHARACTERS = 200
_CODE_CHARACTERS = 4096
_ERROR = re.compile(r"[a-z_]{1,60}")
_PERSONAL = ("email", "email_verified", "name", "preferred_username")


class BegunSignIn(Unshown, frozen=True, kw_only=True):
    """Where the browser goes next, and what it carries meanwhile."""

    location: str
    browser: str


class ProviderAnswer(Unshown, frozen=True, kw_only=True):
    """What the identity provider answers, carried by the browser in the query (RFC 6749, and 9207 for `iss`)."""

    state: str | None = None
    code: str | None = None
    error: str | None = None
    iss: str | None = None


class FinishedSignIn(Unshown, frozen=True, kw_only=True):
    """A session's text for the cookie, whose it is, and where to go on."""

    session: str
    user: User
    return_to: str


class SignIn:
    """Signs people in through one identity provider, and knows them by their sessions.

    Raise `SignInMisconfigured` where that cannot work.
    """

    def __init__(
        self,
        settings: SignInSettings,
        accounts: AccountStore,
        http: Http,
        *,
        clock: Callable[[], int] = now_ms,
        seconds: float = ANSWER_SECONDS,
    ) -> None:
        checked_issuer(settings.issuer)
        self.public_url = checked_origin(settings.public_url)
        self._settings = settings
        self._accounts = accounts
        self._clock = clock
        self._provider = IdentityProvider(settings, http, clock=clock, seconds=seconds)
        self._keys = SigningKeys(self._provider.keys, clock=clock)
        self._redirect = self.public_url + CALLBACK_PATH

    async def begin(self, return_to: str, browser: str | None, *, other_account: bool = False) -> BegunSignIn:
        """Begin a sign-in that shall end at a path of this site.

        `browser` is what the browser carries from a sign-in begun before, as in another tab: then it serves for both.
        `other_account`: the provider shall ask who it is, rather than send back whom it knows from before.
        """
        return_to = checked_return_path(return_to)
        metadata = await self._provider.metadata()
        browser = browser if browser is not None and is_token(browser) else new_token()
        state, nonce, verifier = new_token(), new_token(), new_token()
        await self._accounts.save_attempt(
            SignInAttempt(
                id=digest(state),
                browser=digest(browser),
                nonce=nonce,
                verifier=verifier,
                return_to=return_to,
                expires=self._clock() + ATTEMPT_SECONDS * 1000,
            )
        )
        query = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": self._redirect,
            "scope": " ".join(self._settings.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge(verifier),
            "code_challenge_method": "S256",
            **({"prompt": metadata.other_account} if other_account else {}),
        }
        return BegunSignIn(location=_with_query(metadata.authorization_endpoint, query), browser=browser)

    async def finish(self, answer: ProviderAnswer, browser: str | None, replaced: str | None) -> FinishedSignIn:
        """Take the provider's answer, as the browser brings it, and begin a session. `replaced` is an older one of this
        browser, which ends. Raise `SignInFailed` or `NotAllowed`.
        """
        attempt = await self._taken(answer.state, browser)
        metadata = await self._provider.metadata()
        code = _code(answer, metadata)
        tokens = await self._provider.tokens(code, attempt.verifier, self._redirect)
        expected = Expected(
            issuer=self._settings.issuer,
            client_id=self._settings.client_id,
            nonce=attempt.nonce,
            access_token=tokens.access_token,
            now=self._clock(),
        )
        claims = await checked_claims(tokens.id_token, expected, self._keys)
        profile = await self._profile(claims, tokens.access_token)
        role = admitted_role(profile.email, self._settings)
        now = self._clock()
        user = await self._accounts.sign_in(profile, role=role, now=now)
        if replaced is not None:
            await self._accounts.delete_session(digest(replaced))
        session = new_token()
        is_hinted = self._settings.logout_url is None and metadata.end_session_endpoint is not None
        await self._accounts.save_session(
            Session(
                id=digest(session),
                user=user.id,
                created=now,
                expires=now + SESSION_SECONDS * 1000,
                id_token=tokens.id_token if is_hinted else None,
            )
        )
        return FinishedSignIn(session=session, user=user, return_to=attempt.return_to)

    async def user_of(self, session: str | None) -> User | None:
        """Return whose session this is, as what the settings let them come in now: they may have changed since."""
        if session is None or not is_token(session):
            return None
        found = await self._accounts.get_session(digest(session), now=self._clock())
        if found is None or found[1].issuer != self._settings.issuer:
            return None
        try:
            role = admitted_role(found[1].email, self._settings)
        except NotAllowed:
            return None
        return msgspec.structs.replace(found[1], role=role)

    async def end(self, session: str | None) -> str | None:
        """End a session; return where the provider ends its own, where it has such a place."""
        if session is None or not is_token(session):
            return None
        found = await self._accounts.get_session(digest(session), now=self._clock())
        await self._accounts.delete_session(digest(session))
        return None if found is None else await self._logout_location(found[0].id_token)

    async def _taken(self, state: str | None, browser: str | None) -> SignInAttempt:
        if state is None or not is_token(state) or browser is None or not is_token(browser):
            raise SignInExpired
        attempt = await self._accounts.take_attempt(digest(state), now=self._clock())
        if attempt is None or not hmac.compare_digest(attempt.browser, digest(browser)):
            raise SignInExpired
        return attempt

    async def _profile(self, claims: dict[str, Any], access_token: str | None) -> Profile:
        """Return who it is. What the ID token does not say of the e-mail address, the provider is asked for."""
        said = claims
        if ("email" not in claims or "email_verified" not in claims) and access_token is not None:
            more = await self._provider.person(access_token)
            if more.get("sub") == claims["sub"]:
                said = {**claims, **{name: more[name] for name in _PERSONAL if name in more}}
            elif more:
                raise SignInFailed("The identity provider speaks of two different people. Sign in again.")
        email = said.get("email")
        verified = said.get("email_verified")
        is_verified = verified is True or verified == "true"  # Cognito sends a text
        return Profile(
            issuer=self._settings.issuer,
            subject=claims["sub"],
            email=email if is_verified and isinstance(email, str) and is_plain_email(email) else None,
            name=_name(said),
        )

    async def _logout_location(self, id_token: str | None) -> str | None:
        home = self.public_url + HOME_PATH
        if self._settings.logout_url is not None:
            return _with_query(self._settings.logout_url, {"client_id": self._settings.client_id, "logout_uri": home})
        try:
            end = (await self._provider.metadata()).end_session_endpoint
        except (SignInUnavailable, SignInFailed, SignInMisconfigured):
            return None  # here the session is over, and that is what counts
        if end is None:
            return None
        hint = {} if id_token is None else {"id_token_hint": id_token}
        return _with_query(end, {**hint, "client_id": self._settings.client_id, "post_logout_redirect_uri": home})


def _code(answer: ProviderAnswer, metadata: Metadata) -> str:
    """Return the code. Whose answer this is, where that is said, is checked first: against mix-up."""
    is_silent = answer.iss is None and not metadata.authorization_response_iss_parameter_supported
    if answer.iss != metadata.issuer and not is_silent:
        raise SignInFailed("This answer is of another identity provider. Sign in again.")
    if answer.error == "access_denied":
        raise SignInCancelled
    if answer.error is not None:
        said = f" ({answer.error})" if _ERROR.fullmatch(answer.error) else ""
        raise SignInFailed(f"The identity provider did not sign you in{said}. Sign in again.")
    if answer.code is None or not 0 < len(answer.code) <= _CODE_CHARACTERS:
        raise SignInFailed("The identity provider's answer is incomplete. Sign in again.")
    return answer.code


def _name(claims: dict[str, Any]) -> str:
    for key in ("name", "preferred_username"):
        value = claims.get(key)
        if isinstance(value, str) and (name := " ".join(value.split())):
            return name[:_NAME_CHARACTERS]
    return ""


def _with_query(address: str, values: Mapping[str, str]) -> str:
    return address + ("&" if "?" in address else "?") + urlencode(values)
