"""A client of a server that is about to die: what it saw, and when."""

import json
import time
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from server.serving import Frame, Json, frames_of, text_of


@dataclass
class Seen:
    """A reply's stream as one client got it."""

    text: str = ""
    moments: list[tuple[float, int]] = field(default_factory=list)

    @property
    def frames(self) -> list[Frame]:
        """The whole events that came."""
        return frames_of(self.text)

    @property
    def said(self) -> str:
        """The reply's text that came."""
        return text_of(self.frames)

    def length_at(self, moment: float) -> int:
        """How much of the reply's text had come at that moment."""
        return max((length for at, length in self.moments if at <= moment), default=0)


async def read(answer: aiohttp.ClientResponse, seen: Seen) -> None:
    """Read a stream until it ends or its server is gone."""
    assert answer.status == 200
    try:
        async for piece in answer.content.iter_any():
            seen.text += piece.decode()
            seen.moments.append((time.monotonic(), len(seen.said)))
    except (aiohttp.ClientPayloadError, aiohttp.ClientConnectionError):
        pass


async def get(client: aiohttp.ClientSession, path: str) -> Any:
    """Return an answer's JSON."""
    async with client.get(path) as answer:
        assert answer.status == 200
        return json.loads(await answer.text())


async def stored_reply(client: aiohttp.ClientSession, turn: Json) -> tuple[Json, Json]:
    """Return question and reply of a turn as they are stored."""
    opened = await get(client, f"/api/conversations/{turn['conversation']}")
    messages = {message["id"]: message for message in opened["messages"]}
    return messages[turn["message"]["id"]], messages[turn["reply"]]


def said_by(message: Json) -> str:
    """Return a message's text."""
    return "".join(part["text"] for part in message["parts"])
