"""Conversations made by the server's own API, as long as a test needs them."""

import aiohttp
from program import Program
from server.serving import asked

LONG = 130
"""Turns of a conversation that is not drawn at once, nor fetched whole."""


async def conversation_of(program: Program, turns: int) -> str:
    """Make a conversation of so many turns, each answered as the model is told to; return the page's path to it."""
    conversation, parent = "", None
    async with aiohttp.ClientSession(program.address) as client:
        for number in range(turns):
            body = asked(f"Question {number}.", conversation=conversation, parent=parent)
            async with client.post("/api/turns", json=body) as answer:
                assert answer.status == 200
                await answer.read()
            conversation, parent = body["conversation"], body["reply"]
    return f"/#/c/{conversation}"
