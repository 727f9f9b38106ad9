"""The mail server, as it is configured: the table `[smtp]` and the variables DAEHWA_SMTP_*."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec

from daehwa.settings.described import Secret, SettingsError
from daehwa.settings.entrances import ConfiguredMail, MailTable
from daehwa.settings.source import SettingsFile, checked, meant

MAIL_SECTION = "smtp"
VARIABLES = "DAEHWA_SMTP_"
_PORTS = {"smtp": 587, "smtps": 465}


def mail_variables() -> list[str]:
    """Return the names of the variables that are read here."""
    return [VARIABLES + field.name.upper() for field in msgspec.structs.fields(MailTable)]


def configured_mail(file: SettingsFile, env: Mapping[str, str], *, needs_keys: bool = True) -> ConfiguredMail | None:
    """Return the mail server, None where there is none. Raise `SettingsError`."""
    table, places = _table(file, env)
    if not places:
        return None
    where = next(iter(places.values()))
    if table.url is None:
        raise SettingsError(f"{where}: sending mail also needs url. Add it to [smtp], or as {VARIABLES}URL.")
    found = _address(table.url, places["url"])
    user = unquote(found.username) if found.username else None
    sender = table.sender or (user if user is not None and "@" in user else None)
    if sender is None or sender.count("@") != 1 or not sender.isprintable() or set(sender) & set(' ,;:<>()"\\'):
        raise SettingsError(
            f"{places.get('sender', where)}: mails need a sender, an address such as daehwa@example.com. Set sender in "
            f"[smtp], or {VARIABLES}SENDER."
        )
    return ConfiguredMail(
        host=found.hostname or "",
        port=found.port or _PORTS[found.scheme],
        sender=sender,
        is_tls=found.scheme == "smtps",
        user=user,
        password=_password(table, found.password, places, env) if needs_keys else None,
    )


def _table(file: SettingsFile, env: Mapping[str, str]) -> tuple[MailTable, dict[str, str]]:
    section = file.values.get(MAIL_SECTION, {})
    if not isinstance(section, dict):
        raise SettingsError(f"{file.place(MAIL_SECTION)}: write smtp as a table that begins with [smtp].")
    fields = {field.name: field for field in msgspec.structs.fields(MailTable)}
    for key in section:
        if key not in fields:
            raise SettingsError(
                f"{file.place(key, MAIL_SECTION)}: [smtp] has no setting '{key}'.{meant(key, list(fields))}"
            )
    values: dict[str, Any] = {}
    places: dict[str, str] = {}
    for name, field in fields.items():
        variable = VARIABLES + name.upper()
        if env.get(variable):
            places[name] = variable
            values[name] = checked(field, env[variable], variable, is_text=True)
        elif name in section:
            places[name] = file.place(name, MAIL_SECTION)
            values[name] = checked(field, section[name], places[name])
            if name == "url" and _address(values[name], places[name]).password:
                raise SettingsError(
                    f"{places[name]}: a password does not belong in the file. Put it into an environment variable and "
                    'name that here: password_env = "MY_PASSWORD".'
                )
    return MailTable(**values), places


def _address(url: str, place: str) -> SplitResult:
    try:
        found = urlsplit(url)
        is_right = found.scheme in _PORTS and bool(found.hostname) and found.path in {"", "/"} and not found.query
        _ = found.port
    except ValueError:
        is_right = False
    if not is_right:
        # What is wrong with it is not shown: a password may stand in it.
        raise SettingsError(
            f"{place}: this is no address of a mail server. It is one such as smtp://user@mail.example.com:587, or "
            "smtps://… for one that is encrypted from the beginning."
        )
    return urlsplit(url)


def _password(table: MailTable, given: str | None, places: Mapping[str, str], env: Mapping[str, str]) -> Secret | None:
    if given:
        return Secret(unquote(given))
    if table.password_env is None:
        return None
    if not env.get(table.password_env):
        raise SettingsError(
            f"{places['password_env']}: the mail server's password is taken from the environment variable "
            f"{table.password_env}, which is not set. Set it (export {table.password_env}=…), or take this line out."
        )
    return Secret(env[table.password_env])
