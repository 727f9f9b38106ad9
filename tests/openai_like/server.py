"""An upstream that answers like OpenAI on every endpoint, on a real socket: see `wording` for why it is repeatable.

    async with OpenAiLike() as upstream:
        client = AsyncOpenAI(base_url=upstream.base_url, api_key=KEY)

Models whose name begins with `fails-` fail as `faults` says; `thinks…` reason, `hears-tokens…` counts tokens.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import NamedTuple
from urllib.parse import unquote

from multipart import MultipartError
from openai_like.chats import chat
from openai_like.faults import ERRORS, fault, refused
from openai_like.media import draw, edit, embed, form_of, hear, moderate, speak
from openai_like.prompts import complete
from openai_like.responses import respond
from openai_like.wording import CREATED, KEY, Json, as_json
from upstream import Answer, FakeUpstream, Request


class Door(NamedTuple):
    """Where a client asks, and the key that it shows."""

    base_url: str
    api_key: str


MODELS = (
    *("talks", "thinks", "writes-instruct", "embeds", "hears-seconds", "hears-tokens", "draws", "draws-plain"),
    *("speaks", "omni-moderation-test"),
    *(*ERRORS, "fails-html", "fails-cut", "fails-inside", "fails-slow", "fails-hanging"),
)
_ENDPOINTS: dict[str, Callable[[Json], Answer]] = {
    "/chat/completions": chat,
    "/completions": complete,
    "/responses": respond,
    "/embeddings": embed,
    "/images/generations": draw,
    "/images/edits": edit,
    "/images/variations": edit,
    "/audio/speech": speak,
    "/moderations": moderate,
    "/audio/transcriptions": partial(hear, translates=False),
    "/audio/translations": partial(hear, translates=True),
}


class OpenAiLike(FakeUpstream):
    """The server. It knows one key. While `gate` is set to an event, answers wait for it."""

    def __init__(self) -> None:
        super().__init__(_answer)
        self.gate: asyncio.Event | None = None

    @property
    def door(self) -> Door:
        """How clients come in."""
        return Door(self.base_url, KEY)

    def _next(self, request: Request) -> Answer:
        answer = _answer(request)
        if self.gate is None:
            return answer
        return Answer(answer.steps, answer.status, answer.headers, answer.framing, before=self.gate)


def _answer(request: Request) -> Answer:
    path = request.path.partition("?")[0].removeprefix("/v1")
    if request.headers.get("authorization") != f"Bearer {KEY}":
        return refused("Incorrect API key provided.", 401, "invalid_api_key")
    if path == "/models" or path.startswith("/models/"):
        return _models(unquote(path.removeprefix("/models").removeprefix("/")))
    endpoint = _ENDPOINTS.get(path)
    if endpoint is None or request.method != "POST":
        return refused(f"Invalid URL ({request.method} {request.path})", 404)
    try:
        return _answered(request, endpoint)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, MultipartError) as wrong:
        return refused(f"We could not parse the request's body: {type(wrong).__name__}.")


def _answered(request: Request, endpoint: Callable[[Json], Answer]) -> Answer:
    multipart = request.headers.get("content-type", "").startswith("multipart/form-data")
    body = form_of(request) if multipart else request.json
    if endpoint is moderate:
        body.setdefault("model", "omni-moderation-test")
    if body.get("model") not in MODELS:
        return refused(f"The model `{body.get('model')}` does not exist.", 404, "model_not_found")
    return fault(body["model"], lambda: endpoint(body)) or endpoint(body)


def _models(asked: str) -> Answer:
    listed = [{"id": name, "object": "model", "created": CREATED, "owned_by": "test"} for name in MODELS]
    if not asked:
        return as_json({"object": "list", "data": listed})
    found = next((model for model in listed if model["id"] == asked), None)
    return as_json(found) if found else refused(f"The model '{asked}' does not exist", 404, "model_not_found")
