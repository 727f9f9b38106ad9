"""The table of operations and the way from a request to its row."""

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from functools import cached_property
from http import HTTPStatus
from typing import TypeAlias

import msgspec

from daehwa.accounts.errors import NotAllowed
from daehwa.accounts.people import User
from daehwa.conversation.errors import DaehwaError
from daehwa.server.asgi import ASGIApp, Receive, Request, Scope, Send
from daehwa.server.errors import MethodNotAllowed, RouteNotFound

Handler: TypeAlias = Callable[[Request], Awaitable[ASGIApp]]
Identify: TypeAlias = Callable[[Request], Awaitable[User]]

_NAME = re.compile(r"\{([a-z_]+)\}")
BESIDE_V1 = (
    *("/chat/completions", "/completions", "/responses", "/embeddings", "/models"),
    *("/audio/transcriptions", "/audio/translations", "/audio/speech", "/images", "/moderations"),
    *("/openai", "//v1"),
)
"""What a client asks, there and below, whose base URL lacks its end, is made for Azure, or has a slash too many."""


class Operation(msgspec.Struct, frozen=True):
    """One row: the handler's name is the operation's, its docstring the documentation.

    `answers` are the JSON types of the answer, none where there is no body or where it `streams` events. `text` and
    `media` are the content types of an answer that is text, or bytes. `errors` are those beside the ones that any
    request may meet. `is_open` to all, signed in or not; any other needs to know who asks. `has_slashes` says that the
    name in the path may hold slashes.
    """

    method: str
    path: str
    handler: Handler
    query: type | None = None
    body: type | None = None
    answers: tuple[type, ...] = ()
    streams: bool = False
    text: str = ""
    media: tuple[str, ...] = ()
    status: int = HTTPStatus.OK
    errors: tuple[type[DaehwaError], ...] = ()
    is_open: bool = False
    for_admins: bool = False
    has_slashes: bool = False

    @property
    def name(self) -> str:
        """The operation's name, in Python, TypeScript and OpenAPI."""
        name: str = self.handler.__name__
        return name

    @property
    def path_names(self) -> list[str]:
        """The names in the path."""
        return _NAME.findall(self.path)


class Wing:
    """Rows under some paths. They are made, and what only they need is imported, when somebody first asks for one: most
    of a start is imports, and no start needs all of them.
    """

    def __init__(self, make: Callable[[], Iterable[Operation]], *paths: str) -> None:
        self._make = make
        self._paths = paths

    @cached_property
    def operations(self) -> tuple[Operation, ...]:
        """The rows."""
        return tuple(self._make())

    def covers(self, path: str) -> bool:
        """Whether a row of this wing may serve the path."""
        return path.startswith(self._paths)


class Router:
    """Finds the operation; what no operation serves goes to `otherwise`."""

    def __init__(self, wings: Iterable[Wing], *, identify: Identify, otherwise: Handler) -> None:
        self._wings = tuple(wings)
        self._closed = list(self._wings)
        self._identify = identify
        self._otherwise = otherwise
        self._fixed: dict[str, dict[str, Operation]] = {}
        self._patterns: list[tuple[re.Pattern[str], dict[str, Operation]]] = []

    @property
    def operations(self) -> tuple[Operation, ...]:
        """Every row, in the order of the wings."""
        return tuple(operation for wing in self._wings for operation in wing.operations)

    def opened(self) -> Iterator[Wing]:
        """Open what is not open yet, one wing after the other, and yield each."""
        while self._closed:
            yield self._open(self._closed[0])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Find the handler and send its answer."""
        answer = await self._answered(scope, receive)
        await answer(scope, receive, send)

    async def _answered(self, scope: Scope, receive: Receive) -> ASGIApp:
        # Apart from the sending: the request is not held while its answer streams.
        path: str = scope["path"]
        methods, values = self._found(path)
        request = Request(scope, receive, values)
        if methods is None:
            return await self._unmatched(path)(request)
        operation = _chosen(scope["method"], methods)
        if not operation.is_open:
            identify = self._identify_admin if operation.for_admins else self._identify
            request.user, request.identify = await identify(request), identify
        try:
            return await operation.handler(request)
        finally:
            if request.share is not None:
                request.share.give_back()

    async def _identify_admin(self, request: Request) -> User:
        user = await self._identify(request)
        if user.role != "admin":
            raise NotAllowed("Only an admin may do this. Ask whoever runs this server.")
        return user

    def _found(self, path: str) -> tuple[dict[str, Operation] | None, dict[str, str]]:
        """Return what serves a path, and the values in it; wings are opened until one does."""
        found = self._served(path)
        while found[0] is None and (wing := next((each for each in self._closed if each.covers(path)), None)):
            self._open(wing)
            found = self._served(path)
        return found

    def _open(self, wing: Wing) -> Wing:
        operations = wing.operations
        self._closed.remove(wing)
        for path in dict.fromkeys(operation.path for operation in operations):
            same = [operation for operation in operations if operation.path == path]
            methods = _methods(same)
            if _NAME.search(path):
                value = r"(?P<\1>.+)" if same[0].has_slashes else r"(?P<\1>[^/]+)"
                self._patterns.append((re.compile(_NAME.sub(value, path)), methods))
            else:
                self._fixed[path] = methods
        return wing

    def _served(self, path: str) -> tuple[dict[str, Operation] | None, dict[str, str]]:
        methods = self._fixed.get(path)
        if methods is not None:
            return methods, {}
        for pattern, methods in self._patterns:
            match = pattern.fullmatch(path)
            if match is not None:
                return methods, match.groupdict()
        return None, {}

    def _unmatched(self, path: str) -> Handler:
        if path == "/v1" or path.startswith("/v1/"):
            raise RouteNotFound("/v1/openapi.json")
        if any(path == beside or path.startswith(f"{beside}/") for beside in BESIDE_V1):
            raise RouteNotFound("/v1/openapi.json", "Let the base URL be this server's address with /v1 at its end.")
        if path in {"/api", "/auth"} or path.startswith(("/api/", "/auth/")):
            raise RouteNotFound("/api/openapi.json")
        return self._otherwise


def _methods(operations: Sequence[Operation]) -> dict[str, Operation]:
    methods: dict[str, Operation] = {}
    for operation in operations:
        methods[operation.method] = operation
        if operation.method == "GET" and not operation.streams and operation.status == HTTPStatus.OK:
            methods["HEAD"] = operation
    return methods


def _chosen(method: str, methods: dict[str, Operation]) -> Operation:
    operation = methods.get(method)
    if operation is None:
        raise MethodNotAllowed(", ".join(methods))
    return operation
