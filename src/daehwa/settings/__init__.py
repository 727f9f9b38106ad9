"""One frozen value that says how this process runs: the only reader of the environment and of daehwa.toml.

A flag comes before an environment variable, that before the file, that before the default. Every wrong setting is a
`SettingsError`: one paragraph that names the place, the fault and what is allowed.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from daehwa.settings.entrances import ConfiguredMail, check_accounts, check_proxies
from daehwa.settings.function import AwsSurroundings, aws_surroundings, check_home
from daehwa.settings.mail import MAIL_SECTION, configured_mail, mail_variables
from daehwa.settings.money import PRICES, PRICES_VARIABLE, configured_money
from daehwa.settings.places import absolute_path, check_cors, checked_public_url
from daehwa.settings.providers import OPENAI_URL, configured_providers, function_provider
from daehwa.settings.routes import ROUTES, ROUTES_VARIABLE, configured_routes
from daehwa.settings.sign_in import SECTION, configured_sign_in, sign_in_variables
from daehwa.settings.source import SettingsFile, checked, meant
from daehwa.settings.telemetry import TelemetrySettings, load_telemetry
from daehwa.settings.values import (
    ConfiguredProvider,
    ConfiguredSignIn,
    LoadedSettings,
    ProviderSettings,
    Secret,
    Settings,
    SettingsError,
)

__all__ = [
    "OPENAI_URL",
    "AwsSurroundings",
    "ConfiguredMail",
    "ConfiguredProvider",
    "ConfiguredSignIn",
    "LoadedSettings",
    "ProviderSettings",
    "Secret",
    "Settings",
    "SettingsError",
    "TelemetrySettings",
    "has_display",
    "is_completing",
    "is_debugging",
    "line_with_extra",
    "load_aws_surroundings",
    "load_settings",
    "load_telemetry",
    "program_name",
]

PREFIX = "DAEHWA_"
_NOT_SETTINGS = ("DAEHWA_CONFIG", "DAEHWA_DEBUG")


def load_settings(
    flags: Mapping[str, object] | None = None,
    *,
    config: Path | None = None,
    environment: Mapping[str, str] | None = None,
    needs_keys: bool = True,
) -> LoadedSettings:
    """Read everything; a flag that is None was not given. Raise `SettingsError`.

    Whoever asks no provider needs no keys: what is missing of them is then a `fault` of the provider, or of signing in.
    """
    env = os.environ if environment is None else environment
    # On AWS there is no file, and looking for one costs a start.
    file = SettingsFile() if env.get(PREFIX + "HOME") == "aws" else SettingsFile.find(config, env)
    values, sources = _values(flags or {}, env, file)
    if env.get(PREFIX + "HOME") == "aws":
        values.setdefault("data_dir", Path())  # nothing is kept in a folder there, and finding one costs a start
    settings = Settings(**values)
    sign_in = configured_sign_in(file, env, needs_keys=needs_keys)
    check_home(settings, sources, sign_in)
    check_accounts(accounts=settings.accounts, home=settings.home)
    check_proxies(settings.trusted_proxies, sources["trusted_proxies"])
    check_cors(settings.cors_origins, sources["cors_origins"])
    url = settings.public_url
    settings = msgspec.structs.replace(
        settings,
        data_dir=_data_dir(settings, sources["data_dir"], file),
        public_url=None if url is None else checked_public_url(url, sources["public_url"]),
    )
    is_local = settings.home == "local"
    if is_local:
        from daehwa.settings.classic import check_classic  # noqa: PLC0415 - each start on AWS pays for imports

        check_classic(settings, sources["classic_folder"])
        providers = configured_providers(file, env, needs_keys=needs_keys)
    else:
        providers = (function_provider(settings, sources["base_url"]),)
    return LoadedSettings(
        values=settings,
        providers=providers,
        sign_in=sign_in,
        mail=configured_mail(file, env, needs_keys=needs_keys),
        money=configured_money(settings, sources, file, env),
        routes=configured_routes(file, env),
        file=file.path,
        sources=sources,
    )


def _data_dir(settings: Settings, place: str, file: SettingsFile) -> Path:
    """Return the data folder; one that the settings file names by a relative path lies beside that file."""
    is_of_file = file.path is not None and place.startswith(str(file.path))
    return absolute_path(settings.data_dir, place, beside=file.path if is_of_file else None)


def _values(
    flags: Mapping[str, object], env: Mapping[str, str], file: SettingsFile
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return what is set, checked, and where each setting comes from."""
    fields = {field.name: field for field in msgspec.structs.fields(Settings)}
    _refuse_unknown(file, env, list(fields))
    values: dict[str, Any] = {}
    sources = dict.fromkeys(fields, "default")
    for name, field in fields.items():
        given = _given(name, flags, env, file)
        if given is not None:
            value, place, is_text = given
            values[name], sources[name] = checked(field, value, place, is_text=is_text), place
    return values, sources


def load_aws_surroundings(environment: Mapping[str, str] | None = None) -> AwsSurroundings:
    """Read what Lambda says of itself. Raise `SettingsError`."""
    return aws_surroundings(os.environ if environment is None else environment)


def is_debugging(environment: Mapping[str, str] | None = None) -> bool:
    """Whether errors are to be shown with their traceback."""
    return bool((os.environ if environment is None else environment).get("DAEHWA_DEBUG"))


def is_completing(environment: Mapping[str, str] | None = None) -> bool:
    """Whether it is a shell that runs this, for what a word may be completed to."""
    return "_DAEHWA_COMPLETE" in (os.environ if environment is None else environment)


def program_name(environment: Mapping[str, str] | None = None) -> str:
    """Return what is to be typed to run this program again: with uv, where `uv run` started it."""
    env = os.environ if environment is None else environment
    return "uv run daehwa" if env.get("UV") and env.get("UV_RUN_RECURSION_DEPTH") else "daehwa"


def line_with_extra(extra: str, typed: str = "daehwa", environment: Mapping[str, str] | None = None) -> str:
    """Return what is to be typed where an extra's packages are missing: `typed` by uv, or how pip installs it.

    The package is on no registry, so pip takes it from the folder that it was cloned into.
    """
    if program_name(environment).startswith("uv "):
        return f"uv run --extra {extra} {typed.removeprefix('uv run ')}"
    return f"pip install '.[{extra}]' (in daehwa's folder)"


def has_display(environment: Mapping[str, str] | None = None) -> bool:
    """Whether a browser opened here would be seen by the person: not over SSH, not on a machine without a screen."""
    env = os.environ if environment is None else environment
    if env.get("SSH_CONNECTION") or env.get("SSH_TTY") or env.get("CI"):
        return False
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(env.get("DISPLAY") or env.get("WAYLAND_DISPLAY"))


def _given(
    name: str, flags: Mapping[str, object], env: Mapping[str, str], file: SettingsFile
) -> tuple[object, str, bool] | None:
    """Return a setting's value, the place it comes from, and whether it is a text to be read as its type."""
    if (flag := flags.get(name)) is not None:
        return str(flag) if isinstance(flag, Path) else flag, "--" + name.replace("_", "-"), True
    if env.get(PREFIX + name.upper()):
        return env[PREFIX + name.upper()], PREFIX + name.upper(), True
    if name in file.values:
        return file.values[name], file.place(name), False
    return None


def _refuse_unknown(file: SettingsFile, env: Mapping[str, str], known: list[str]) -> None:
    keys = [*known, "providers", PRICES, ROUTES, SECTION, MAIL_SECTION]
    for key in file.values:
        if key not in keys:
            raise SettingsError(f"{file.place(key)}: there is no setting '{key}'.{meant(key, keys)}")
    tables = (PRICES_VARIABLE, ROUTES_VARIABLE)
    own = (PREFIX + name.upper() for name in known)
    variables = [*own, *tables, *sign_in_variables(), *mail_variables(), *_NOT_SETTINGS]
    for variable in env:
        if variable.startswith(PREFIX) and variable not in variables:
            raise SettingsError(
                f"The environment variable {variable} is not a setting of daehwa.{meant(variable, variables)} "
                "Unset it, or correct its name."
            )
