"""What lies between OpenAI's dialect and the embedded model's engine. Requests that it would count wrong, or take for a
fault of its own, are refused before; what OpenAI would do unasked is asked; its errors get OpenAI's shape.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from daehwa.conversation.bodies import problem_of
from daehwa.conversation.errors import InvalidRequest
from daehwa.gateway.asking import COMPLETION_TOKENS
from daehwa.gateway.ports import Endpoint, WireAnswer
from daehwa.providers.wire import WholeAnswer

_SERVER_ERRORS: Final = 500
_PROMPTS: Final[Mapping[Endpoint, str]] = {"chat/completions": "messages", "completions": "prompt"}
_CHOICES: Final = ("n", "n_cmpl")
"""By these fields the engine is asked for several answers: OpenAI's name and its own. It says the tokens of one."""
_LIMITS: Final = ("max_tokens", "n_predict")
"""By these a completion is limited."""
_ONE: Final = frozenset({b"null", b"1", b"1.0"})
_NO_TEXT: Final = re.compile(rb'"type"\s*:\s*"(?:image_url|input_image|input_audio)"')
_OF_ITS_PARSER: Final = re.compile(r"\[json\.exception\.[\w.]+\] ")
_FIELD: Final = re.compile(r"Field '(\w+)'")


class _Called(msgspec.Struct, frozen=True):
    name: str
    arguments: msgspec.Raw


class _ToolCall(msgspec.Struct, frozen=True):
    type: Literal["function"]
    function: _Called
    id: str = ""


class _Part(msgspec.Struct, frozen=True):
    type: Literal["text"]
    text: str


class _Message(msgspec.Struct, frozen=True):
    role: str
    content: str | list[_Part] | None = None
    tool_calls: list[_ToolCall] | None = None
    name: str = ""
    tool_call_id: str = ""
    reasoning_content: str = ""


class _Named(msgspec.Struct, frozen=True):
    name: str


class _Tool(msgspec.Struct, frozen=True):
    type: Literal["function"]
    function: _Named


class _Chat(msgspec.Struct, frozen=True):
    """A chat, as far as the engine says 500 of what is otherwise. After five of those in a row its gate lets nobody in
    for a while.
    """

    messages: list[_Message] = []
    tools: list[_Tool] | None = None
    reasoning_format: Literal["none", "auto", "deepseek", "deepseek-legacy"] | None = None


class _Tools(msgspec.Struct, frozen=True):
    tools: list[msgspec.Raw] | None = None
    functions: list[msgspec.Raw] | None = None
    tool_choice: str | dict[str, msgspec.Raw] | None = None


class _Fault(msgspec.Struct, frozen=True):
    """What the engine says; of a prompt that is too long, how many tokens it has and there may be."""

    message: str = ""
    n_prompt_tokens: int = 0
    n_ctx: int = 0


class _FaultAnswer(msgspec.Struct, frozen=True):
    error: _Fault = _Fault()


def default_limit(endpoint: Endpoint) -> int | None:
    """Return how many tokens an answer has at most where its request does not say it."""
    return COMPLETION_TOKENS if endpoint == "completions" else None


def has_tools(endpoint: Endpoint, body: bytes) -> bool:
    """Whether a request has tools to choose from. One that is not well made is the engine's to refuse."""
    if endpoint != "chat/completions":
        return False
    try:
        asked = msgspec.json.decode(body, type=_Tools)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return bool(asked.tools or asked.functions) and asked.tool_choice != "none"


def made_fit(endpoint: Endpoint, body: bytes, name: str) -> bytes:
    """Return a request's body as it is to be sent; what is no JSON is the engine's to refuse. `name` is the model's.

    Raise `InvalidRequest`.
    """
    if _NO_TEXT.search(body) is not None:
        raise InvalidRequest(f"{name} reads text only. Choose another model.")
    try:
        given = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        fields = {field: value for field, value in given.items() if bytes(value) != b"null"}
        _check_choices(fields, name)
        if endpoint == "chat/completions":
            msgspec.json.decode(body, type=_Chat)
        elif endpoint == "completions" and fields.keys().isdisjoint(_LIMITS):
            return msgspec.json.encode({**fields, "max_tokens": COMPLETION_TOKENS})
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    return body


def _check_choices(fields: Mapping[str, msgspec.Raw], name: str) -> None:
    for choices in _CHOICES:
        if bytes(fields.get(choices, b"1")) not in _ONE:
            raise InvalidRequest(f"{name} gives one answer to a request. Leave '{choices}' out.", param=choices)
    prompt: Any = msgspec.json.decode(fields.get("prompt", b"null"))
    if isinstance(prompt, list) and len(prompt) > 1 and not any(isinstance(each, int) for each in prompt):
        raise InvalidRequest(f"{name} goes on with one prompt to a request. Send each by itself.", param="prompt")
    if {"grammar", "json_schema"} <= fields.keys():
        raise InvalidRequest("'grammar' and 'json_schema' exclude each other. Leave one out.", param="grammar")


def _invalid(reason: str) -> InvalidRequest:
    problem, param = problem_of(reason)
    if param is None:
        return InvalidRequest("The body must be a JSON object.")
    return InvalidRequest(f"'{param}' is not as it should be: {problem}.", param=param)


async def in_openais_shape(answer: WireAnswer, endpoint: Endpoint) -> WireAnswer:
    """Return an error of the engine as OpenAI's clients read it: with a type, a param and a code in words."""
    body = await answer.read()
    try:
        fault = msgspec.json.decode(body, type=_FaultAnswer).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        return WholeAnswer(answer.status, answer.headers, body)
    said = {"error": _said(fault, endpoint, answer.status)}
    return WholeAnswer(answer.status, answer.headers, msgspec.json.encode(said))


def _said(fault: _Fault, endpoint: Endpoint, status: int) -> dict[str, str | None]:
    message = _OF_ITS_PARSER.sub("", fault.message)
    if status >= _SERVER_ERRORS:
        return {"message": message, "type": "server_error", "param": None, "code": None}
    field = _FIELD.match(message)
    code, param = InvalidRequest.type, None if field is None else field.group(1)
    if fault.n_ctx:
        # The sentence is OpenAI's, since some of its clients look for it.
        code, param = "context_length_exceeded", _PROMPTS.get(endpoint)
        message = (
            f"This model's maximum context length is {fault.n_ctx} tokens, and the prompt has {fault.n_prompt_tokens}. "
            "Send a shorter one."
        )
    return {"message": message, "type": "invalid_request_error", "param": param, "code": code}
