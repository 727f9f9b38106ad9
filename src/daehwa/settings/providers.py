"""Which providers there are: the file's, that of OPENAI_API_KEY and OPENAI_BASE_URL, else the embedded model."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from daehwa.settings.places import absolute_path
from daehwa.settings.source import SettingsFile, checked, meant
from daehwa.settings.values import ConfiguredProvider, ProviderSettings, Secret, Settings, SettingsError

OPENAI = "openai"
OPENAI_URL = "https://api.openai.com/v1"
KEY_VARIABLE = "OPENAI_API_KEY"
URL_VARIABLE = "OPENAI_BASE_URL"
EMBEDDED = "embedded"
_HEADER = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_KEY_HEADERS = ("authorization", "proxy-authorization", "api-key", "x-api-key", "cookie")
_VISIBLE_ASCII = r"[\x21-\x7e]+"
_LOOKS_LIKE_A_KEY = r"(sk-|gsk_|AIza|Bearer ).{8,}|.*[A-Za-z0-9_-]{32,}"


def configured_providers(
    file: SettingsFile, env: Mapping[str, str], *, needs_keys: bool = True
) -> tuple[ConfiguredProvider, ...]:
    """Return the file's providers in its order, before them the environment's; without any, the embedded model."""
    providers = _file_providers(file, env)
    if needs_keys and (fault := next((provider.fault for provider in providers if provider.fault), None)):
        raise SettingsError(fault)
    names = {provider.name for provider in providers}
    if OPENAI not in names and (env.get(KEY_VARIABLE) or env.get(URL_VARIABLE)):
        source = KEY_VARIABLE if env.get(KEY_VARIABLE) else URL_VARIABLE
        providers.insert(0, _with_address(ProviderSettings(name=OPENAI), source, env))
    if not providers:
        embedded = ProviderSettings(name=EMBEDDED, kind="embedded", titles=False)
        providers.append(ConfiguredProvider(settings=embedded, source="default"))
    return tuple(providers)


def function_provider(settings: Settings, source: str) -> ConfiguredProvider:
    """Return the one upstream of the home on AWS; its key is read from a parameter, later."""
    return ConfiguredProvider(
        settings=ProviderSettings(name=OPENAI, models=settings.models),
        base_url=_checked_url(settings.base_url or OPENAI_URL, source),
        source=source,
    )


def _file_providers(file: SettingsFile, env: Mapping[str, str]) -> list[ConfiguredProvider]:
    tables = file.values.get("providers", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise SettingsError(
            f"{file.place('providers')}: write each provider as a table that begins with [[providers]]."
        )
    providers: list[ConfiguredProvider] = []
    for number, table in enumerate(tables):
        settings = _decoded(file, number, table)
        if settings.name in {provider.name for provider in providers}:
            raise SettingsError(
                f"{file.place('name', number)}: there are two providers named '{settings.name}'. Rename one of them."
            )
        providers.append(_completed(settings, file, number, env))
    return providers


def _decoded(file: SettingsFile, number: int, table: dict[str, Any]) -> ProviderSettings:
    fields = {field.name: field for field in msgspec.structs.fields(ProviderSettings)}
    for key in table:
        if key == "api_key":
            raise SettingsError(
                f"{file.place(key, number)}: a key does not belong in the file. Put it into an environment variable "
                'and name that here: api_key_env = "MY_KEY".'
            )
        if key not in fields:
            raise SettingsError(
                f"{file.place(key, number)}: a provider has no setting '{key}'.{meant(key, list(fields))}"
            )
    values = {key: checked(fields[key], value, file.place(key, number)) for key, value in table.items()}
    if "name" not in values:
        raise SettingsError(
            f'{file.table_place(number)}: this provider has no name. Add one, for example name = "work"; its models '
            "are then called work/…"
        )
    return ProviderSettings(**values)


def _completed(
    settings: ProviderSettings, file: SettingsFile, number: int, env: Mapping[str, str]
) -> ConfiguredProvider:
    if settings.kind == "embedded":
        return _embedded(settings, file, number)
    if settings.base_url is None and settings.name != OPENAI:
        raise SettingsError(
            f"{file.table_place(number)}: the provider '{settings.name}' has no address. Add "
            'base_url = "https://…/v1", the part before /chat/completions.'
        )
    if settings.gguf is not None:
        raise SettingsError(
            f"{file.place('gguf', number)}: a model file needs kind = \"embedded\"; '{settings.name}' is a server."
        )
    settings = msgspec.structs.replace(settings, ca_file=_found(settings.ca_file, "ca_file", file, number))
    provider = _with_address(settings, file.place("base_url", number), env)
    provider = msgspec.structs.replace(provider, source=file.table_place(number))
    try:
        if settings.api_key_env is not None and provider.key is None:
            raise _missing_key(settings.api_key_env, file.place("api_key_env", number), settings.name)
        place = file.place("headers", number)
        headers = tuple(_header(name, text, place, env) for name, text in settings.headers.items())
    except SettingsError as error:
        # Whoever needs no key goes on without this one.
        return msgspec.structs.replace(provider, fault=str(error))
    return msgspec.structs.replace(provider, headers=headers)


def _embedded(settings: ProviderSettings, file: SettingsFile, number: int) -> ConfiguredProvider:
    for key in ("base_url", "api_key_env", "models", "headers", "completion_models", "max_concurrent"):
        if getattr(settings, key):
            raise SettingsError(
                f"{file.place(key, number)}: an embedded provider has no {key}; its model is a file on this machine. "
                "Take this line out."
            )
    completed = msgspec.structs.replace(settings, gguf=_found(settings.gguf, "gguf", file, number))
    return ConfiguredProvider(settings=completed, source=file.table_place(number))


def _found(path: Path | None, key: str, file: SettingsFile, number: int) -> Path | None:
    """Return a path in the settings file as an absolute one; relative ones begin at that file's folder."""
    if path is None:
        return None
    found = absolute_path(path, file.place(key, number), beside=file.path)
    if not found.is_file():
        raise SettingsError(
            f"{file.place(key, number)}: there is no file {found}. Give its path, absolute or as seen from this "
            "settings file."
        )
    return found


def _with_address(settings: ProviderSettings, source: str, env: Mapping[str, str]) -> ConfiguredProvider:
    is_openai = settings.name == OPENAI
    url, url_source = settings.base_url, source
    if url is None:
        url, url_source = env.get(URL_VARIABLE) or OPENAI_URL, URL_VARIABLE
    key_name = settings.api_key_env or (KEY_VARIABLE if is_openai and env.get(KEY_VARIABLE) else None)
    return ConfiguredProvider(
        settings=settings,
        base_url=_checked_url(url, url_source),
        key=_secret(env[key_name], key_name) if key_name is not None and env.get(key_name) else None,
        key_source=key_name,
        source=source,
    )


def _missing_key(variable: str, place: str, provider: str) -> SettingsError:
    if re.fullmatch(_LOOKS_LIKE_A_KEY, variable):
        return SettingsError(
            f"{place}: api_key_env is the name of an environment variable, and this looks like a key itself. Put the "
            "key into a variable, take it out of the file, and write the variable's name here."
        )
    return SettingsError(
        f"{place}: the provider '{provider}' takes its key from the environment variable {variable}, which is not set. "
        f"Set it (export {variable}=…), or take the provider out of the file."
    )


def _checked_url(url: str, place: str) -> str:
    try:
        parts = urlsplit(url.strip())
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        parts, is_usable = urlsplit(""), False
    if not is_usable:
        shown = "given" if "@" in url else f'"{url}"'  # a password may stand before an @
        raise SettingsError(
            f"{place}: the address {shown} cannot be used. It is http:// or https://, a host and the path before "
            "/chat/completions, for example http://localhost:11434/v1."
        )
    if parts.username or parts.password or parts.fragment:
        raise SettingsError(
            f"{place}: the address has a user name, a password or a # in it. Leave these out; a key goes into the "
            "variable that api_key_env names."
        )
    path = parts.path.rstrip("/").removesuffix("/chat/completions")
    return parts._replace(path=path).geturl()


def _secret(text: str, variable: str) -> Secret:
    text = text.strip()
    if not re.fullmatch(_VISIBLE_ASCII, text):
        raise SettingsError(
            f"{variable} cannot be a key: it has a space, a line break or a letter outside ASCII in it. Copy the key "
            "again, without anything around it."
        )
    return Secret(text)


def _header(name: str, text: str, place: str, env: Mapping[str, str]) -> tuple[str, Secret]:
    if not re.fullmatch(_HEADER, name):
        raise SettingsError(f'{place}: "{name}" cannot be the name of a header.')
    if text.startswith("$"):
        variable = text[1:]
        if not env.get(variable):
            raise SettingsError(
                f"{place}: the header {name} takes its text from the environment variable {variable}, which is not set."
            )
        text = env[variable].strip()
    elif name.lower() in _KEY_HEADERS:
        raise SettingsError(
            f"{place}: the header {name} holds a key, and a key does not belong in the file. Put it into a "
            f'variable of the environment and write "$ITS_NAME" here.'
        )
    if not text.isprintable():
        raise SettingsError(f"{place}: the header {name} has a line break or another control character in it.")
    return name, Secret(text)
