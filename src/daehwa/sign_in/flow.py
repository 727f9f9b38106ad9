"""Signing in, from the page's button to a session, and out again: the authorization code flow with PKCE.

The browser carries two random texts, in cookies that no script reads: one ties a sign-in to the browser that began it,
one is the session. No token of the provider ever reaches the browser, but for the hint at its own sign-out.
"""

import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec

from daehwa.accounts.errors import (
    AccountDisabled,
    LastAdmin,
    NotAllowed,
    SecondAccount,
    SignInCancelled,
    SignInExpired,
    SignInFailed,
    SignInMisconfigured,
    SignInUnavailable,
)
from daehwa.accounts.groups import Group
from daehwa.accounts.people import Profile, Role, Session, SignInAttempt, User, UserChanges
from daehwa.accounts.people_ports import PeopleStores
from daehwa.accounts.ports import AccountStore
from daehwa.accounts.unshown import Unshown
from daehwa.conversation.ids import now_ms
from daehwa.sign_in.acts import Acts
from daehwa.sign_in.addresses import CALLBACK_PATH, HOME_PATH, checked_issuer, checked_origin, checked_return_path
from daehwa.sign_in.admission import admitted_role, claimed_role, is_held, is_plain_email, of_same_address, role_now
from daehwa.sign_in.id_token import Expected, checked_claims
from daehwa.sign_in.identity_provider import Http, IdentityProvider, Metadata
from daehwa.sign_in.sessions import SESSION_SECONDS, Sessions
from daehwa.sign_in.settings import SignInSettings
from daehwa.sign_in.signing_keys import SigningKeys
from daehwa.sign_in.throttle import BEGIN, Throttle
from daehwa.sign_in.tokens import challenge, digest, is_token, new_token
from daehwa.sign_in.visitors import NOWHERE, Visitor

__all__ = [
    "ANSWER_SECONDS",
    "ATTEMPT_SECONDS",
    "SESSION_SECONDS",
    "BegunSignIn",
    "FinishedSignIn",
    "ProviderAnswer",
    "SignIn",
]

ATTEMPT_SECONDS = 10 * 60
ANSWER_SECONDS = 8.0
"""How long the provider may take for each answer."""
_NAME_CHARACTERS = 200
_CODE_CHARACTERS = 4096
_ERROR = re.compile(r"[a-z_]{1,60}")
_MOST_CLAIMED, _CLAIMED_CHARACTERS = 1000, 200
_JOINERS = "\u200c\u200d"
"""What keeps letters of one word apart or together: names in Persian and Hindi have them."""
_ELSEWHERE = "_claim_names"
"""Which claims are not told but to be had somewhere else (OpenID Connect Core 1.0, section 5.6.2). Microsoft's provider
does so with the groups of whoever is in more than 200.
"""
_PERSONAL = ("email", "email_verified", "name", "preferred_username", _ELSEWHERE)


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
        people: PeopleStores | None = None,
        clock: Callable[[], int] = now_ms,
        seconds: float = ANSWER_SECONDS,
    ) -> None:
        checked_issuer(settings.issuer)
        self.public_url = checked_origin(settings.public_url)
        self._settings = settings
        self._accounts = accounts
        self._people = people
        self.acts = Acts(None if people is None else people.audit, clock)
        self.sessions = Sessions(accounts, clock=clock)
        self._clock = clock
        self._provider = IdentityProvider(settings, http, clock=clock, seconds=seconds)
        self._throttle = Throttle(clock)
        self._keys = SigningKeys(self._provider.keys, clock=clock)
        self._redirect = self.public_url + CALLBACK_PATH

    async def begin(
        self, return_to: str, browser: str | None, visitor: Visitor = NOWHERE, *, other_account: bool = False
    ) -> BegunSignIn:
        """Begin a sign-in that shall end at a path of this site.

        `browser` is what the browser carries from a sign-in begun before, as in another tab: then it serves for both.
        `other_account`: the provider shall ask who it is, rather than send back whom it knows from before.

        Raise `InvalidRequest`, `TooManyAttempts`, `SignInFailed`, `SignInMisconfigured`.
        """
        return_to = checked_return_path(return_to)
        self._throttle.take(_begun_from(visitor), BEGIN)
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

    @property
    def issuer(self) -> str:
        """The identity provider's address, which is the issuer of those who come through it."""
        return self._settings.issuer

    @property
    def name(self) -> str | None:
        """What the provider is called on the page's button."""
        return self._settings.name

    async def finish(
        self, answer: ProviderAnswer, browser: str | None, replaced: str | None, visitor: Visitor = NOWHERE
    ) -> FinishedSignIn:
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
        said = await self._said(claims, tokens.access_token)
        user = await self._known(self._profile(claims["sub"], said), _claimed(said, self._settings.group_claim))
        is_hinted = self._settings.logout_url is None and metadata.end_session_endpoint is not None
        id_token = tokens.id_token if is_hinted else None
        session = await self.sessions.begin(user, visitor=visitor, replaced=replaced, id_token=id_token)
        self._throttle.give_back(_begun_from(visitor))
        await self.acts.note("session.begun", visitor, actor=user, by="oidc")
        return FinishedSignIn(session=session, user=user, return_to=attempt.return_to)

    async def user_of(self, session: str | None) -> User | None:
        """Return whose session this is, as what the settings let them come in now: they may have changed since."""
        found = await self.sessions.found(session)
        return None if found is None else self.as_now(found[1])

    def as_now(self, user: User) -> User | None:
        """Return somebody with the role that they may have now; None where they are not this provider's, or may not
        come in any more.
        """
        if user.issuer != self._settings.issuer:
            return None
        try:
            return msgspec.structs.replace(user, role=role_now(user, self._settings))
        except NotAllowed:
            return None

    async def end(self, session: str | None) -> str | None:
        """End a session; return where the provider ends its own, where it has such a place."""
        found = await self.sessions.end(session)
        return None if found is None else await self.logout_location(found[0], found[1])

    async def _taken(self, state: str | None, browser: str | None) -> SignInAttempt:
        if state is None or not is_token(state) or browser is None or not is_token(browser):
            raise SignInExpired
        attempt = await self._accounts.take_attempt(digest(state), now=self._clock())
        if attempt is None or not hmac.compare_digest(attempt.browser, digest(browser)):
            raise SignInExpired
        return attempt

    async def _known(self, profile: Profile, claimed: frozenset[str]) -> User:
        """Return who it is, with the role and the groups that the settings and the provider give them."""
        role: Role | None = admitted_role(profile.email, self._settings)
        if role != "admin":
            role = claimed_role(claimed, self._settings)
        tied = await self._tied()
        if profile.email is not None:
            await self._refuse_second(profile, profile.email, tied)
        user = await self._accounts.sign_in(
            msgspec.structs.replace(profile, claimed=tuple(sorted(claimed.intersection(self._settings.group_roles)))),
            role=role,
            now=self._clock(),
            joins=[group.id for group in tied if group.claim in claimed],
            leaves=[group.id for group in tied if group.claim not in claimed],
        )
        now = role_now(user, self._settings)
        if now != user.role:  # the settings made an admin of them, and do not any more
            try:
                user = await self._accounts.change_user(user.id, UserChanges(role=now))
            except LastAdmin:
                user = msgspec.structs.replace(user, role=now)
        return user

    async def _refuse_second(self, profile: Profile, email: str, tied: Sequence[Group]) -> None:
        """Raise where somebody would shed what an admin has made of them by coming with another account of theirs."""
        if await self._accounts.find_by_subject(profile.issuer, profile.subject) is not None:
            return  # all people are looked at for a new one alone
        known = of_same_address(email, profile.issuer, await self._accounts.list_users())
        if any(user.disabled is not None for user in known):
            raise AccountDisabled
        if any(is_held(user, self._settings, [group.id for group in tied]) for user in known):
            raise SecondAccount

    async def is_held(self, user: User) -> bool:
        """Whether an admin has made something of somebody that they would shed by going and coming back."""
        return is_held(user, self._settings, [group.id for group in await self._tied()])

    async def _tied(self) -> list[Group]:
        """Return the groups that follow the provider's claim."""
        if self._people is None or self._settings.group_claim is None:
            return []
        return [group for group in await self._people.groups.list_groups() if group.claim is not None]

    async def _said(self, claims: dict[str, Any], access_token: str | None) -> dict[str, Any]:
        """Return what is said of who it is. What the ID token does not say, the provider is asked for."""
        wanted = {"email", "email_verified", *filter(None, (self._settings.group_claim,))}
        if wanted <= set(claims) or access_token is None:
            return claims
        more = await self._provider.person(access_token)
        if more.get("sub") == claims["sub"]:
            names = (*_PERSONAL, *wanted)
            return {**claims, **{name: more[name] for name in names if name in more}}
        if more:
            raise SignInFailed("The identity provider speaks of two different people. Sign in again.")
        return claims

    def _profile(self, subject: str, said: dict[str, Any]) -> Profile:
        email = said.get("email")
        verified = said.get("email_verified")
        is_verified = verified is True or verified == "true"  # Cognito sends a text
        return Profile(
            issuer=self._settings.issuer,
            subject=subject,
            email=email if is_verified and isinstance(email, str) and is_plain_email(email) else None,
            name=_name(said),
        )

    async def logout_location(self, session: Session, user: User) -> str | None:
        """Return where the provider ends its own session; None for whoever came by another door."""
        return await self._logout_location(session.id_token) if user.issuer == self._settings.issuer else None

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


def _begun_from(visitor: Visitor) -> str:
    return f"begun from {visitor.network}"


def _claimed(said: dict[str, Any], claim: str | None) -> frozenset[str]:
    """Return the groups that the provider says somebody is in there. Raise `SignInMisconfigured` where it does not say
    all: by none they would be in no group here, which may ask every model, and be no guest.
    """
    value = None if claim is None else said.get(claim)
    values = value if isinstance(value, list) else [value]
    elsewhere = said.get(_ELSEWHERE)
    is_left_out = value is None and isinstance(elsewhere, dict) and claim in elsewhere
    if is_left_out or len(values) > _MOST_CLAIMED:
        raise SignInMisconfigured(
            f"The identity provider does not tell all groups of this account ('{claim}'): it is in too many. Let it "
            "tell those alone that are assigned to this site."
        )
    return frozenset(each for each in values if isinstance(each, str) and len(each) <= _CLAIMED_CHARACTERS)


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
        # What is not shown, or turns the rest around, could make a name another one's in a list.
        if isinstance(value, str) and (name := "".join(filter(_is_shown, " ".join(value.split())))):
            return name[:_NAME_CHARACTERS]
    return ""


def _is_shown(letter: str) -> bool:
    return letter.isprintable() or letter in _JOINERS


def _with_query(address: str, values: Mapping[str, str]) -> str:
    return address + ("&" if "?" in address else "?") + urlencode(values)
