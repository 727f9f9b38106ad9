"""What a client saw of a call, as plain data: status, headers, the answer or each event of it, or the error's class."""

import asyncio
import base64
import inspect
from collections.abc import AsyncIterable, Iterable
from operator import attrgetter
from typing import Any, TypeAlias

from clients.asks import RECORDING, Ask
from openai import APIError, APIStatusError, AsyncOpenAI, OpenAI
from openai._legacy_response import HttpxBinaryResponseContent
from pydantic import BaseModel

Recorded: TypeAlias = dict[str, Any]


def record(client: OpenAI, ask: Ask) -> Recorded:
    """Ask as a program does that waits."""
    method, given = _prepared(client, ask)
    seen: list[Any] = []
    try:
        raw = method(**given)
        answer = raw.parse()
        if isinstance(answer, Iterable) and not isinstance(answer, str | BaseModel):
            seen.extend(_plain(event) for event in answer)
            return _came(raw, events=seen)
        return _came(raw, answer=_plain(answer))
    except Exception as error:  # noqa: BLE001 - whatever a client meets is what is recorded
        return _failed(error, seen)


async def record_async(client: AsyncOpenAI, ask: Ask) -> Recorded:
    """Ask as a program does that has other work meanwhile."""
    method, given = _prepared(client, ask)
    seen: list[Any] = []
    try:
        raw = await method(**given)
        answer = raw.parse()
        if isinstance(answer, AsyncIterable):
            async for event in answer:
                seen.append(_plain(event))  # noqa: PERF401 - what came before an error counts
            return _came(raw, events=seen)
        return _came(raw, answer=_plain(answer))
    except Exception as error:  # noqa: BLE001 - as above
        return _failed(error, seen)


async def record_in_thread(client: OpenAI, ask: Ask) -> Recorded:
    """Ask as a program does that waits, beside the upstream in this process."""
    return await asyncio.to_thread(record, client, ask)


def _prepared(client: OpenAI | AsyncOpenAI, ask: Ask) -> tuple[Any, dict[str, Any]]:
    resource, _, name = ask.call.rpartition(".")
    owner = attrgetter(resource)(client)
    known = inspect.signature(getattr(owner, name)).parameters
    given: dict[str, Any] = {}
    for field, value in ask.body.items():
        if isinstance(value, list) and all(isinstance(each, dict) and "$file" in each for each in value):
            given[field] = [_file(each) for each in value]
        elif isinstance(value, dict) and "$file" in value:
            given[field] = _file(value)
        elif field in known:
            given[field] = value
        else:
            given.setdefault("extra_body", {})[field] = value
    return getattr(owner.with_raw_response, name), given


def _file(named: dict[str, str]) -> tuple[str, bytes, str]:
    return named["$file"], RECORDING, "audio/wav"


def _plain(answer: Any) -> Any:
    """Return an answer with only what was really said in it; of sound, all of it."""
    if isinstance(answer, HttpxBinaryResponseContent):
        return base64.b64encode(answer.content).decode()
    return (
        answer.model_dump(mode="json", by_alias=True, exclude_unset=True) if isinstance(answer, BaseModel) else answer
    )


def _came(raw: Any, **what: Any) -> Recorded:
    return {"status": raw.status_code, "headers": dict(raw.headers), **what}


def _failed(error: Exception, seen: list[Any]) -> Recorded:
    recorded: Recorded = {"class": type(error).__name__, "events": seen}
    if isinstance(error, APIError):
        said = ("message", "code", "param", "type", "body")
        recorded |= {name: getattr(error, name) for name in said}
    if isinstance(error, APIStatusError):
        recorded |= {"status": error.status_code, "headers": dict(error.response.headers)}
    return recorded
