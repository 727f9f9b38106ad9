"""What people change of their own account: password, authenticator app, passkeys, and where they are signed in."""

import asyncio
from collections.abc import Mapping
from typing import Any

from daehwa.accounts.credentials import Credentials, Passkey, Password, Totp
from daehwa.accounts.errors import NotAllowed, SignInExpired
from daehwa.accounts.people import User
from daehwa.conversation.errors import IdTaken, InvalidRequest
from daehwa.sign_in.entering import Entered, recovery_digest
from daehwa.sign_in.errors import CodesOff, CodesOn, CredentialsRefused, PasskeyRefused
from daehwa.sign_in.known_browsers import new_known
from daehwa.sign_in.links import LinkMaker, names_of
from daehwa.sign_in.one_time_codes import is_code, new_recovery_codes, new_secret, provisioning_uri, step_of, written
from daehwa.sign_in.parts import Parts
from daehwa.sign_in.passkeys import MOST_PASSKEYS, NAME_CHARACTERS, SITE_NAME
from daehwa.sign_in.password_rules import checked_password, normalized
from daehwa.sign_in.throttle import BROWSER, CODE
from daehwa.sign_in.visitors import Carried, Visitor


class OwnAccount:
    """Changes that somebody who is signed in makes to how they sign in."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def credentials(self, user: User) -> Credentials:
        """Return what somebody can sign in with here."""
        return await self._parts.people.credentials.get_credentials(user.id)

    async def change_password(self, user: User, current: str, new: str, visitor: Visitor, carried: Carried) -> Entered:
        """Change the password; all sessions end, and this browser is given a new one.

        Raise `CredentialsRefused`, `PasswordRefused`, `TooManyAttempts`.
        """
        parts = self._parts
        kept = await self.prove(user, current, visitor)
        password = checked_password(new, names_of(user))
        if password == normalized(current):
            raise InvalidRequest("The new password is the one that you have.", param="new")
        hashed = await parts.passwords.hashed(password)
        changed = Password(user=user.id, hash=hashed, changed=max(parts.clock(), kept.changed + 1))
        async with parts.changing:
            now = (await parts.people.credentials.get_credentials(user.id)).password
            if now is None or now.changed != kept.changed:
                raise SignInExpired
            await parts.people.credentials.set_password(changed)
            await parts.people.accounts.delete_sessions(user.id)
            await LinkMaker(parts.people.links, parts.public_url).void(user.id, now=parts.clock())
        session = await parts.sessions.begin(user, visitor=visitor, replaced=carried.session)
        await parts.acts.note("password.changed", visitor, actor=user)
        return Entered(user=user, session=session, known=new_known(changed))

    async def begin_totp(self, user: User, password: str, visitor: Visitor) -> tuple[str, str]:
        """Return the secret for an authenticator app, as text and as the address in a QR code. Nothing is asked for
        until a code of it was right: that comes from whoever has proved the password, since nobody else was told it.

        Raise `CredentialsRefused`, `CodesOn`, `TooManyAttempts`.
        """
        await self.prove(user, password, visitor)
        store = self._parts.people.credentials
        async with self._parts.changing:
            has = await self._local(user)
            if has.asks_for_code:
                raise CodesOn
            secret = new_secret()
            await store.save_totp(Totp(user=user.id, secret=secret))
        return written(secret), provisioning_uri(secret, user.login or user.id, SITE_NAME)

    async def confirm_totp(self, user: User, code: str, visitor: Visitor) -> tuple[str, ...]:
        """Ask for codes from now on; return the recovery codes, which are told this one time.

        Raise `CredentialsRefused`, `CodesOn`, `TooManyAttempts`.
        """
        parts, store, text = self._parts, self._parts.people.credentials, "".join(code.split())
        parts.throttle.take(f"code {user.id}", CODE)
        async with parts.changing:
            has = await self._local(user)
            if has.asks_for_code:
                raise CodesOn
            step = None
            if has.totp is not None and is_code(text):
                step = step_of(has.totp.secret, text, now=parts.clock(), after=has.totp.last_step)
            if step is None:
                raise CredentialsRefused("This code is not right. Check the clock of the device, and try the next one.")
            codes = new_recovery_codes()
            await store.set_recovery_codes(user.id, tuple(map(recovery_digest, codes)))
            if not await store.use_totp_step(user.id, step, confirmed=parts.clock()):
                raise SignInExpired
        parts.throttle.give_back(f"code {user.id}")
        await parts.acts.note("totp.added", visitor, actor=user)
        return codes

    async def renew_recovery_codes(self, user: User, password: str, visitor: Visitor) -> tuple[str, ...]:
        """Return new recovery codes, told this one time; the old ones are void.

        Raise `CredentialsRefused`, `CodesOff`, `TooManyAttempts`.
        """
        await self.prove(user, password, visitor)
        store = self._parts.people.credentials
        async with self._parts.changing:
            if not (await self._local(user)).asks_for_code:
                raise CodesOff
            codes = new_recovery_codes()
            await store.set_recovery_codes(user.id, tuple(map(recovery_digest, codes)))
        await self._parts.acts.note("recovery_codes.renewed", visitor, actor=user)
        return codes

    async def end_totp(self, user: User, password: str, visitor: Visitor) -> None:
        """Ask for no codes any more. Raise `CredentialsRefused`."""
        await self.prove(user, password, visitor)
        async with self._parts.changing:
            await self._parts.people.credentials.delete_totp(user.id)
        await self._parts.acts.note("totp.removed", visitor, actor=user)

    async def passkey_options(self, user: User, password: str, visitor: Visitor) -> tuple[str, dict[str, Any]]:
        """Return what a browser carries meanwhile, and what it asks for a new passkey.

        Raise `PasskeysOff`, `CredentialsRefused`, `TooManyAttempts`.
        """
        self._parts.site.check()
        kept = await self.prove(user, password, visitor)
        has = await self._local(user)
        text, challenge = self._parts.challenges.new(_making(kept))
        return text, self._parts.site.options_to_make(user, has.passkeys, challenge)

    async def add_passkey(
        self, user: User, name: str, credential: Mapping[str, Any], visitor: Visitor, carried: Carried
    ) -> Passkey:
        """Keep a new passkey: its challenge is told to whoever has proved the password, and to nobody else.

        Raise `PasskeyRefused`, `SignInExpired`.
        """
        parts = self._parts
        parts.site.check()
        name = " ".join(name.split())[:NAME_CHARACTERS]
        if not name or not name.isprintable():
            raise InvalidRequest(f"A passkey's name has 1 to {NAME_CHARACTERS} characters.", param="name")
        has = await self._local(user)
        if len(has.passkeys) >= MOST_PASSKEYS:
            raise InvalidRequest(f"There are {MOST_PASSKEYS} passkeys already. Remove one that is not needed any more.")
        challenge = None if has.password is None else parts.challenges.open(_making(has.password), carried.challenge)
        if challenge is None or carried.challenge is None:
            raise SignInExpired
        made, key, count, ways = await asyncio.to_thread(parts.site.made, credential, challenge)
        if not parts.challenges.use_up(carried.challenge):
            raise SignInExpired
        passkey = Passkey(
            id=made, user=user.id, public_key=key, sign_count=count, name=name, transports=ways, created=parts.clock()
        )
        try:
            await parts.people.credentials.add_passkey(passkey)
        except IdTaken:
            raise PasskeyRefused from None
        await parts.acts.note("passkey.added", visitor, actor=user, name=name)
        return passkey

    async def remove_passkey(self, user: User, passkey: str, visitor: Visitor) -> bool:
        """Remove a passkey, and return whether it was there."""
        was_there = await self._parts.people.credentials.delete_passkey(user.id, passkey)
        if was_there:
            await self._parts.acts.note("passkey.removed", visitor, actor=user)
        return was_there

    async def _local(self, user: User) -> Credentials:
        """Return what a local account has. Whom an identity provider lets in has nothing here: it alone may do that."""
        if user.login is None:
            raise NotAllowed("You sign in elsewhere, and change there how you do.")
        return await self.credentials(user)

    async def prove(self, user: User, password: str, visitor: Visitor) -> Password:
        """Return the password that somebody has, where they know it: an open browser may be somebody else's now.

        Raise `CredentialsRefused`, `TooManyAttempts`.
        """
        parts = self._parts
        kept = (await self._local(user)).password
        parts.throttle.take(f"own {user.id}", BROWSER)
        checked = await parts.passwords.check(None if kept is None else kept.hash, normalized(password))
        if kept is None or not checked.is_right:
            await parts.acts.note("password.refused", visitor, actor=user)
            raise CredentialsRefused("Your current password is not right.")
        parts.throttle.give_back(f"own {user.id}")
        return kept


def _making(password: Password) -> str:
    """Return what a challenge for a new passkey is for. Another password ends it."""
    return f"make {password.user} {password.changed}"
