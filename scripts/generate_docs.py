"""Writes the generated parts of docs/settings.md and docs/cli.md; `--check` only says which are stale.

A generated part stands between two comments, `<!-- generated: NAME -->` and `<!-- end -->`.
"""

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click
import msgspec

from daehwa.cli import cli
from daehwa.cli.deploy import deploy
from daehwa.providers.listing import PREFERRED
from daehwa.settings import PREFIX, ProviderSettings, Settings
from daehwa.settings.sign_in import VARIABLES
from daehwa.settings.values import SignInTable, allowed_values, meta_of

ROOT = Path(__file__).resolve().parents[1]
PART = re.compile(r"(<!-- generated: (?P<name>[a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def settings_table() -> str:
    """Return the top-level settings as a table."""
    rows = [
        (
            f"`{field.name}`",
            f"`{PREFIX}{field.name.upper()}`",
            _default(field),
            allowed_values(field),
            _description(field),
        )
        for field in msgspec.structs.fields(Settings)
    ]
    return _table(("in daehwa.toml", "environment", "default", "allowed", "what it does"), rows)


def providers_table() -> str:
    """Return the settings of a provider as a table."""
    rows = [
        (f"`{field.name}`", _default(field), allowed_values(field), _description(field))
        for field in msgspec.structs.fields(ProviderSettings)
    ]
    return _table(("in `[[providers]]`", "default", "allowed", "what it does"), rows)


def sign_in_table() -> str:
    """Return the settings of signing in as a table."""
    rows = [
        (f"`{field.name}`", f"`{VARIABLES}{field.name.upper()}`", allowed_values(field), _description(field))
        for field in msgspec.structs.fields(SignInTable)
    ]
    return _table(("in `[sign_in]`", "environment", "allowed", "what it does"), rows)


def preferred_models() -> str:
    """Return the models that are the default where they are served, as one line."""
    return ", ".join(f"`{name}`" for name in PREFERRED) + "\n"


def commands() -> str:
    """Return `--help` of the program and of each command."""
    pages: list[tuple[str, click.Command]] = [("daehwa", cli)]
    pages += [(f"daehwa {name}", command) for name, command in cli.commands.items() if name != deploy.name]
    # The program imports it only when it is called.
    pages += [("daehwa deploy", deploy), *((f"daehwa deploy {name}", below) for name, below in deploy.commands.items())]
    return "\n\n".join(f"## `{name} --help`\n\n```text\n{_help(name, command)}\n```" for name, command in pages) + "\n"


PARTS: dict[str, Callable[[], str]] = {
    "settings": settings_table,
    "providers": providers_table,
    "sign-in": sign_in_table,
    "preferred-models": preferred_models,
    "commands": commands,
}
PAGES = ("docs/settings.md", "docs/cli.md")


def generated(text: str) -> str:
    """Return a page with its generated parts made anew."""
    return PART.sub(lambda found: found[1] + "\n" + PARTS[found["name"]]() + "\n" + found[3], text)


def stale_pages() -> list[str]:
    """Return the pages that are not as they should be."""
    return [page for page in PAGES if (text := (ROOT / page).read_text("utf-8")) != generated(text)]


def _help(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=name, terminal_width=100, max_content_width=100)
    return command.get_help(context).rstrip()


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.name == "data_dir":
        return "the platform's data folder"
    if field.required:
        return "must be given"
    value: Any = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
    shown = {True: "true", False: "false"}.get(value, value) if isinstance(value, bool) else value
    return f"`{shown}`" if shown not in (None, (), {}) else "none"


def _description(field: msgspec.structs.FieldInfo) -> str:
    return meta_of(field).description or ""


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


def main() -> int:
    """Write the pages, or with `--check` name the stale ones."""
    stale = stale_pages()
    for page in stale:
        if "--check" not in sys.argv:
            (ROOT / page).write_text(generated((ROOT / page).read_text("utf-8")), "utf-8")
        print(f"{'stale' if '--check' in sys.argv else 'written'}: {page}")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
