"""Who may come in: by verified e-mail address, which only the identity provider can vouch for."""

from collections.abc import Collection, Iterable

from daehwa.accounts.errors import EmailNotVerified, NotAllowed
from daehwa.accounts.people import Role, User
from daehwa.sign_in.settings import EVERYBODY, SignInSettings

_EMAIL_CHARACTERS = 254
_BY_RIGHTS: tuple[Role, ...] = ("admin", "member", "guest")
_NOT_PLAIN = frozenset(',;:<>()[]"\\')


def admitted_role(email: str | None, settings: SignInSettings) -> Role:
    """Return as what the settings let somebody come in. Raise `NotAllowed`."""
    if email is not None and _is_named(email, settings.admin_emails):
        return "admin"
    if EVERYBODY in settings.allowed_emails:
        return "member"
    if email is None:
        raise EmailNotVerified
    if _is_named(email, settings.allowed_emails):
        return "member"
    raise NotAllowed(
        "This account may not use this site. Ask whoever runs it to allow your e-mail address, or sign in with another "
        "account."
    )


def claimed_role(claimed: Collection[str], settings: SignInSettings) -> Role | None:
    """Return the role that the provider's groups give, the most of several; None where the settings name no group."""
    if not settings.group_roles:
        return None
    roles: set[Role] = {role for value, role in settings.group_roles.items() if value in claimed}
    return next((role for role in _BY_RIGHTS if role in roles), "member")


def role_now(user: User, settings: SignInSettings) -> Role:
    """Return as what somebody who came through the provider may be here now. Raise `NotAllowed`.

    Who is an admin is said by the settings, by name or by a group that they last came with, and only so long; what is
    less, an admin may choose on the page.
    """
    admitted = admitted_role(user.email, settings)
    if admitted == "admin" or user.role != "admin":
        return admitted if admitted == "admin" else user.role
    return claimed_role(user.claimed, settings) or "member"


def is_held(user: User, settings: SignInSettings, tied: Collection[str]) -> bool:
    """Whether somebody who came through the provider would shed what an admin has made of them, were they to come in as
    somebody new: being a guest, or a group, of removed ones too. `tied` are the groups that follow the provider.
    Nothing holds an admin, who comes back as one. Raise `NotAllowed` as `role_now` does.
    """
    if role_now(user, settings) == "admin":
        return False
    is_made_guest = user.role == "guest" and not settings.group_roles
    return is_made_guest or not set(user.groups).issubset(tied)


def of_same_address(email: str, issuer: str, users: Iterable[User]) -> list[User]:
    """Return who came through the provider with this verified address: one person may have several accounts there, by a
    password and by another provider behind it.
    """
    email = _folded(email)
    return [user for user in users if user.issuer == issuer and user.email is not None and _folded(user.email) == email]


def is_plain_email(text: str) -> bool:
    """Whether a text is one address as people have them. What else mail knows (quotes, comments, lists) reaches one
    person here and another there: "a@evil.example,b@example.com" would count for example.com.
    """
    if len(text) > _EMAIL_CHARACTERS or text.count("@") != 1 or not text.isprintable():
        return False
    return not any(letter.isspace() or letter in _NOT_PLAIN for letter in text)


def _is_named(email: str, allowed: Iterable[str]) -> bool:
    if not is_plain_email(email):
        return False
    email = _folded(email)
    name, _, domain = email.partition("@")
    return bool(name and domain) and any(_folded(entry.strip()) in {email, f"@{domain}"} for entry in allowed)


def _folded(text: str) -> str:
    """Return an address for comparison. Outside of ASCII, letters that differ may fold to the same one: left alone."""
    return text.lower() if text.isascii() else text
