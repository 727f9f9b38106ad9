"""What /v1 takes and gives, as an OpenAPI 3.1 document: the fields that this server reads, and room for all others.

Requests and answers are the upstream's business in everything that is not said here, so nothing is forbidden that an
upstream may know. OpenAI's own reference has the rest.
"""

from typing import Any, Final, TypeAlias

from daehwa import __version__
from daehwa.gateway.asking import MODEL_CHARACTERS, MOST_CHOICES, MOST_TOKENS
from daehwa.gateway.idempotency import LONGEST_KEY
from daehwa.gateway.speech import LEAST_SPEED, MOST_SPEED

Json: TypeAlias = dict[str, Any]

_TEXT: Final[Json] = {"type": "string"}
_MAYBE_TEXT: Final[Json] = {"type": ["string", "null"]}
_LIMIT: Final[Json] = {"type": ["integer", "null"], "minimum": -1, "maximum": MOST_TOKENS}
_CHOICES: Final[Json] = {"type": ["integer", "null"], "minimum": 1, "maximum": MOST_CHOICES}
_YES_NO: Final[Json] = {"type": ["boolean", "null"]}
_MODEL: Final[Json] = {
    "type": ["string", "null"],
    "maxLength": MODEL_CHARACTERS,
    "description": "An id of /v1/models, a bare name or an alias. Left out: this server's default.",
}
_OPTIONS: Final[Json] = {"type": ["object", "null"]}
_ERROR: Final[Json] = {"$ref": "#/components/schemas/Error"}
_KEY: Final[Json] = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same request under the same key is made, and paid for, once; its answer is kept for a day.",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY},
}
_FILE: Final[Json] = {"type": "string", "contentMediaType": "application/octet-stream", "minLength": 1}
_COUNT: Final[Json] = {"type": "integer", "minimum": 1, "maximum": MOST_CHOICES}
_MODEL_OBJECT: Final[Json] = {
    "type": "object",
    "required": ["id", "object", "created", "owned_by"],
    "properties": {
        "id": _TEXT,
        "object": {"const": "model"},
        "created": {"type": "integer", "description": "As its upstream says; else 1672531200, the beginning of 2023."},
        "owned_by": _TEXT,
    },
}


def _operation(name: str, summary: str, **more: Any) -> Json:
    """Return an operation; any error may have any status of the upstream's."""
    answers = more.pop("answers")
    error = {"description": "What is wrong.", "content": {"application/json": {"schema": _ERROR}}}
    responses = {"200": {"description": "The answer.", "content": answers}, "default": error}
    return {"operationId": name, "summary": summary, "responses": responses, **more}


def _json(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}


def _event(described: str) -> Json:
    """Return the schema of each event in a stream, by which tools read a stream's description."""
    return {"type": "object", "required": ["data"], "properties": {"data": _TEXT}, "description": described}


def _call(name: str, summary: str, required: list[str], *, streams: bool = True, **fields: Json) -> Json:
    properties = {"model": _MODEL, **fields}
    answers = _json({"type": "object"})
    if streams:
        properties["stream"] = _YES_NO
        described = "Events, of which the last is `data: [DONE]` for chat and completions."
        answers["text/event-stream"] = {"schema": _event(described)}
    schema = {"type": "object", "required": required, "properties": properties}
    body = {"required": True, "content": _json(schema)}
    return {"post": _operation(name, summary, answers=answers, requestBody=body, parameters=[_KEY])}


def _upload(name: str, summary: str) -> Json:
    fields = {
        "file": _FILE,
        "model": {"type": "string", "minLength": 1, "maxLength": MODEL_CHARACTERS},
        "prompt": _TEXT,
        "response_format": _TEXT,
    }
    schema = {"type": "object", "required": ["file"], "properties": fields}
    body = {"required": True, "content": {"multipart/form-data": {"schema": schema}}}
    answers = _json({"type": "object"}) | {"text/plain": {"schema": _TEXT}}
    return {"post": _operation(name, summary, answers=answers, requestBody=body, parameters=[_KEY])}


def _form(name: str, summary: str, required: list[str], **fields: Json) -> Json:
    properties = {"image": _FILE, "model": {"type": "string", "maxLength": MODEL_CHARACTERS}, **fields}
    schema = {"type": "object", "required": required, "properties": properties}
    body = {"required": True, "content": {"multipart/form-data": {"schema": schema}}}
    answers = _json({"type": "object"}) | {"text/event-stream": {"schema": _event("Events, for models that stream.")}}
    return {"post": _operation(name, summary, answers=answers, requestBody=body, parameters=[_KEY])}


def _speech() -> Json:
    spoken = _call(
        *("createSpeech", "Speak a text.", ["input"]),
        streams=False,
        input=_TEXT,
        speed={"type": ["number", "null"], "minimum": LEAST_SPEED, "maximum": MOST_SPEED},
    )
    sound = {"schema": {"type": "string", "contentMediaType": "application/octet-stream"}}
    events = {"schema": _event("Events, with `stream_format: sse`; the last says the usage.")}
    spoken["post"]["responses"]["200"]["content"] = {"audio/*": sound, "text/event-stream": events}
    return spoken


def _paths() -> Json:
    listed = {
        "type": "object",
        "required": ["object", "data"],
        "properties": {"object": {"const": "list"}, "data": {"type": "array", "items": _MODEL_OBJECT}},
    }
    name = {"name": "model", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
    document = {"type": "object", "required": ["openapi", "paths"]}
    return {
        "/v1/chat/completions": _call(
            *("createChatCompletion", "Answer a chat.", ["messages"]),
            messages={},
            n=_CHOICES,
            max_tokens=_LIMIT,
            max_completion_tokens=_LIMIT,
            stream_options=_OPTIONS,
        ),
        "/v1/completions": _call(
            *("createCompletion", "Go on with a prompt.", []),
            prompt={},
            n=_CHOICES,
            best_of=_CHOICES,
            max_tokens=_LIMIT,
            stream_options=_OPTIONS,
        ),
        "/v1/responses": _call(
            *("createResponse", "Answer by the Responses API.", []), input={}, max_output_tokens=_LIMIT
        ),
        "/v1/embeddings": _call(*("createEmbedding", "Turn texts into vectors.", ["input"]), streams=False, input={}),
        "/v1/images/generations": _call(
            *("createImage", "Make images from a text.", ["prompt"]), prompt={}, n=_CHOICES
        ),
        "/v1/images/edits": _form(
            "editImage", "Change images as a text says.", ["image", "prompt"], prompt=_TEXT, n=_COUNT, mask=_FILE
        ),
        "/v1/images/variations": _form("createImageVariation", "Make variations of an image.", ["image"], n=_COUNT),
        "/v1/audio/speech": _speech(),
        "/v1/moderations": _call(
            *("createModeration", "Say whether texts and images may be harmful.", ["input"]), streams=False, input={}
        ),
        "/v1/audio/transcriptions": _upload("createTranscription", "Write down what a recording says."),
        "/v1/audio/translations": _upload("createTranslation", "Write down in English what a recording says."),
        "/v1/models": {"get": _operation("listModels", "List the models.", answers=_json(listed))},
        "/v1/models/{model}": {
            "get": _operation("retrieveModel", "Find a model.", answers=_json(_MODEL_OBJECT), parameters=[name])
        },
        "/v1/openapi.json": {
            "get": _operation("getOpenapi", "Describe this API.", answers=_json(document), security=[])
        },
    }


def v1_document() -> Json:
    """Return the document."""
    error = {
        "type": "object",
        "required": ["message"],
        "properties": {"message": _TEXT, "type": _MAYBE_TEXT, "param": _MAYBE_TEXT, "code": {}},
    }
    bearer = {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key of this server. Where one person's server is reached from their machine alone, none "
        "is needed.",
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "daehwa, OpenAI's dialect",
            "version": __version__,
            "description": "Fields that are not named here go to the upstream, and come from it, as they are.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}, {}],
        "paths": _paths(),
        "components": {
            "schemas": {"Error": {"type": "object", "required": ["error"], "properties": {"error": error}}},
            "securitySchemes": {"key": bearer},
        },
    }
