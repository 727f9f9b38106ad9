"""What can be set of how people sign in, and of the server that mails them links: frozen values."""

from collections.abc import Iterable
from typing import Annotated, Literal

import msgspec

from daehwa.settings.described import Secret, SettingsError, described


class SignInTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The `[sign_in]` table: an OpenID Connect provider. Each field is a variable DAEHWA_SIGN_IN_<FIELD> too."""

    issuer: Annotated[
        str | None,
        described(
            "an https:// address",
            "The provider's address, exactly as its discovery document says it. With it, everybody has to sign in.",
        ),
    ] = None
    client_id: Annotated[str | None, described("a text", "This program's client id at the provider.")] = None
    client_secret_env: Annotated[
        str | None,
        described(
            "the name of an environment variable",
            "The environment variable that holds the client's secret, where the provider gave one.",
        ),
    ] = None
    secret_parameter: Annotated[
        str | None, described("the name of an SSM parameter", "On AWS only: where the client's secret is kept.")
    ] = None
    allowed_emails: Annotated[
        tuple[str, ...],
        described(
            "a list of e-mail addresses and @domains, or *",
            "Who may sign in. `*`: everybody whom the provider lets in.",
        ),
    ] = ()
    admin_emails: Annotated[
        tuple[str, ...], described("a list of e-mail addresses", "Who may sign in, and is an admin.")
    ] = ()
    logout_url: Annotated[
        str | None,
        described("an https:// address", "Where the provider ends its own session, where it does not announce that."),
    ] = None
    name: Annotated[
        Annotated[str, msgspec.Meta(max_length=60)] | None,
        described("a text of 60 characters at most", "What the page calls the provider, where there are other doors."),
    ] = None
    group_claim: Annotated[
        str | None,
        described(
            "the name of a claim, such as groups",
            "The claim that lists somebody's groups. Groups made on the page that name one of its values have those "
            "people in them, brought up to date at each sign-in.",
        ),
    ] = None
    group_roles: Annotated[
        tuple[str, ...],
        described(
            'a list of texts such as "chat-admins admin"',
            "Values of that claim and the role they give: `admin`, `member` or `guest`; the most of several, and "
            "`member` without any. Left out: whoever is in admin_emails is an admin, others are what the page says.",
        ),
    ] = ()


class ConfiguredSignIn(msgspec.Struct, frozen=True, kw_only=True):
    """Signing in, with what must be there found. `secret` is the client's, or `secret_parameter` where it is kept.
    `fault` is as a provider's.
    """

    issuer: str
    client_id: str
    secret: Secret | None = None
    secret_parameter: str | None = None
    allowed_emails: tuple[str, ...] = ()
    admin_emails: tuple[str, ...] = ()
    logout_url: str | None = None
    name: str | None = None
    group_claim: str | None = None
    group_roles: tuple[tuple[str, Literal["admin", "member", "guest"]], ...] = ()
    fault: str | None = None


class MailTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The `[smtp]` table: the server by which links for new passwords are mailed. Each field is a variable
    DAEHWA_SMTP_<FIELD> too.
    """

    url: Annotated[
        str | None,
        described(
            "an address such as smtp://user@mail.example.com:587 or smtps://user@mail.example.com",
            "The mail server. `smtp://` is encrypted by STARTTLS, which it must offer unless it is on this machine; "
            "`smtps://` from the beginning. In the variable the password may stand in it: `smtp://user:password@…`, "
            "with special characters as `%40`.",
        ),
    ] = None
    sender: Annotated[
        str | None,
        described("an e-mail address", "Whose mails these are. Left out: the user, where that is an address."),
    ] = None
    password_env: Annotated[
        str | None,
        described("the name of an environment variable", "The environment variable that holds the user's password."),
    ] = None


class ConfiguredMail(msgspec.Struct, frozen=True, kw_only=True):
    """A mail server, with what must be there found. `is_tls`: encrypted from the first byte, else by STARTTLS."""

    host: str
    port: int
    sender: str
    is_tls: bool = False
    user: str | None = None
    password: Secret | None = None


def check_accounts(*, accounts: bool, home: str) -> None:
    """Raise `SettingsError` where accounts of its own are asked of the function on AWS."""
    if accounts and home == "aws":
        raise SettingsError("DAEHWA_ACCOUNTS: on AWS the identity provider has people's accounts. Take it out.")


def check_proxies(proxies: Iterable[str], place: str) -> None:
    """Raise `SettingsError` where what is trusted is neither an address nor a network."""
    for proxy in proxies:
        import ipaddress  # noqa: PLC0415 - where no proxy is trusted, no start pays for it

        try:
            ipaddress.ip_network(proxy, strict=False)
        except ValueError:
            raise SettingsError(
                f'{place}: trusted_proxies has "{proxy}", which is not allowed. It is an IP address such as 127.0.0.1 '
                "or a network such as 10.0.0.0/8."
            ) from None
