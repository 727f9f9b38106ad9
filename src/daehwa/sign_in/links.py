"""Links that let somebody in once: printed in the terminal for the first admin, given by an admin, or sent by mail.

The token stands behind the `#` of the address: browsers send that to nobody, so no log and no proxy ever holds it.
"""

import re
from typing import Protocol

import msgspec

from daehwa.accounts.credentials import Password
from daehwa.accounts.errors import AccountDisabled, LoginTaken
from daehwa.accounts.links import Link
from daehwa.accounts.people import LOCAL_ISSUER, NewUser, Role, User, folded_login
from daehwa.accounts.people_ports import CredentialStore, LinkStore, PeopleStores
from daehwa.accounts.unshown import Unshown
from daehwa.conversation.errors import InvalidRequest
from daehwa.sign_in.admission import is_plain_email
from daehwa.sign_in.entering import Entered, Entering
from daehwa.sign_in.errors import LinkGone
from daehwa.sign_in.parts import Parts
from daehwa.sign_in.password_rules import checked_password
from daehwa.sign_in.passwords import Passwords
from daehwa.sign_in.throttle import ADDRESS, MAIL
from daehwa.sign_in.tokens import digest, is_token, new_token
from daehwa.sign_in.visitors import Carried, Visitor

HOUR_MS = 3_600_000
FIRST_ADMIN_MS = 24 * HOUR_MS
INVITE_MS = 7 * 24 * HOUR_MS
RESET_MS = 24 * HOUR_MS
MAILED_MS = HOUR_MS
NAME_CHARACTERS = 100
BY_ADMIN = "by_admin"
"""The detail of `link.used` that says of a link for a new password that an admin could have used it."""
EMAIL_CHANGED = "person.email_changed"
_LOGIN = re.compile(r"[^\s@]{2,64}")


class Provider(Protocol):
    """The other door, where there is one: `daehwa.sign_in.flow.SignIn`."""

    @property
    def issuer(self) -> str:
        """Whose people come through it."""
        ...

    def as_now(self, user: User) -> User | None:
        """Return somebody as what they may be now; None where they may not come in by it any more."""
        ...


class MadeLink(Unshown, frozen=True):
    """A link, and its address, which is told this one time."""

    link: Link
    url: str


class Wish(Unshown, frozen=True, kw_only=True):
    """What somebody who opened a link wants to be called, and their password."""

    token: str
    password: str
    login: str | None = None
    name: str | None = None


class LinkMaker:
    """Makes links; `public_url` is where they lead."""

    def __init__(self, links: LinkStore, public_url: str) -> None:
        self._links = links
        self._public_url = public_url

    async def first_admin(self, *, now: int) -> MadeLink:
        """Make the link for the first admin; those of earlier starts are void."""
        for link in await self._links.list_links(now=now):
            if link.kind == "first_admin":
                await self._links.delete_link(link.id)
        return await self._kept(
            Link(id="", kind="first_admin", role="admin", created=now, expires=now + FIRST_ADMIN_MS)
        )

    async def invite(
        self, *, email: str | None, role: Role, groups: tuple[str, ...], made_by: str | None, now: int
    ) -> MadeLink:
        """Make an invitation. Raise `InvalidRequest`."""
        return await self._kept(
            Link(
                id="",
                kind="invite",
                email=None if email is None else checked_email(email),
                role=role,
                groups=groups,
                made_by=made_by,
                created=now,
                expires=now + INVITE_MS,
            )
        )

    async def reset(self, user: User, *, made_by: str | None, now: int) -> MadeLink:
        """Make a link by which somebody sets a new password; older ones of theirs are void. Raise `InvalidRequest`."""
        if user.login is None:
            raise InvalidRequest(
                "This person signs in through an identity provider and has no password here: a new one is set there.",
                param="person",
            )
        await self.void(user.id, now=now)
        return await self.mailed(user, made_by=made_by, now=now, lasts=RESET_MS)

    async def mailed(self, user: User, *, now: int, made_by: str | None = None, lasts: int = MAILED_MS) -> MadeLink:
        """Make a link for a mail. Anybody can ask for one, so it voids none that an admin has made."""
        return await self._kept(
            Link(id="", kind="reset", user=user.id, role=user.role, made_by=made_by, created=now, expires=now + lasts)
        )

    async def void(self, user: str, *, now: int) -> None:
        """Void the links by which somebody could set a new password."""
        for link in await self._links.list_links(now=now):
            if link.user == user:
                await self._links.delete_link(link.id)

    async def _kept(self, link: Link) -> MadeLink:
        token = new_token()
        link = msgspec.structs.replace(link, id=digest(token))
        await self._links.add_link(link)
        return MadeLink(link, f"{self._public_url}/#/link/{token}")


async def has_admin(people: PeopleStores, issuer: str | None) -> bool:
    """Whether an admin can come in: by an account here, or through the identity provider of now (`issuer`)."""
    doors = {LOCAL_ISSUER, issuer}
    return any(user.is_enabled_admin and user.issuer in doors for user in await people.accounts.list_users())


class Links:
    """What is done with a link by whoever holds it."""

    def __init__(self, parts: Parts, entering: Entering, *, provider: Provider | None = None) -> None:
        self._parts = parts
        self._entering = entering
        self._provider = provider
        self._issuer = None if provider is None else provider.issuer
        self.maker = LinkMaker(parts.people.links, parts.public_url)

    async def look(self, token: str, visitor: Visitor) -> tuple[Link, User | None]:
        """Return what a link is for and whom; it stays as it is. Raise `LinkGone`, `TooManyAttempts`."""
        address = f"address {visitor.network}"
        self._parts.throttle.take(address, ADDRESS)
        link = (
            await self._parts.people.links.get_link(digest(token), now=self._parts.clock()) if is_token(token) else None
        )
        user = None
        if link is not None and link.user is not None:
            user = await self._parts.people.accounts.get_user(link.user)
        is_late = link is not None and link.kind == "first_admin" and await has_admin(self._parts.people, self._issuer)
        if link is None or is_late or (link.user is not None and user is None) or not await self._is_meant(link):
            raise LinkGone
        if link.groups and not await self._has_one(link.groups):
            raise LinkGone  # all that it was for are removed, and in none of them there is nothing to do here
        self._parts.throttle.give_back(address)
        return link, user

    async def accept(self, wish: Wish, visitor: Visitor, carried: Carried) -> Entered:
        """Use a link: make the account or set the new password, and come in. Of several at once one does.

        Raise `LinkGone`, `LoginTaken`, `PasswordRefused`, `InvalidRequest`, `AccountDisabled`.
        """
        link, user = await self.look(wish.token, visitor)
        if user is not None and (user.disabled is not None or user.leaving is not None):
            raise AccountDisabled
        new = None if user is not None else _new_user(link, wish)
        own = (new.login, new.name, new.email or "") if new is not None else names_of(user)
        hashed = await self._parts.passwords.hashed(checked_password(wish.password, own))
        async with self._parts.changing:
            taken = await self._parts.people.links.take_link(link.id, now=self._parts.clock())
            if taken is None:
                raise LinkGone
            user = await self._changed(taken, user, new, hashed)
        by_admin = {BY_ADMIN: True} if await self._was_in_admins_hands(link) else {}
        await self._parts.acts.note("link.used", visitor, actor=user, subject=user.id, kind=link.kind, **by_admin)
        return await self._entering.go_on(user, visitor, carried, by=link.kind)

    async def send_reset(self, login: str, visitor: Visitor) -> None:
        """Send a link for a new password to whoever has this name and an address: to be done while nobody waits."""
        parts = self._parts
        user = await parts.people.accounts.find_user(folded_login(login))
        if parts.mail is None or user is None or user.email is None or user.disabled is not None:
            return
        parts.throttle.take(f"mail {user.id}", MAIL)
        made = await self.maker.mailed(user, now=parts.clock())
        await parts.acts.note("link.made", visitor, subject=user.id, kind="reset", by="mail")
        if not await parts.mail.send_reset(user.email, made.url, site=parts.public_url, hours="an hour"):
            await parts.people.links.delete_link(made.link.id)

    async def _was_in_admins_hands(self, link: Link) -> bool:
        """Whether an admin could have used a link for somebody's new password: one that an admin had made, or one that
        was mailed to somebody whose address an admin has changed, if only for a moment.
        """
        if link.kind != "reset" or link.user is None:
            return False
        if link.made_by is not None:
            return True
        is_mailed = link.expires - link.created == MAILED_MS  # the terminal's last a day
        return is_mailed and bool(await self._parts.people.audit.told(EMAIL_CHANGED, link.user, limit=1))

    async def _is_meant(self, link: Link) -> bool:
        """Whether whoever made a link may still make one. Settings and provider can end that and nobody is there then
        to void it, so it is asked when the link is used.
        """
        if link.made_by is None:
            return True
        maker = await self._parts.people.accounts.get_user(link.made_by)
        return maker is not None and is_admin_now(maker, self._provider)

    async def _has_one(self, groups: tuple[str, ...]) -> bool:
        """Whether one of these groups is there still."""
        return any(group.id in groups for group in await self._parts.people.groups.list_groups())

    async def _changed(self, link: Link, user: User | None, new: NewUser | None, hashed: str) -> User:
        """Make the account, or take away what opened it before; the link has been taken."""
        people, now = self._parts.people, self._parts.clock()
        if new is not None:
            try:
                user = await people.accounts.add_user(new, now=now)
            except LoginTaken:
                await people.links.add_link(link)  # another name will do
                raise
        if user is None:
            raise LinkGone
        await people.credentials.set_password(Password(user=user.id, hash=hashed, changed=now))
        await people.accounts.delete_sessions(user.id)
        await self.maker.void(user.id, now=now)
        return user


def is_admin_now(user: User, provider: Provider | None) -> bool:
    """Whether somebody is an admin who can come in, by an account here or through the provider."""
    now = user if user.login is not None else None if provider is None else provider.as_now(user)
    return now is not None and now.is_enabled_admin


async def void_made_by(links: LinkStore, user: str, *, now: int) -> int:
    """Void the links that somebody has made who is an admin no more, and return how many: whoever kept one would come
    back by it, as an admin or as whoever it is for.
    """
    made = [link.id for link in await links.list_links(now=now) if link.made_by == user]
    return sum([await links.delete_link(link) for link in made])


async def without_second_factor(credentials: CredentialStore, passwords: Passwords, user: str, *, now: int) -> None:
    """Take away the app and the passkeys of somebody who has lost them, and first the password, which alone would open
    the account until the link for a new one is used.
    """
    await credentials.set_password(Password(user=user, hash=await passwords.hashed(new_token()), changed=now))
    await credentials.delete_totp(user)
    for passkey in (await credentials.get_credentials(user)).passkeys:
        await credentials.delete_passkey(user, passkey.id)


def names_of(user: User | None) -> tuple[str, ...]:
    """Return what somebody is called, which no password of theirs may be."""
    return () if user is None else (user.login or "", user.name, user.email or "")


def checked_email(text: str) -> str:
    """Return an e-mail address that an admin has given. Raise `InvalidRequest`."""
    if not (is_plain_email(text) and all(text.partition("@"))):
        raise InvalidRequest(f"'{text[:100]}' is no e-mail address.", param="email")
    return text


def checked_name(text: str) -> str:
    """Return what somebody wants to be called. Raise `InvalidRequest`."""
    name = " ".join(text.split())
    if len(name) > NAME_CHARACTERS or not name.isprintable():
        raise InvalidRequest(f"A name has at most {NAME_CHARACTERS} characters.", param="name")
    return name


def _new_user(link: Link, wish: Wish) -> NewUser:
    """Return the account that a link makes. An e-mail address is only what an admin has written to, so nobody can be
    called by that of another; the first admin is whoever runs this server, and is believed.
    """
    login = folded_login(wish.login or link.email or "")
    email = link.email if link.email is not None and is_plain_email(link.email) else None
    if link.kind == "first_admin" and is_plain_email(login) and all(login.partition("@")):
        email = login
    is_own_email = email is not None and login == folded_login(email)
    if not (is_own_email or _LOGIN.fullmatch(login)) or not login.isprintable():
        raise InvalidRequest(
            "A name for signing in has 2 to 64 characters without spaces and @, or is the e-mail address that was "
            "invited.",
            param="login",
        )
    return NewUser(login=login, name=checked_name(wish.name or ""), email=email, role=link.role, groups=link.groups)
