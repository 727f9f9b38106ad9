"""The 2023 demo's dialect: `{"text"}` in, `{"statusCode", "msg"}` out, and a folder in which its page may lie.

How this works and why. The page reads `msg` of every answer whose HTTP status is 200, and shows nothing at all for
most others: its API said `statusCode` inside, and 200 outside. So what goes wrong with a call is said like that. What
is refused before, because of who asks or from where, keeps its own HTTP status. The page puts what it gets into its
HTML; its Content-Security-Policy lets no script run that is not the folder's own, or of the one site that it names.
"""

import asyncio
import base64
import hashlib
import re
from pathlib import Path
from typing import Final

import msgspec

from daehwa.accounts.keys import Caller
from daehwa.conversation.errors import DaehwaError, InvalidRequest, ProviderMalformedError, ProviderRefusedError
from daehwa.conversation.room import Share
from daehwa.gateway.asking import JsonAsked
from daehwa.gateway.callers import Callers
from daehwa.gateway.calls import Gateway
from daehwa.gateway.ports import KeptAnswer
from daehwa.server.asgi import ASGIApp, Headers, Receive, Request, Response, Scope, Send, json_response
from daehwa.server.body import json_body
from daehwa.server.deadline import deadline_of
from daehwa.server.errors import RouteNotFound, error_headers, status_of
from daehwa.server.leaving import EndedWhenLeft
from daehwa.server.openai_v1.api import bearer_of
from daehwa.server.options import ServerOptions

LARGEST_FILE = 10_000_000
_START_PAGES = ("index.html", "chat.html")
_LIBRARIES = "https://cdnjs.cloudflare.com"
"""From where the demo's page takes its style sheets and libraries."""
_SCRIPT = re.compile(rb"<script(?![^>]*\ssrc\s*=)[^>]*>(.*?)</script\s*>", re.IGNORECASE | re.DOTALL)
_MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".gif": "image/gif",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}


class ClassicQuestion(msgspec.Struct, frozen=True):
    """What is asked. Whatever else the page sends, such as an id of its own, is no matter."""

    text: str


class ClassicAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """The answer, or the sentence that says what is wrong, and the status that belongs to it."""

    status_code: int
    msg: str


class _Message(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    message: _Message


class _Completion(msgspec.Struct):
    choices: list[_Choice]


class _Error(msgspec.Struct):
    message: str


class _Refusal(msgspec.Struct):
    error: _Error


class ClassicApi:
    """The operations of the demo. `folder` is where its page lies, if it lies here.

    `callers` know those who ask and what their groups mean; with `needs_keys`, by a key that each call must bring.
    """

    def __init__(
        self,
        gateway: Gateway,
        options: ServerOptions,
        folder: Path | None = None,
        *,
        callers: Callers | None = None,
        needs_keys: bool = False,
    ) -> None:
        self._gateway = gateway
        self._callers = callers
        self.needs_keys = needs_keys
        self._options = options
        self.folder = folder

    async def answer_classic(self, request: Request) -> ASGIApp:
        """Answer one text by the default model, without a memory of earlier ones.

        What goes wrong is said in the same shape, with the HTTP status 200: the page reads no other.
        """
        caller = await self._caller_of(request)
        request.user = caller.user
        try:
            with self._gateway.calls.one(caller):
                question = await json_body(request, ClassicQuestion, self._options)
            if not question.text.strip():
                raise InvalidRequest("The text is empty. Write something to ask.", param="text")
        except DaehwaError as error:
            return json_response(_said(error), headers=error_headers(error))
        message = {"role": "user", "content": question.text}
        asked = JsonAsked.of("chat/completions", {"messages": [message]})
        deadline = deadline_of(request) if self._options.home == "aws" else None
        return _Answering(self._gateway, caller, asked, deadline, request.handed_share())

    async def answer_classic_beside(self, request: Request) -> ASGIApp:
        """Answer as `/chat` does, for a page that asks beside itself."""
        return await self.answer_classic(request)

    async def go_to_classic_start(self, _request: Request) -> Response:
        """Lead to `/classic/`, where the page finds what it names beside itself."""
        return Response(308, b"", [(b"location", b"/classic/"), (b"cache-control", b"no-cache")])

    async def get_classic_start(self, _request: Request) -> Response:
        """Return the folder's own first page."""
        return await self._file("")

    async def get_classic_file(self, request: Request) -> Response:
        """Return a file of the folder that the setting `classic_folder` names."""
        return await self._file(request.path["file"])

    async def _caller_of(self, request: Request) -> Caller:
        if self._callers is None:
            return Caller(user=request.user)
        if self.needs_keys:
            return await self._callers.caller_of(bearer_of(request))
        return await self._callers.caller(request.user)

    async def _file(self, name: str) -> Response:
        if self.folder is None:
            raise RouteNotFound
        found = await asyncio.to_thread(_read, self.folder, name)
        if found is None:
            raise RouteNotFound
        kind, content = found
        policy = content_security_policy(content if kind.startswith("text/html") else b"")
        headers = [
            (b"content-type", kind.encode()),
            (b"cache-control", b"no-cache"),
            (b"content-security-policy", policy.encode()),
        ]
        return Response(200, content, headers)


class _Answering:
    """An answer that ends with its client; until then it has the `share` of a large question."""

    def __init__(
        self, gateway: Gateway, caller: Caller, asked: JsonAsked, deadline: int | None, share: Share | None
    ) -> None:
        self._gateway = gateway
        self._share = share
        self._deadline = deadline
        self._caller = caller
        self._asked = asked

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Make the call and send its answer."""
        headers: Headers = []
        try:
            with self._gateway.calls.one(self._caller, deadline=self._deadline), EndedWhenLeft(scope, receive):
                said = ClassicAnswer(200, await self._text())
        except DaehwaError as error:
            said = _said(error)
            headers = error_headers(error)
        finally:
            if self._share is not None:
                self._share.give_back()
        await json_response(said, headers=headers)(scope, receive, send)

    async def _text(self) -> str:
        answer = await self._gateway.ask(self._caller, self._asked)
        if isinstance(answer, KeptAnswer):
            return _text_of(answer)
        await answer.aclose()
        raise ProviderMalformedError("The upstream streams where it was asked for a whole answer.")


def _said(error: DaehwaError) -> ClassicAnswer:
    return ClassicAnswer(status_of(type(error)), error.told)


def error_response(error: DaehwaError) -> Response:
    """Return what is refused before a call is made, in the demo's shape and with its own HTTP status."""
    return json_response(_said(error), status_of(type(error)), error_headers(error))


def content_security_policy(page: bytes) -> str:
    """Return the policy of a page: its own scripts, those that stand in it as it is on the disk, and its libraries."""
    digests = (hashlib.sha256(script).digest() for script in _SCRIPT.findall(page))
    inline = "".join(f" 'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    return (
        f"default-src 'none'; script-src 'self' {_LIBRARIES}{inline}; style-src 'self' 'unsafe-inline' {_LIBRARIES}; "
        f"img-src 'self' data:; font-src 'self' {_LIBRARIES}; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )


def _text_of(answer: KeptAnswer) -> str:
    try:
        if answer.status >= 400:  # noqa: PLR2004 - an error's
            said = msgspec.json.decode(answer.body, type=_Refusal).error.message
            raise ProviderRefusedError(said, status=answer.status)
        return msgspec.json.decode(answer.body, type=_Completion).choices[0].message.content or ""
    except (msgspec.DecodeError, UnicodeDecodeError, IndexError):
        raise ProviderMalformedError("The upstream answered with something that is no chat completion.") from None


def _read(folder: Path, name: str) -> tuple[str, bytes] | None:
    """Return a file's media type and content; None where there is none, also where it lies outside."""
    root = folder.resolve()
    for tried in (name,) if name else _START_PAGES:
        parts = tried.split("/")
        if "\0" in tried or "\\" in tried or any(part.startswith(".") or not part for part in parts):
            return None
        path = root.joinpath(*parts).resolve()
        if path.is_relative_to(root) and path.is_file() and path.stat().st_size <= LARGEST_FILE:
            return _MEDIA_TYPES.get(path.suffix.lower(), "application/octet-stream"), path.read_bytes()
    return None
