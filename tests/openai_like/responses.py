"""Responses as OpenAI answers them: items of output, and a stream that names each step of their making."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from openai_like.wording import CREATED, Json, as_events, as_json, count, identity, named, pieces, sample, shortened
from upstream import Answer

SUMMARY = "A greeting wants a greeting."


def respond(body: Json) -> Answer:
    """Answer a request for a response."""
    items = list(_items(body))
    whole = _response(body, items, _usage(body, items))
    if not body.get("stream"):
        return as_json(whole)
    begun = _response(body, [], None) | {"status": "in_progress", "incomplete_details": None, "completed_at": None}
    return as_events(_numbered(begun, items, whole))


def _response(body: Json, items: list[Json], usage: Json | None) -> Json:
    cut = any(item.get("status") == "incomplete" for item in items)
    return {
        "id": identity("resp_", body),
        "object": "response",
        "created_at": CREATED,
        "status": "incomplete" if cut else "completed",
        "completed_at": None if cut else CREATED + 1,
        "background": False,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "max_tool_calls": None,
        "model": f"{body['model']}-2026-08-07",
        "output": items,
        "parallel_tool_calls": body.get("parallel_tool_calls", True),
        "previous_response_id": body.get("previous_response_id"),
        "reasoning": {"effort": None, "summary": None, **(body.get("reasoning") or {})},
        "service_tier": "default",
        "store": body.get("store", True),
        "temperature": body.get("temperature", 1.0),
        "text": body.get("text") or {"format": {"type": "text"}},
        "tool_choice": body.get("tool_choice", "auto"),
        "tools": body.get("tools") or [],
        "top_p": body.get("top_p", 1.0),
        "truncation": body.get("truncation", "disabled"),
        "usage": usage,
        "metadata": body.get("metadata") or {},
    }


def _items(body: Json) -> Iterator[Json]:
    if body["model"].startswith("thinks"):
        summary = [{"type": "summary_text", "text": SUMMARY}]
        yield {"id": identity("rs_", body), "type": "reasoning", "summary": summary}
    asked = body["input"]
    last = asked if isinstance(asked, str) else asked[-1]
    answered = isinstance(last, Mapping) and last.get("type") == "function_call_output"
    functions = [tool for tool in body.get("tools") or [] if tool["type"] == "function" and not answered]
    for number, tool in enumerate(functions):
        numbered = {"asked": asked, "number": number}
        yield {
            "id": identity("fc_", numbered),
            "type": "function_call",
            "status": "completed",
            "call_id": identity("call_", numbered),
            "name": tool["name"],
            "arguments": json.dumps(sample(tool["parameters"])),
        }
    if not functions:
        yield _message(body, asked)


def _message(body: Json, asked: Any) -> Json:
    form = (body.get("text") or {}).get("format") or {}
    said = json.dumps(sample(form["schema"])) if form.get("type") == "json_schema" else f"You said: {_texts(asked)} 👋"
    said, finish = shortened(said, body.get("max_output_tokens"), None)
    return {
        "id": identity("msg_", body),
        "type": "message",
        "status": "incomplete" if finish == "length" else "completed",
        "role": "assistant",
        "content": [{"type": "output_text", "annotations": [], "logprobs": [], "text": said}],
    }


def _texts(asked: Any) -> str:
    if isinstance(asked, str):
        return asked
    contents = [item.get("content") or item.get("output") or "" for item in asked]
    return " ".join(
        text
        for content in contents
        for text in ([content] if isinstance(content, str) else [part.get("text", "") for part in content])
    )


def _usage(body: Json, items: list[Json]) -> Json:
    read = count(_texts(body["input"]), body.get("instructions") or "")
    reasoning = count(*(part["text"] for item in items for part in item.get("summary", ())))
    written = count(*(part["text"] for item in items for part in item.get("content", ())))
    written += reasoning + sum(count(item.get("arguments", "")) for item in items)
    return {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": read // 2, "cache_write_tokens": 0},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": read + written,
    }


def _numbered(begun: Json, items: list[Json], whole: Json) -> Iterator[bytes]:
    for number, (kind, event) in enumerate(_steps(begun, items, whole)):
        yield named(kind, {"sequence_number": number, **event})


def _steps(begun: Json, items: list[Json], whole: Json) -> Iterator[tuple[str, Json]]:
    yield "response.created", {"response": begun}
    yield "response.in_progress", {"response": begun}
    for index, item in enumerate(items):
        opened = {name: [] if isinstance(value, list) else value for name, value in item.items()}
        if item["type"] == "function_call":
            opened["arguments"] = ""
        if "status" in opened:
            opened["status"] = "in_progress"
        yield "response.output_item.added", {"output_index": index, "item": opened}
        where = {"item_id": item["id"], "output_index": index}
        for kind, event in _growth(item):
            yield kind, {**where, **event}
        yield "response.output_item.done", {"output_index": index, "item": item}
    yield f"response.{whole['status']}", {"response": whole}


def _growth(item: Json) -> Iterator[tuple[str, Json]]:
    if item["type"] == "function_call":
        arguments = item["arguments"]
        for start in range(0, len(arguments), 9):
            yield "response.function_call_arguments.delta", {"delta": arguments[start : start + 9]}
        yield "response.function_call_arguments.done", {"name": item["name"], "arguments": arguments}
        return
    if item["type"] == "reasoning":
        kind, part, first = "response.reasoning_summary", item["summary"][0], {"summary_index": 0}
        yield f"{kind}_part.added", {**first, "part": {**part, "text": ""}}
        yield from _spoken(f"{kind}_text", part, first)
        yield f"{kind}_part.done", {**first, "part": part}
        return
    part, first = item["content"][0], {"content_index": 0}
    yield "response.content_part.added", {**first, "part": {**part, "text": ""}}
    yield from _spoken("response.output_text", part, {**first, "logprobs": []})
    yield "response.content_part.done", {**first, "part": part}


def _spoken(kind: str, part: Json, where: Json) -> Iterator[tuple[str, Json]]:
    for word in pieces(part["text"]):
        yield f"{kind}.delta", {**where, "delta": word}
    yield f"{kind}.done", {**where, "text": part["text"]}
