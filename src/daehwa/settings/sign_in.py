"""Signing in, as it is configured: the table `[sign_in]` and the variables DAEHWA_SIGN_IN_*."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

import msgspec

from daehwa.settings.described import Secret, SettingsError
from daehwa.settings.entrances import ConfiguredSignIn, SignInTable
from daehwa.settings.source import SettingsFile, checked, meant

SECTION = "sign_in"
VARIABLES = "DAEHWA_SIGN_IN_"
GroupRole: TypeAlias = Literal["admin", "member", "guest"]
_ROLES: tuple[GroupRole, ...] = ("admin", "member", "guest")
_EVERYBODY = "*"
_PERSON_OR_DOMAIN = r"""[^\s@*,;:<>()\[\]"\\]*@[^\s@*,;:<>()\[\]"\\]+"""
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def sign_in_variables() -> list[str]:
    """Return the names of the variables that are read here."""
    return [VARIABLES + field.name.upper() for field in msgspec.structs.fields(SignInTable)]


def configured_sign_in(
    file: SettingsFile, env: Mapping[str, str], *, needs_keys: bool = True
) -> ConfiguredSignIn | None:
    """Return how people sign in, None where they need not. Raise `SettingsError`."""
    table, places = _table(file, env)
    if not places:
        return None
    where = next(iter(places.values()))
    if not (table.issuer and table.client_id):
        missing = "client_id" if table.issuer else "issuer"
        raise SettingsError(
            f"{where}: signing in also needs {missing}. Add it to [sign_in], or as {VARIABLES}{missing.upper()}."
        )
    if not (table.allowed_emails or table.admin_emails):
        raise SettingsError(
            f"{where}: nobody may sign in. Name people in admin_emails or allowed_emails of [sign_in], or as "
            f"{VARIABLES}ADMIN_EMAILS."
        )
    _check_issuer(table.issuer, places["issuer"])
    for name, entries in (("allowed_emails", table.allowed_emails), ("admin_emails", table.admin_emails)):
        _check_emails(name, entries, places.get(name, where))
    secret = _secret(table.client_secret_env, env)
    fault = None
    if table.client_secret_env is not None and secret is None:
        fault = _missing_secret(table.client_secret_env, places["client_secret_env"])
        if needs_keys:
            raise SettingsError(fault)
    return ConfiguredSignIn(
        issuer=table.issuer,
        client_id=table.client_id,
        secret=secret,
        secret_parameter=table.secret_parameter,
        allowed_emails=table.allowed_emails,
        admin_emails=table.admin_emails,
        logout_url=table.logout_url,
        name=table.name,
        group_claim=table.group_claim,
        group_roles=_group_roles(table, places),
        fault=fault,
    )


def _table(file: SettingsFile, env: Mapping[str, str]) -> tuple[SignInTable, dict[str, str]]:
    """Return the table and where each of its values comes from."""
    section = file.values.get(SECTION, {})
    if not isinstance(section, dict):
        raise SettingsError(f"{file.place(SECTION)}: write sign_in as a table that begins with [sign_in].")
    fields = {field.name: field for field in msgspec.structs.fields(SignInTable)}
    for key in section:
        if key == "client_secret":
            raise SettingsError(
                f"{file.place(key, SECTION)}: a secret does not belong in the file. Put it into an environment "
                'variable and name that here: client_secret_env = "MY_SECRET".'
            )
        if key not in fields:
            raise SettingsError(
                f"{file.place(key, SECTION)}: [sign_in] has no setting '{key}'.{meant(key, list(fields))}"
            )
    values: dict[str, Any] = {}
    places: dict[str, str] = {}
    for name, field in fields.items():
        variable = VARIABLES + name.upper()
        if env.get(variable):
            places[name] = variable
            values[name] = checked(field, env[variable], variable, is_text=True)
        elif name in section:
            places[name] = file.place(name, SECTION)
            values[name] = checked(field, section[name], places[name])
    return SignInTable(**values), places


def _group_roles(table: SignInTable, places: Mapping[str, str]) -> tuple[tuple[str, GroupRole], ...]:
    """Return which values of the claim give which role; a value may have spaces, the role is the last word."""
    found: list[tuple[str, GroupRole]] = []
    for entry in table.group_roles:
        value, _, role = entry.strip().rpartition(" ")
        role_given = next((each for each in _ROLES if each == role), None)
        if not value.strip() or role_given is None:
            raise SettingsError(
                f'{places["group_roles"]}: group_roles has "{entry}", which is not allowed. Write a value of the '
                'claim and then admin, member or guest, such as "chat-admins admin".'
            )
        found.append((value.strip(), role_given))
    if found and table.group_claim is None:
        raise SettingsError(
            f"{places['group_roles']}: group_roles also needs group_claim, the name of the claim that lists the groups."
        )
    return tuple(found)


def _check_issuer(issuer: str, place: str) -> None:
    try:
        parts = urlsplit(issuer)
        is_safe = bool(parts.hostname) and (parts.scheme == "https" or parts.hostname in _LOOPBACK)
    except ValueError:
        is_safe = False
    if not is_safe or not issuer.startswith(("https://", "http://")):
        raise SettingsError(
            f'{place}: issuer is "{issuer}", which is not allowed. It is an https:// address, as the provider\'s '
            "documentation names it; plain http:// works on this machine only."
        )


def _check_emails(name: str, entries: Iterable[str], place: str) -> None:
    """Refuse what would let nobody in although it looks as if it did."""
    for entry in entries:
        if entry == _EVERYBODY and name == "allowed_emails":
            continue
        if not re.fullmatch(_PERSON_OR_DOMAIN, entry.strip()):
            everybody = ", or *" if name == "allowed_emails" else ""
            raise SettingsError(
                f'{place}: {name} has "{entry}", which lets nobody in. Write an e-mail address (mina@example.com) or a '
                f"domain (@example.com){everybody}."
            )


def _secret(variable: str | None, env: Mapping[str, str]) -> Secret | None:
    secret = "" if variable is None else env.get(variable, "").strip()
    return Secret(secret) if secret else None


def _missing_secret(variable: str, place: str) -> str:
    return (
        f"{place}: the client's secret is taken from the environment variable {variable}, which is not set. Set it "
        f"(export {variable}=…), or take this line out."
    )
