"""Chat as OpenAI answers it: it says back what it was told, calls each tool it has, fills each schema it is given."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from openai_like.wording import (
    CREATED,
    FINGERPRINT,
    Json,
    as_events,
    as_json,
    count,
    data,
    identity,
    logprobs,
    pieces,
    sample,
    shortened,
)
from upstream import DONE, Answer

THOUGHTS = "The person greets, so greet back."
UNKNOWN_HERE = "x_future"
"""A field that nobody knows yet: what is asked in it comes back in it."""


def chat(body: Json) -> Answer:
    """Answer a request for a chat completion."""
    choices = [_Choice(body, number) for number in range(body.get("n") or 1)]
    if body.get("stream"):
        return as_events(_stream(body, choices))
    return as_json(
        {
            **_head(body, "chat.completion"),
            "choices": [choice.whole() for choice in choices],
            "usage": _usage(body, choices),
        }
    )


class _Choice:
    def __init__(self, body: Json, number: int) -> None:
        self.number = number
        self.thoughts = THOUGHTS if body["model"].startswith("thinks") else ""
        self.calls = _calls(body)
        limit = body.get("max_completion_tokens") or body.get("max_tokens")
        said = "" if self.calls else _said(body)
        self.said, self.finish = shortened(said, limit, body.get("stop"))
        if self.calls:
            self.finish = "tool_calls"
        self._top = (body.get("top_logprobs") or 0) if body.get("logprobs") else None

    def whole(self) -> Json:
        message: Json = {"role": "assistant", "content": self.said or None, "refusal": None, "annotations": []}
        if self.thoughts:
            message["reasoning_content"] = self.thoughts
        if self.calls:
            message["tool_calls"] = self.calls
        return {
            "index": self.number,
            "message": message,
            "logprobs": self._logprobs(pieces(self.said)),
            "finish_reason": self.finish,
        }

    def deltas(self) -> Iterator[Json]:
        yield self._delta({"role": "assistant", "content": None if self.calls else "", "refusal": None})
        for word in pieces(self.thoughts):
            yield self._delta({"reasoning_content": word})
        for index, call in enumerate(self.calls):
            arguments = call["function"]["arguments"]
            begun = {**call, "function": {**call["function"], "arguments": ""}}
            yield self._delta({"tool_calls": [{"index": index, **begun}]})
            for start in range(0, len(arguments), 9):
                part = arguments[start : start + 9]
                yield self._delta({"tool_calls": [{"index": index, "function": {"arguments": part}}]})
        for word in pieces(self.said):
            yield self._delta({"content": word}, word)
        yield {"index": self.number, "delta": {}, "logprobs": None, "finish_reason": self.finish}

    def _delta(self, delta: Json, word: str | None = None) -> Json:
        known = None if word is None else self._logprobs([word])
        return {"index": self.number, "delta": delta, "logprobs": known, "finish_reason": None}

    def _logprobs(self, words: list[str]) -> Json | None:
        return None if self._top is None else {"content": logprobs(words, self._top), "refusal": None}


def _head(body: Json, kind: str) -> Json:
    head = {
        "id": identity("chatcmpl-", body),
        "object": kind,
        "created": CREATED,
        "model": f"{body['model']}-2026-08-07",
        "service_tier": body.get("service_tier") or "default",
        "system_fingerprint": FINGERPRINT,
    }
    if UNKNOWN_HERE in body:
        head[UNKNOWN_HERE] = body[UNKNOWN_HERE]
    return head


def _stream(body: Json, choices: list[_Choice]) -> Iterator[bytes]:
    head = _head(body, "chat.completion.chunk")
    with_usage = (body.get("stream_options") or {}).get("include_usage")
    none: Json = {"usage": None} if with_usage else {}
    for choice in choices:
        for number, delta in enumerate(choice.deltas()):
            yield data({**head, "choices": [delta], **none, "obfuscation": "x" * (number % 7)})
    if with_usage:
        yield data({**head, "choices": [], "usage": _usage(body, choices)})
    yield DONE


def _usage(body: Json, choices: list[_Choice]) -> Json:
    prompt = count(*(_texts(message.get("content")) for message in body["messages"])) + 7 * len(body["messages"])
    reasoning = sum(count(choice.thoughts) for choice in choices)
    said = sum(count(choice.said) + 5 * len(choice.calls) for choice in choices)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": said + reasoning,
        "total_tokens": prompt + said + reasoning,
        "prompt_tokens_details": {"cached_tokens": prompt // 2, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _calls(body: Json) -> list[Json]:
    tools, choice = body.get("tools") or [], body.get("tool_choice", "auto")
    if choice == "none" or body["messages"][-1]["role"] == "tool":
        return []
    if isinstance(choice, Mapping):
        tools = [tool for tool in tools if tool["function"]["name"] == choice["function"]["name"]]
    if body.get("parallel_tool_calls") is False:
        tools = tools[:1]
    return [_call(body, tool["function"], number) for number, tool in enumerate(tools)]


def _call(body: Json, function: Json, number: int) -> Json:
    arguments = json.dumps(sample(function.get("parameters", {})))
    return {
        "id": identity("call_", {"messages": body["messages"], "number": number}),
        "type": "function",
        "function": {"name": function["name"], "arguments": arguments},
    }


def _said(body: Json) -> str:
    form = body.get("response_format") or {}
    if form.get("type") == "json_schema":
        return json.dumps(sample(form["json_schema"]["schema"]))
    if form.get("type") == "json_object":
        return '{"ok": true}'
    last = body["messages"][-1]
    parts = last["content"] if isinstance(last["content"], list) else []
    counted = {kind: sum(part["type"] == kind for part in parts) for kind in dict.fromkeys(p["type"] for p in parts)}
    seen = "".join(f" [{kind}: {number}]" for kind, number in counted.items())
    return f"You ({last['role']}) said: {_texts(last['content'])}{seen} 안녕 👋"


def _texts(content: Any) -> str:
    if isinstance(content, str):
        return content
    return " ".join(part["text"] for part in content or () if part["type"] == "text")
