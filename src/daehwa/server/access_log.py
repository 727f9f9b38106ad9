"""One line a request, written when it ends: never a query, a body, a key. Lines of text, or of JSON for programs."""

import logging
import random
import time
from collections.abc import Awaitable
from typing import Any

import msgspec

from daehwa.conversation.tracing import TRACE_PARENT
from daehwa.server.asgi import ASGIApp, Receive, Scope, Send, header_of

_log = logging.getLogger("daehwa.access")
_KEY = "daehwa.exchange"
_PATH_CHARACTERS = 200
_IMAGES = "/images/"
"""What follows it in a path is left out of the log: which image somebody looks at."""
CLIENT_LEFT = 499
"""nginx's status, in the log only, for a client that went away before it was answered."""
_LINE = "%(method)s %(path)s %(status)d %(ms).1f ms %(bytes)d bytes %(request)s"
_UNTOLD = ("process", "processName", "relativeCreated", "thread", "threadName")
"""What a record finds out for itself and no line here says: None, as logging has it where it is told not to look."""
_SAME_OF_ALL = {**vars(logging.LogRecord(_log.name, logging.INFO, "", 0, _LINE, (), None)), **dict.fromkeys(_UNTOLD)}


class Exchange(msgspec.Struct):
    """One request and its answer, as far as the log cares. `status` is 0 until the head is sent."""

    id: str
    status: int = 0
    sent: int = 0
    left: bool = False


class Traffic(msgspec.Struct):
    """How many requests are being answered."""

    open: int = 0


def exchange_of(scope: Scope) -> Exchange:
    """Return the exchange that this scope belongs to."""
    exchange: Exchange = scope[_KEY]
    return exchange


class AccessLog:
    """Gives each request an id, and logs it when its answer, however long it streams, has ended.

    What runs for a request that names its trace belongs to that trace.
    """

    def __init__(self, app: ASGIApp, traffic: Traffic) -> None:
        self._app = app
        self._traffic = traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and write its line."""
        if scope["type"] != "http":
            raise RuntimeError(f"This server speaks HTTP only, not {scope['type']}.")
        exchange = scope[_KEY] = Exchange(f"{random.getrandbits(48):012x}")
        begun = time.perf_counter()
        self._traffic.open += 1
        if (parent := header_of(scope, b"traceparent")) is not None:
            TRACE_PARENT.set(parent)

        def counted(message: Any) -> Awaitable[None]:
            if message["type"] == "http.response.body":
                exchange.sent += len(message.get("body", b""))
            else:
                exchange.status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", exchange.id.encode())]
            return send(message)

        try:
            await self._app(scope, receive, counted)
        finally:
            self._traffic.open -= 1
            _write_line(scope, exchange, time.perf_counter() - begun)


class _Line(logging.LogRecord):
    """A record of a request. What else a record finds out of itself takes longer than all the rest of its line."""

    def __init__(self, request: dict[str, object]) -> None:
        created = time.time()
        told = {"args": request, "fields": request, "created": created, "msecs": created % 1 * 1000}
        vars(self).update(_SAME_OF_ALL, **told)


def _write_line(scope: Scope, exchange: Exchange, seconds: float) -> None:
    if not _log.isEnabledFor(logging.INFO):
        return
    # The path as it came over the wire is ASCII without blanks, so it cannot forge a line.
    path = (scope.get("raw_path") or scope["path"].encode()).decode("ascii", "replace")[:_PATH_CHARACTERS]
    if _IMAGES in path and path.startswith("/api/"):
        path = path[: path.index(_IMAGES) + len(_IMAGES)] + "-"
    request = {
        "request": exchange.id,
        "method": scope["method"],
        "path": path,
        "status": exchange.status or (CLIENT_LEFT if exchange.left else 500),
        "ms": round(seconds * 1000, 1),
        "bytes": exchange.sent,
    }
    _log.handle(_Line(request))


class JsonLines(logging.Formatter):
    """A log record as one line of JSON; a record's `fields` become members of their own."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, object] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
        }
        fields = getattr(record, "fields", None)
        line |= {"message": record.getMessage()} if fields is None else fields
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()


class TextLines(logging.Formatter):
    """A log record for the person at the terminal: the local time and what happened; its level where it is a fault."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s  %(message)s", "%H:%M:%S")
        self._second = 0
        self._time = ""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - logging's own name
        """Return the time; that of a second is written once."""
        if int(record.created) != self._second:
            self._second, self._time = int(record.created), super().formatTime(record, datefmt)
        return self._time

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        """Return the line without a traceback."""
        level = f"{record.levelname.lower()}: " if record.levelno >= logging.WARNING else ""
        return f"{record.asctime}  {level}{record.message}"


def configure_logging(*, log_json: bool, level: int = logging.INFO) -> None:
    """Send the program's log to standard error, in text or in JSON lines."""
    # No line names them, and every record would look them up.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None  # noqa: SLF001 - the documented way not to look for the caller
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if log_json else TextLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("daehwa").setLevel(level)
