"""Coming in with a password, with a code where an app gives them, or with a passkey.

Whoever tries learns one thing: it was right or it was not. Names that nobody has take as long, and are counted as well.
"""

import asyncio
import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from daehwa.accounts.credentials import Credentials, Password
from daehwa.accounts.errors import AccountDisabled, SignInExpired
from daehwa.accounts.people import User, folded_login
from daehwa.accounts.unshown import Unshown
from daehwa.sign_in.errors import CredentialsRefused, PasskeyRefused
from daehwa.sign_in.known_browsers import known_as, new_known
from daehwa.sign_in.one_time_codes import is_code, recovery_text, step_of
from daehwa.sign_in.parts import Parts
from daehwa.sign_in.passkeys import credential_id, user_handle
from daehwa.sign_in.password_rules import normalized
from daehwa.sign_in.throttle import ACCOUNT, ADDRESS, BROWSER, CODE
from daehwa.sign_in.tokens import digest, encoded, is_token, new_token
from daehwa.sign_in.visitors import Carried, Visitor

LOGIN_CHARACTERS = 254
CODE_SECONDS = 5 * 60
"""So long a right password waits for its code."""
CODE_TRIES = 5
"""After so many wrong codes the password is asked for again."""
_MOST_WAITING = 10_000


class Entered(Unshown, frozen=True, kw_only=True):
    """Somebody has come in, and `session` is for the cookie; or the password was right, and `waiting` waits for a code.

    `known` is what the browser shall carry from now on, so that it is known again.
    """

    user: User
    session: str | None = None
    waiting: str | None = None
    known: str | None = None


class _Waiting(msgspec.Struct):
    """A right password that waits for its code. `changed` is the password's: another one ends the waiting."""

    user: str
    changed: int
    until: int
    tries: int = CODE_TRIES


class Entering:
    """The door for those who have an account here."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._waiting: dict[str, _Waiting] = {}

    async def by_password(self, login: str, password: str, visitor: Visitor, carried: Carried) -> Entered:
        """Come in with a name and a password. Raise `CredentialsRefused`, `AccountDisabled`, `TooManyAttempts`."""
        parts = self._parts
        password, name = normalized(password), folded_login(login[:LOGIN_CHARACTERS])
        address = f"address {visitor.network}"
        parts.throttle.take(address, ADDRESS)
        user = await parts.people.accounts.find_user(name)
        has = await parts.people.credentials.get_credentials("" if user is None else user.id)
        known = known_as(carried.known, has.password)
        account = f"browser {known}" if known else f"account {name if user is None else user.id}"
        parts.throttle.take(account, BROWSER if known else ACCOUNT)
        checked = await parts.passwords.check(None if has.password is None else has.password.hash, password)
        if user is None or has.password is None or not checked.is_right:
            await parts.acts.note("sign_in.failed", visitor, subject="" if user is None else user.id, by="password")
            raise CredentialsRefused("There is no account with this name and password. Check both, and try again.")
        parts.throttle.give_back(address)
        parts.throttle.give_back(account)
        await self._refuse_disabled(user, visitor, by="password")
        if checked.newer is not None:
            await self._rehash(has.password, checked.newer)
        return await self.go_on(user, visitor, carried, by="password")

    async def go_on(self, user: User, visitor: Visitor, carried: Carried, *, by: str) -> Entered:
        """Go on after a right password: to the code, where one is asked for, else in."""
        has = await self._parts.people.credentials.get_credentials(user.id)
        if has.password is None:
            raise SignInExpired
        if not has.asks_for_code:
            return await self._come_in(user, has.password, visitor, carried, by=by)
        now = self._parts.clock()
        if len(self._waiting) >= _MOST_WAITING:
            self._waiting = {key: each for key, each in self._waiting.items() if each.until > now}
        token = new_token()
        self._waiting[digest(token)] = _Waiting(user.id, has.password.changed, now + CODE_SECONDS * 1000)
        return Entered(user=user, waiting=token)

    async def by_code(self, code: str, visitor: Visitor, carried: Carried) -> Entered:
        """Come in with an app's code or a recovery code, after the password. Raise `CredentialsRefused`."""
        parts = self._parts
        waiting = self._waiting_for(carried.waiting)
        user = await parts.people.accounts.get_user(waiting.user)
        has = await parts.people.credentials.get_credentials(waiting.user)
        if user is None or has.password is None or has.password.changed != waiting.changed:
            raise SignInExpired
        address, account = f"address {visitor.network}", f"code {user.id}"
        parts.throttle.take(address, ADDRESS)
        parts.throttle.take(account, CODE)
        waiting.tries -= 1  # before anything is awaited: many at once are no way around
        used = await self._use_code(user, has, code)
        if used is None:
            await parts.acts.note("sign_in.failed", visitor, subject=user.id, by="code")
            raise CredentialsRefused("This code is not right, or was used already. Wait for the next one.")
        self._waiting.pop(digest(carried.waiting or ""), None)
        parts.throttle.give_back(address)
        parts.throttle.give_back(account)
        await self._refuse_disabled(user, visitor, by=used)
        return await self._come_in(user, has.password, visitor, carried, by=used)

    def passkey_options(self) -> tuple[str, dict[str, Any]]:
        """Return what a browser carries meanwhile, and what it asks its passkeys. Raise `PasskeysOff`."""
        self._parts.site.check()
        text, challenge = self._parts.challenges.new("use")
        return text, self._parts.site.options_to_use(challenge)

    async def by_passkey(self, credential: Mapping[str, Any], visitor: Visitor, carried: Carried) -> Entered:
        """Come in with a passkey. Raise `PasskeyRefused`, `AccountDisabled`, `TooManyAttempts`."""
        parts = self._parts
        parts.site.check()
        address = f"address {visitor.network}"
        parts.throttle.take(address, ADDRESS)
        challenge = parts.challenges.open("use", carried.challenge)
        if challenge is None or carried.challenge is None:
            raise SignInExpired
        try:
            user = await self._owner_of(credential, challenge, carried.challenge)
        except PasskeyRefused:
            await parts.acts.note("sign_in.failed", visitor, by="passkey")
            raise
        parts.throttle.give_back(address)
        await self._refuse_disabled(user, visitor, by="passkey")
        return await self._come_in(user, None, visitor, carried, by="passkey")

    async def _owner_of(self, credential: Mapping[str, Any], challenge: bytes, carried: str) -> User:
        parts = self._parts
        passkey = await parts.people.credentials.find_passkey(credential_id(credential))
        user = None if passkey is None else await parts.people.accounts.get_user(passkey.user)
        if passkey is None or user is None or user.login is None:
            raise PasskeyRefused
        handle = user_handle(credential)
        if handle is not None and handle.rstrip("=") != encoded(user.id.encode()):
            raise PasskeyRefused
        count = await asyncio.to_thread(parts.site.used, credential, challenge, passkey)
        if not parts.challenges.use_up(carried):
            raise PasskeyRefused
        if not await parts.people.credentials.note_passkey_used(passkey.id, sign_count=count, now=parts.clock()):
            raise PasskeyRefused
        return user

    async def _come_in(
        self, user: User, password: Password | None, visitor: Visitor, carried: Carried, *, by: str
    ) -> Entered:
        parts = self._parts
        session = await parts.sessions.begin(user, visitor=visitor, replaced=carried.session)
        if password is not None:
            now = (await parts.people.credentials.get_credentials(user.id)).password
            if now is None or now.changed != password.changed:  # it was changed while we looked, which ended all others
                await parts.sessions.end(session)
                raise SignInExpired
        await parts.people.accounts.note_seen(user.id, now=parts.clock())
        await parts.acts.note("session.begun", visitor, actor=user, by=by)
        known = None if password is None or known_as(carried.known, password) else new_known(password)
        return Entered(user=user, session=session, known=known)

    async def _refuse_disabled(self, user: User, visitor: Visitor, *, by: str) -> None:
        if user.disabled is not None or user.leaving is not None:
            await self._parts.acts.note("sign_in.failed", visitor, subject=user.id, by=by, disabled=True)
            raise AccountDisabled

    async def _use_code(self, user: User, has: Credentials, code: str) -> str | None:
        """Use a code up and say of which kind it was; None where it is none."""
        store, text = self._parts.people.credentials, "".join(code.split())
        if is_code(text) and has.totp is not None:
            step = step_of(has.totp.secret, text, now=self._parts.clock(), after=has.totp.last_step)
            return "code" if step is not None and await store.use_totp_step(user.id, step) else None
        kept = recovery_digest(code)
        return "recovery_code" if kept and await store.use_recovery_code(user.id, kept) else None

    async def _rehash(self, password: Password, newer: str) -> None:
        """Keep a password at today's cost, unless another one was set meanwhile."""
        store, parts = self._parts.people.credentials, self._parts
        async with parts.changing:
            now = (await store.get_credentials(password.user)).password
            if now is not None and now.hash == password.hash:
                await store.set_password(msgspec.structs.replace(now, hash=newer))

    def _waiting_for(self, token: str | None) -> _Waiting:
        if token is None or not is_token(token):
            raise SignInExpired
        found = self._waiting.get(digest(token))
        if found is None or found.until <= self._parts.clock() or found.tries <= 0:
            self._waiting.pop(digest(token), None)
            raise SignInExpired
        return found


def recovery_digest(code: str) -> str:
    """Return what is kept of a recovery code; empty where it can be none."""
    text = recovery_text(code[:100])
    return hashlib.sha256(text.encode()).hexdigest() if text else ""
