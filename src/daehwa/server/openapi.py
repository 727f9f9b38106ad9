"""The OpenAPI 3.1 document, made of the table of operations and the types that they decode and encode."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any, TypeAlias

import msgspec
from msgspec import inspect

from daehwa.accounts.errors import NotAllowed, NotSignedIn
from daehwa.conversation.errors import DaehwaError, InvalidId, InvalidRequest
from daehwa.conversation.events import ReplyEnded, TitleMade, ToolCallDelta
from daehwa.conversation.messages import Usage
from daehwa.server.api.shapes import UUID7
from daehwa.server.asgi import Request, Response
from daehwa.server.errors import CrossSiteRequest, ErrorAnswer, HostNotAllowed, status_of
from daehwa.server.routing import Operation, Wing

Json: TypeAlias = dict[str, Any]

EVENTS: tuple[tuple[str, Any, str], ...] = (
    ("delta", str, "More text to append."),
    ("reasoning", str, "More of the model's visible thinking to append."),
    ("tool", ToolCallDelta, "A tool call begins, or its arguments grow: append them for the same id."),
    ("usage", Usage, "Tokens as the upstream counted them."),
    ("done", ReplyEnded, "The reply is final: complete or stopped."),
    ("error", ReplyEnded, "The reply is final: failed, or interrupted with its text kept."),
    ("title", TitleMade, "The conversation has a new title; may follow `done`."),
)
"""The events of a stream: name, type of the JSON data, meaning."""

STREAM = (
    "Server-sent events. Each has an `id` to resume with (Last-Event-ID), a name and JSON data. Exactly one `done` or "
    "`error` ends a reply; a stream that ends without one was cut: follow again. A comment is sent as a heartbeat when "
    "10 seconds pass without news."
)

_IDS = frozenset({"conversation", "reply", "key", "image"})
"""The names in paths that stand for a UUID version 7."""
_SESSION = {
    "type": "apiKey",
    "in": "cookie",
    "name": "__Host-daehwa",
    "description": "The session that signing in begins, where people sign in; over http on loopback without `__Host-`.",
}


def errors_of(operation: Operation) -> tuple[type[DaehwaError], ...]:
    """Return every error of our own that an operation may answer with."""
    errors: list[type[DaehwaError]] = [*operation.errors, HostNotAllowed]
    if operation.path_names or operation.query is not None or operation.body is not None:
        errors.insert(0, InvalidRequest)
    if operation.body is not None or not _IDS.isdisjoint(operation.path_names):
        errors.insert(1, InvalidId)
    if operation.method not in {"GET", "HEAD"}:
        errors.append(CrossSiteRequest)
    if not operation.is_open:
        errors.append(NotSignedIn)
    if operation.for_admins:
        errors.append(NotAllowed)
    return tuple(dict.fromkeys(errors))


class OpenApi:
    """The document, made when it is first asked for."""

    def __init__(self, version: str) -> None:
        self.wings: Sequence[Wing] = ()
        self._version = version
        self._document: bytes | None = None

    async def get_openapi(self, _request: Request) -> Response:
        """Return this API's OpenAPI 3.1 document."""
        if self._document is None:
            operations = [operation for wing in self.wings for operation in wing.operations]
            self._document = msgspec.json.encode(document(operations, self._version))
        headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-cache")]
        return Response(200, self._document, headers)


def document(operations: Sequence[Operation], version: str) -> Json:
    """Return the document."""
    sent: list[Any] = [ErrorAnswer, *(data for _, data, _ in EVENTS)]
    sent += [kind for operation in operations for kind in operation.answers]
    types = sent + [kind for operation in operations for kind in (operation.query, operation.body) if kind is not None]
    schemas, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    for struct in _structs(sent):
        if not struct.__struct_config__.omit_defaults:
            # What has a default may be absent in a request, but is always sent.
            components[struct.__name__]["required"] = list(components[struct.__name__]["properties"])
    schema_of = dict(zip(map(id, types), schemas, strict=True))
    paths: dict[str, Json] = defaultdict(dict)
    for operation in operations:
        paths[operation.path][operation.method.lower()] = _operation(operation, schema_of, components)
    queries = {op.query.__name__ for op in operations if op.query is not None}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "daehwa",
            "version": version,
            "description": "The page's own dialect. Unknown fields and parameters of a request are refused.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        # Where nobody signs in, who reaches the server is its owner and sends nothing.
        "security": [{"session": []}, {}],
        "paths": dict(paths),
        "components": {
            "schemas": {name: schema for name, schema in components.items() if name not in queries},
            "securitySchemes": {"session": _SESSION},
        },
    }


def _structs(types: Sequence[Any]) -> set[type[msgspec.Struct]]:
    found: set[type[msgspec.Struct]] = set()
    pending = list(inspect.multi_type_info(types))
    while pending:
        match pending.pop():
            case inspect.StructType(cls, fields) if cls not in found:
                found.add(cls)
                pending += [field.type for field in fields]
            case inspect.UnionType(types):
                pending += types
            case inspect.VarTupleType(item_type=item):
                pending.append(item)
    return found


def _operation(operation: Operation, schema_of: dict[int, Json], components: dict[str, Json]) -> Json:
    summary, _, more = (operation.handler.__doc__ or "").strip().partition("\n")
    made: Json = {"operationId": operation.name, "summary": summary}
    if more:
        made["description"] = " ".join(more.split())
    parameters = [*_path_parameters(operation), *_query_parameters(operation, components)]
    if operation.streams:
        described = "Resume after this event; goes before `after`."
        schema = {"type": "integer", "minimum": 0}
        parameters.append({"name": "Last-Event-ID", "in": "header", "description": described, "schema": schema})
    if parameters:
        made["parameters"] = parameters
    if operation.body is not None:
        content = {"application/json": {"schema": schema_of[id(operation.body)]}}
        made["requestBody"] = {"required": True, "content": content}
    if operation.is_open:
        made["security"] = []
    made["responses"] = {str(operation.status): _answer(operation, schema_of), **_errors(operation, schema_of)}
    return made


def _path_parameters(operation: Operation) -> Iterable[Json]:
    for name in operation.path_names:
        schema = {"type": "string", **({"format": "uuid", "pattern": UUID7} if name in _IDS else {})}
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _query_parameters(operation: Operation, components: dict[str, Json]) -> Iterable[Json]:
    if operation.query is None:
        return
    for name, schema in components[operation.query.__name__]["properties"].items():
        described = {key: value for key, value in schema.items() if key != "description"}
        yield {"name": name, "in": "query", "description": schema.get("description", ""), "schema": described}


def _event_schema(names: list[str]) -> Json:
    """Return the schema of each event in a stream, by which tools read a stream's description."""
    text = {"type": "string"}
    return {
        "type": "object",
        "required": ["id", "event", "data"],
        "properties": {"id": text, "event": {"enum": names}, "data": {"type": "string", "description": "JSON."}},
    }


def _answer(operation: Operation, schema_of: dict[int, Json]) -> Json:
    if operation.streams:
        events = {name: {"description": text, "schema": schema_of[id(data)]} for name, data, text in EVENTS}
        content = {"text/event-stream": {"schema": _event_schema(list(events)), "x-events": events}}
        return {"description": STREAM, "content": content}
    described = HTTPStatus(operation.status).phrase
    if operation.text:
        return {"description": described, "content": {operation.text: {"schema": {"type": "string"}}}}
    if operation.media:
        data = {"schema": {"type": "string", "format": "binary"}}
        return {"description": described, "content": dict.fromkeys(operation.media, data)}
    if not operation.answers:
        return {"description": described}
    schemas = [schema_of[id(answer)] for answer in operation.answers]
    schema = schemas[0] if len(schemas) == 1 else {"oneOf": schemas}
    return {"description": described, "content": {"application/json": {"schema": schema}}}


def _errors(operation: Operation, schema_of: dict[int, Json]) -> Json:
    by_status: dict[int, list[type[DaehwaError]]] = defaultdict(list)
    for kind in errors_of(operation):
        by_status[status_of(kind)].append(kind)
    content = {"application/json": {"schema": schema_of[id(ErrorAnswer)]}}
    return {
        str(status): {"description": " ".join(f"`{k.type}`: {k.__doc__}" for k in kinds), "content": content}
        for status, kinds in sorted(by_status.items())
    }
