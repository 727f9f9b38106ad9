"""The generated part of docs/api.md, from the table of operations. Run it to write the file anew:

PYTHONPATH=tests python tests/server/api_reference.py
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from books import some_books
from cores import Core
from gateway.bed import Bed

from daehwa.accounts.erasure import Erasure
from daehwa.conversation.errors import DaehwaError
from daehwa.server.app import App, create_app
from daehwa.server.entrances import Entrances
from daehwa.server.errors import status_of
from daehwa.server.openapi import EVENTS, document, errors_of
from daehwa.server.options import ServerOptions
from daehwa.server.routing import Operation
from daehwa.sign_in.local_accounts import LocalAccounts
from daehwa.stores.memory_people import memory_people

DOCUMENT = Path(__file__).parents[2] / "docs" / "api.md"
BEGIN, END = "<!-- generated from the route table: begin -->", "<!-- generated from the route table: end -->"


def whole_app() -> App:
    """Return the application with all that it can have."""
    core = Core()
    options = ServerOptions(version="0")
    programs = Bed().programs(folder=Path())
    people = memory_people()
    entrances = Entrances(None, LocalAccounts(people, "https://chat.example"), people, Erasure(people, ()))
    return create_app(core, books=some_books(), options=options, entrances=entrances, programs=programs)


def operations() -> tuple[Operation, ...]:
    """Return its table."""
    return whole_app().operations


def reference() -> str:
    """Return the generated part."""
    table = operations()
    schemas = document(table, "0")["components"]["schemas"]
    parts = [*_routes(table), "", *_events(), "", *_errors(table), "", *_types(schemas)]
    return "\n".join(parts)


def written(text: str) -> str:
    """Return the document with its generated part made anew."""
    return re.sub(f"{BEGIN}.*{END}", lambda _: f"{BEGIN}\n{reference()}\n{END}", text, flags=re.DOTALL)


def _routes(table: Iterable[Operation]) -> Iterator[str]:
    yield "## Routes"
    for operation in table:
        summary, _, more = (operation.handler.__doc__ or "").strip().partition("\n")
        yield from ("", f"### `{operation.method} {operation.path}`", "", f"{summary} {' '.join(more.split())}".strip())
        yield ""
        if operation.query is not None:
            yield from (f"* query: {field}" for field in _fields(_schema(operation.query)))
        if operation.body is not None:
            yield f"* body: `{operation.body.__name__}`"
        yield f"* answer: {operation.status}{_answer(operation)}"
        kinds = ", ".join(f"`{kind.type}`" for kind in errors_of(operation))
        yield f"* errors: {kinds}"


def _answer(operation: Operation) -> str:
    if operation.streams:
        return ", `text/event-stream`, see Events"
    if operation.media:
        return f", {' or '.join(f'`{kind}`' for kind in operation.media)}"
    kinds = " or ".join("the document" if kind is dict else f"`{kind.__name__}`" for kind in operation.answers)
    return f", {kinds}" if kinds else ""


def _events() -> Iterator[str]:
    yield from ("## Events", "", "| event | data | meaning |", "|---|---|---|")
    for name, kind, meaning in EVENTS:
        yield f"| `{name}` | {'a string' if kind is str else f'`{kind.__name__}`'} | {meaning} |"


def _errors(table: Iterable[Operation]) -> Iterator[str]:
    yield from ("## Errors", "", "| status | type | meaning |", "|---|---|---|")
    kinds: set[type[DaehwaError]] = {kind for operation in table for kind in errors_of(operation)}
    for kind in sorted(kinds, key=lambda kind: (status_of(kind), kind.type)):
        yield f"| {status_of(kind)} | `{kind.type}` | {(kind.__doc__ or '').partition(chr(10))[0]} |"


def _types(schemas: dict[str, Any]) -> Iterator[str]:
    yield "## Types"
    for name, schema in sorted(schemas.items()):
        yield from ("", f"### {name}", "", " ".join(schema.get("description", "").split()), "")
        yield from (f"* {field}" for field in _fields(schema))


def _schema(kind: type) -> dict[str, Any]:
    _, components = msgspec.json.schema_components([kind], ref_template="#/components/schemas/{name}")
    schema: dict[str, Any] = components[kind.__name__]
    return schema


def _fields(schema: dict[str, Any]) -> Iterator[str]:
    required = schema.get("required", [])
    for name, field in schema["properties"].items():
        described = f": {field['description']}" if "description" in field else ""
        yield f"`{name}` ({_kind(field)}{'' if name in required else ', may be absent'}){described}"


def _kind(field: dict[str, Any]) -> str:
    if "$ref" in field:
        return f"`{field['$ref'].rpartition('/')[2]}`"
    if "anyOf" in field:
        return " or ".join(map(_kind, field["anyOf"]))
    if "enum" in field:
        return " or ".join("null" if value is None else f'"{value}"' for value in field["enum"])
    if field.get("type") == "array":
        return f"list of {_kind(field['items'])}"
    return str(field.get("type", "JSON object"))


if __name__ == "__main__":
    DOCUMENT.write_text(written(DOCUMENT.read_text("utf-8")), "utf-8")
