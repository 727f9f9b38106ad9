"""Reads and writes daehwa-aws.toml: every choice in one file, each key with what it is for."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import platformdirs

from daehwa.deployment.configuration import DeploymentSettings
from daehwa.settings import SettingsError
from daehwa.settings.source import checked, meant
from daehwa.settings.values import allowed_values, meta_of

FILE_NAME = "daehwa-aws.toml"
HEAD = f"""\
# {FILE_NAME}: daehwa on AWS, as `daehwa deploy` makes it. Flags of that command change this file.
# A line that begins with # is the default. No key belongs in here: `daehwa deploy set-key` asks for it.
"""
_SEPARATED = "separated by commas"


def fields() -> dict[str, msgspec.structs.FieldInfo]:
    """Return every choice by its name."""
    return {field.name: field for field in msgspec.structs.fields(DeploymentSettings)}


def flag_of(name: str) -> str:
    """Return a choice's flag."""
    return "--" + name.replace("_", "-")


class ConfigurationFile:
    """The file of one installation. It need not exist."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def find(cls, named: Path | None) -> "ConfigurationFile":
        """Return the file that is named, else the one in this folder, else the person's own."""
        if named is not None:
            return cls(named.absolute())
        here = Path.cwd() / FILE_NAME
        own = platformdirs.user_config_path("daehwa", appauthor=False) / FILE_NAME
        return cls(here if here.is_file() else own)

    def read(self, flags: Mapping[str, object] | None = None) -> DeploymentSettings:
        """Return the file's choices, with the flags' before them. Raise `SettingsError`."""
        known = fields()
        values: dict[str, Any] = {}
        for name, value in self._tables().items():
            if name not in known:
                raise SettingsError(f"{self.path}: there is no setting '{name}'.{meant(name, list(known))}")
            values[name] = checked(known[name], value, str(self.path))
        for name, flag in (flags or {}).items():
            if flag is None:
                continue
            if flag == "":
                values.pop(name, None)  # an empty flag takes a choice back
            else:
                values[name] = checked(known[name], _listed(known[name], flag), flag_of(name), is_text=True)
        return DeploymentSettings(**values)

    def write(self, settings: DeploymentSettings) -> None:
        """Write the choices, keeping the person's own comments where the file has each key on one line."""
        wanted = msgspec.to_builtins(settings)
        text = self._text()
        edited = _edited(text, wanted) if text else generated(wanted)
        if _read(edited) != wanted:
            edited = generated(wanted)
        if edited == text:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_name(self.path.name + ".new")
        beside.write_text(edited, "utf-8")
        beside.replace(self.path)

    def _text(self) -> str:
        try:
            return self.path.read_text("utf-8-sig")  # some editors begin UTF-8 with a mark
        except FileNotFoundError:
            return ""
        except UnicodeDecodeError:
            raise SettingsError(f"{self.path} is not UTF-8 text. Save it as UTF-8.") from None
        except OSError as error:
            raise SettingsError(f"{self.path} cannot be read: {error.strerror}.") from None

    def _tables(self) -> dict[str, Any]:
        try:
            return tomllib.loads(self._text())
        except tomllib.TOMLDecodeError as error:
            raise SettingsError(f"{self.path} is not valid TOML: {error}.") from None


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What was typed, whichever command it is for: the choices by flag, the file and the profile."""

    flags: dict[str, Any]
    config: Path | None
    profile: str | None

    @property
    def file(self) -> ConfigurationFile:
        """The file that the choices are in."""
        return ConfigurationFile.find(self.config)


def generated(values: Mapping[str, Any]) -> str:
    """Return the file's text for these choices, with every other one as a comment."""
    blocks = [HEAD]
    for name, field in fields().items():
        about = f"# {meta_of(field).description} It is {allowed_values(field)}."
        blocks.append(f"{about}\n{_line(name, values)}\n")
    return "\n".join(blocks)


def _edited(text: str, values: Mapping[str, Any]) -> str:
    for name in fields():
        written = re.compile(rf"^(?:#\s?)?{name}\s*=.*$", re.MULTILINE)
        line = _line(name, values)
        if written.search(text):
            text = written.sub(line.replace("\\", r"\\"), text, count=1)
        elif name in values:
            text += f"{line}\n"
    return text


def _read(text: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None


def _line(name: str, values: Mapping[str, Any]) -> str:
    if name in values:
        return f"{name} = {_toml(values[name])}"
    default = fields()[name].default
    return f"# {name} = {_toml(default) if default is not None else ''}".rstrip()


def _toml(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return msgspec.json.encode(value).decode()  # a text, a whole number or a truth value: JSON's form is TOML's


def _listed(field: msgspec.structs.FieldInfo, flag: object) -> object:
    if isinstance(flag, str) and allowed_values(field).endswith(_SEPARATED):
        return [item.strip() for item in flag.split(",") if item.strip()]
    return flag
