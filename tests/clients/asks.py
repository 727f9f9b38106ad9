"""What the clients ask, as data: the same for Python's package, sync and async, and for Node's.

`call` is the method of the client, `body` its parameters. A file is `{"$file": its name}`, with `RECORDING` in it.
"""

from typing import Any, NamedTuple

RECORDING = b"RIFF" + bytes(range(256)) * 300 + b"\r\n--not-a-boundary\r\n"


class Ask(NamedTuple):
    """One call of a client."""

    name: str
    call: str
    body: dict[str, Any]


def _message(text: str, role: str = "user") -> dict[str, Any]:
    return {"role": role, "content": text}


def _tool(name: str, **properties: dict[str, Any]) -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}
    return {"type": "function", "function": {"name": name, "parameters": parameters, "strict": True}}


CHAT, RESPONSE, PROMPT = "chat.completions.create", "responses.create", "completions.create"
HEAR, TRANSLATE, DRAW = "audio.transcriptions.create", "audio.translations.create", "images.generate"
SPEAK, MODERATE, EDIT, VARY = "audio.speech.create", "moderations.create", "images.edit", "images.create_variation"
HELLO: dict[str, Any] = {"model": "talks", "messages": [_message("Hello, 세계!")]}
TOOLS: list[Any] = [
    _tool("weather", city={"type": "string"}, days={"type": "integer"}),
    _tool("clock", zone={"type": "string", "enum": ["KST", "UTC"]}),
]
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
_SCHEMA = {"name": "person", "schema": PERSON, "strict": True}
_CALLED = {
    "role": "assistant",
    "content": None,
    "tool_calls": [
        {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Seoul"}'}}
    ],
}
_SEEN = [
    {"type": "text", "text": "What is this?"},
    {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}},
    {"type": "image_url", "image_url": {"url": "https://images.example.com/cat.png"}},
    {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
]
_FLAT_TOOLS = [{"type": "function", **tool["function"]} for tool in TOOLS]
_FILE = {"$file": "한국어 speech.wav"}

_SPOKEN: dict[str, dict[str, Any]] = {
    "MP3": {},
    "samples": {"response_format": "pcm", "speed": 2, "instructions": "Calmly."},
    "events": {"stream_format": "sse"},
}
_SHOWN = [
    {"type": "text", "text": "Hi"},
    {"type": "image_url", "image_url": {"url": "https://images.example.com/a.png"}},
]
_SEA = {"model": "draws", "image": _FILE, "prompt": "A sea"}


def _both(name: str, call: str, body: dict[str, Any]) -> list[Ask]:
    """Ask for the whole answer, and for a stream."""
    return [Ask(name, call, body), Ask(f"{name}, streamed", call, {**body, "stream": True})]


ASKS = [
    *_both("chat", CHAT, HELLO),
    Ask("usage in the stream", CHAT, {**HELLO, "stream": True, "stream_options": {"include_usage": True}}),
    Ask("no usage in the stream", CHAT, {**HELLO, "stream": True, "stream_options": {"include_usage": False}}),
    *_both("several answers", CHAT, {**HELLO, "n": 3}),
    *_both("probabilities", CHAT, {**HELLO, "logprobs": True, "top_logprobs": 2}),
    *_both("tools", CHAT, {**HELLO, "tools": TOOLS}),
    *_both("one tool at a time", CHAT, {**HELLO, "tools": TOOLS, "parallel_tool_calls": False}),
    Ask(
        "a chosen tool",
        CHAT,
        {**HELLO, "tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "clock"}}},
    ),
    Ask(
        "a tool's result",
        CHAT,
        {
            "model": "talks",
            "messages": [_message("Rain?"), _CALLED, {"role": "tool", "tool_call_id": "call_1", "content": "rain"}],
            "tools": TOOLS,
        },
    ),
    *_both("a schema", CHAT, {**HELLO, "response_format": {"type": "json_schema", "json_schema": _SCHEMA}}),
    Ask("any JSON", CHAT, {**HELLO, "response_format": {"type": "json_object"}}),
    *_both("images and sound", CHAT, {"model": "talks", "messages": [{"role": "user", "content": _SEEN}]}),
    *_both("reasoning", CHAT, {**HELLO, "model": "thinks", "reasoning_effort": "low"}),
    *_both("a short answer", CHAT, {**HELLO, "max_completion_tokens": 3}),
    Ask("a short answer, as it was said once", CHAT, {**HELLO, "max_tokens": 2, "stop": ["said"]}),
    *_both("a field that nobody knows", CHAT, {**HELLO, "x_future": {"deep": [1, 2.50, "셋"]}, "service_tier": "flex"}),
    *_both("a prompt", PROMPT, {"model": "writes-instruct", "prompt": "Once upon a time"}),
    *_both(
        "prompts", PROMPT, {"model": "writes-instruct", "prompt": ["One", "Two"], "n": 2, "echo": True, "logprobs": 1}
    ),
    Ask("a prompt that stops", PROMPT, {"model": "writes-instruct", "prompt": "Once", "stop": ",", "max_tokens": 9}),
    Ask(
        "usage in a prompt's stream",
        PROMPT,
        {"model": "writes-instruct", "prompt": "Once", "stream": True, "stream_options": {"include_usage": True}},
    ),
    *_both("a response", RESPONSE, {"model": "talks", "input": "Hello, 세계!", "metadata": {"for": "tests"}}),
    *_both(
        "a response of items", RESPONSE, {"model": "talks", "input": [_message("Hello")], "instructions": "Be brief."}
    ),
    *_both("a response by tools", RESPONSE, {"model": "talks", "input": "Rain?", "tools": _FLAT_TOOLS}),
    *_both("a response with thoughts", RESPONSE, {"model": "thinks", "input": "Hi", "reasoning": {"summary": "auto"}}),
    *_both("a response cut short", RESPONSE, {"model": "talks", "input": "Hi", "max_output_tokens": 2}),
    Ask(
        "a response by a schema",
        RESPONSE,
        {"model": "talks", "input": "Who?", "text": {"format": {"type": "json_schema", **_SCHEMA}}},
    ),
    Ask("embeddings", "embeddings.create", {"model": "embeds", "input": ["one", "둘 셋"]}),
    Ask("embeddings as numbers", "embeddings.create", {"model": "embeds", "input": "one", "encoding_format": "float"}),
    Ask("short embeddings", "embeddings.create", {"model": "embeds", "input": [[1, 2, 3]], "dimensions": 4}),
    *_both("a recording", HEAR, {"model": "hears-tokens", "file": _FILE, "language": "ko"}),
    *(
        Ask(f"a recording as {form}", HEAR, {"model": "hears-seconds", "file": _FILE, "response_format": form})
        for form in ("json", "text", "srt", "vtt")
    ),
    Ask(
        "a recording word by word",
        HEAR,
        {
            "model": "hears-seconds",
            "file": _FILE,
            "response_format": "verbose_json",
            "timestamp_granularities": ["word", "segment"],
        },
    ),
    Ask("a translation", TRANSLATE, {"model": "hears-seconds", "file": _FILE, "prompt": "Calmly."}),
    Ask("images", DRAW, {"model": "draws", "prompt": "A quiet sea", "n": 2}),
    Ask("images at addresses", DRAW, {"model": "draws-plain", "prompt": "A sea", "response_format": "url"}),
    Ask("an image, streamed", DRAW, {"model": "draws", "prompt": "A sea", "stream": True, "partial_images": 2}),
    *(
        Ask(f"a speech as {form}", SPEAK, {"model": "speaks", "input": "안녕, sea!", "voice": "coral", **more})
        for form, more in _SPOKEN.items()
    ),
    Ask("moderation", MODERATE, {"model": "omni-moderation-test", "input": ["I harm you", "Hello"]}),
    Ask("moderation by the default model", MODERATE, {"input": "Hello"}),
    Ask("moderation of a picture", MODERATE, {"model": "omni-moderation-test", "input": _SHOWN}),
    Ask("changed images", EDIT, {"model": "draws", "image": [_FILE, _FILE], "prompt": "세계", "n": 2, "mask": _FILE}),
    Ask("a changed image", EDIT, {"model": "draws", "image": _FILE, "prompt": "A sea", "size": "1024x1024"}),
    Ask("a changed image, streamed", EDIT, {**_SEA, "stream": True, "partial_images": 2}),
    Ask("variations", VARY, {"model": "draws", "image": _FILE, "n": 2}),
    Ask("a model that is not there", CHAT, {**HELLO, "model": "nobody"}),
]
FAULTS = (
    *("fails-400", "fails-403", "fails-404", "fails-409", "fails-413", "fails-422", "fails-429"),
    *("fails-500", "fails-503", "fails-html", "fails-cut", "fails-inside", "fails-slow"),
)
FAILING = [
    *(ask for fault in FAULTS for ask in _both(fault, CHAT, {**HELLO, "model": fault})),
    *(ask for fault in FAULTS for ask in _both(f"{fault} of a response", RESPONSE, {"model": fault, "input": "Hello"})),
]
"""What an upstream's errors become in a client. What is about daehwa's own key is not among them."""
