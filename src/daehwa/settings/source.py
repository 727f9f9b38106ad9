"""Where settings come from: daehwa.toml, environment variables and flags, and how one value of them is checked."""

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import msgspec

from daehwa.settings.values import YES_NO, SettingsError, allowed_values

FILE_NAME = "daehwa.toml"
# Compiled where a place is looked for, which is seldom: each start would pay for it.
_TABLE = r"\s*\[\[\s*([\w-]+)\s*\]\]"
_SECTION = r"\s*\[\s*([\w-]+)\s*\]"
_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


class SettingsFile:
    """daehwa.toml as read: its tables, and where in it a key stands."""

    def __init__(self, path: Path | None = None, text: str = "") -> None:
        self.path = path
        self.values: dict[str, Any] = {}
        self._lines = text.splitlines()
        if path is None:
            return
        import tomllib  # noqa: PLC0415 - on AWS there is no file, and each start pays for imports

        try:
            self.values = tomllib.loads(text)
        except ValueError as error:  # a number without end is one, too
            raise SettingsError(f"{path} is not valid TOML: {error}.") from None
        except RecursionError:
            raise SettingsError(f"{path} is nested too deeply to be read.") from None

    @classmethod
    def find(cls, named: Path | None, environment: Mapping[str, str]) -> Self:
        """Read the file named by a flag or DAEHWA_CONFIG, else the one here, else the user's, else none."""
        by, path = "--config", named
        if path is None and environment.get("DAEHWA_CONFIG"):
            by, path = "DAEHWA_CONFIG", Path(environment["DAEHWA_CONFIG"])
        if path is None:
            import platformdirs  # noqa: PLC0415 - see above

            places = (Path.cwd(), platformdirs.user_config_path("daehwa", appauthor=False))
            path = next((place / FILE_NAME for place in places if (place / FILE_NAME).is_file()), None)
            if path is None:
                return cls()
        try:
            return cls(path.absolute(), path.read_text("utf-8-sig"))  # some editors begin UTF-8 with a mark
        except OSError as error:
            raise SettingsError(
                f"The settings file {path} cannot be read: {error.strerror}. {by} names it; give the path of a file "
                "that can be read, or leave it out."
            ) from None
        except UnicodeDecodeError:
            raise SettingsError(f"The settings file {path} is not UTF-8 text. Save it as UTF-8.") from None

    def place(self, key: str, table: int | str | None = None, *, of: str = "providers") -> str:
        """Say where a key stands: at the top, in the numbered table `[[of]]`, or in the section of a name."""
        wanted = (of, table) if isinstance(table, int) else table
        current: tuple[str, int] | str | None = None
        tables: Counter[str] = Counter()
        written = re.compile(rf"""\s*["']?{re.escape(key)}["']?\s*[=.]|\s*\[+\s*({of}\.)?{re.escape(key)}\b""")
        for number, line in enumerate(self._lines, 1):
            if current == wanted and written.match(line):
                return f"{self.path}, line {number}"
            if (begins := re.match(_TABLE, line)) is not None:
                current = (begins[1], tables[begins[1]])
                tables[begins[1]] += 1
            elif (section := re.match(_SECTION, line)) is not None:
                current = section[1]
            if current == wanted and written.match(line):
                return f"{self.path}, line {number}"
        return self.table_place(table, of=of) if isinstance(table, int) else str(self.path)

    def table_place(self, table: int, *, of: str = "providers") -> str:
        """Say where the numbered table `[[of]]` begins."""
        begun = ((number, re.match(_TABLE, line)) for number, line in enumerate(self._lines, 1))
        starts = [number for number, begins in begun if begins is not None and begins[1] == of]
        return f"{self.path}, line {starts[table]}" if table < len(starts) else str(self.path)


def checked(field: msgspec.structs.FieldInfo, value: object, place: str, *, is_text: bool = False) -> Any:
    """Return a value as the type its field has; a text from outside is read as that type first."""
    if is_text and isinstance(value, str):
        value = _from_text(field, value)
    try:
        return msgspec.convert(value, field.type, strict=not is_text, dec_hook=_decode)
    except msgspec.ValidationError:
        raise SettingsError(
            f"{place}: {field.name} is {_shown(value)}, which is not allowed. It is {allowed_values(field)}."
        ) from None


def _from_text(field: msgspec.structs.FieldInfo, text: str) -> object:
    allowed = allowed_values(field)
    if allowed == YES_NO:
        return _WORDS.get(text.strip().lower(), text)
    if allowed.startswith("a list"):
        return [item.strip() for item in text.split(",") if item.strip()]
    return text


def _decode(wanted: type, value: object) -> object:
    if wanted is Path and isinstance(value, str) and value:
        return Path(value)
    raise ValueError(value)


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "a table with something else in it"  # which may be a key
    return f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else repr(value)


def meant(name: str, known: list[str]) -> str:
    """Say which of the known names a wrong one is near to."""
    import difflib  # noqa: PLC0415 - see above

    near = difflib.get_close_matches(name, known, 1)
    return f" Did you mean '{near[0]}'?" if near else f" There are: {', '.join(known)}."
