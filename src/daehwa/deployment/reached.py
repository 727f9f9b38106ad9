"""Which modules of a package a command can reach: what it imports at once or later, as the sources say, and so on."""

import ast
from collections.abc import Iterator
from pathlib import Path


def reached_modules(package: Path, command: str) -> set[Path]:
    """Return the files of those modules, the command's own among them, from the package's folder on."""
    reached: set[Path] = set()
    waiting = [command]
    while waiting:
        name = waiting.pop()
        file = _file(package, name)
        if file is None or file in reached:
            continue
        reached.add(file)
        waiting += _imported((package / file).read_text("utf-8"))
        waiting += _around(name)
    return reached


def _file(package: Path, name: str) -> Path | None:
    """Return a module's file; None where the name is another package's, or no module's."""
    top, *inside = name.split(".")
    if top != package.name:
        return None
    places = (Path(*inside, "__init__.py"), Path(*inside).with_suffix(".py") if inside else Path("__init__.py"))
    return next((place for place in places if (package / place).is_file()), None)


def _imported(source: str) -> Iterator[str]:
    """Yield what is imported anywhere in a source, in its functions too; of `from a import b` both a and a.b."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _around(name: str) -> Iterator[str]:
    """Yield the packages that a module is in: they are imported before it."""
    while "." in name:
        name = name.rpartition(".")[0]
        yield name
