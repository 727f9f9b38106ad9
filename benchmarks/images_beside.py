"""What do images cost whoever does not look at them? A conversation of 20 questions with an image of 500 KB each,
within messages as base64 and beside them as they are kept: SQLite's time, DynamoDB's units. `python images_beside.py`.
"""

import asyncio
import base64
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from dynamodb_capacity import CountingTransport, Units, counted_table  # isort: skip - it says where the tests are
from dynamodb_local import dynamodb_server
from stores.asking import ME, an_image, ask, ended, make_turn

from daehwa.conversation.images import QUESTION_IMAGE_BYTES
from daehwa.conversation.messages import Message
from daehwa.conversation.ports import ConversationStore, NewTurn
from daehwa.conversation.stretch import StretchWish
from daehwa.http_client.client import HttpClient
from daehwa.stores.dynamodb import DynamoStore
from daehwa.stores.sqlite import SqliteStore

QUESTIONS, IMAGE_BYTES, RUNS = 20, 500_000, 30


def asked(*, is_beside: bool, **where: Any) -> NewTurn:
    """Return a question with an image."""
    image = an_image(IMAGE_BYTES)
    if is_beside:
        return make_turn("What is this?", shows=[image], **where)
    return make_turn("What is this? " + base64.b64encode(image.data).decode(), title="What is this?", **where)


async def filled(store: ConversationStore, *, is_beside: bool) -> tuple[Message, NewTurn, list[float]]:
    """Store the conversation; return its last reply, its last turn, and how long each turn took in milliseconds."""
    turn, took = asked(is_beside=is_beside), list[float]()
    while True:
        began = time.perf_counter()
        reply = (await store.begin_turn(turn)).reply
        await store.finish_reply(ended(reply, "A tree."))
        took.append((time.perf_counter() - began) * 1000)
        if len(took) == QUESTIONS:
            return reply, turn, took
        turn = asked(is_beside=is_beside, conversation=reply.conversation, parent=reply.id)


def works(store: ConversationStore, reply: Message, turn: NewTurn) -> dict[str, Callable[[], Awaitable[object]]]:
    """Return what is done in the conversation, by its name."""
    of = reply.conversation
    named: dict[str, Callable[[], Awaitable[object]]] = {
        "open it": lambda: store.get_conversation(ME, of),
        "open its newest stretch": lambda: store.read_stretch(ME, of, StretchWish(limit=10)),
        "list": lambda: store.list_conversations(ME),
        "search": lambda: store.search_conversations(ME, "what"),
        "a question without an image, and its answer": lambda: ask(store, "More", conversation=of, parent=reply.id),
    }
    if turn.images:
        large = [an_image(QUESTION_IMAGE_BYTES // 8) for _ in range(8)]
        named["one image"] = lambda: store.get_image(ME, of, turn.images[0].id)
        named["a question with 4 MB of them, and its answer"] = lambda: ask(
            store, "More", conversation=of, parent=reply.id, shows=large
        )
    return named


async def measured(work: Callable[[], Awaitable[object]], runs: int) -> str:
    """Return the median time of a work."""
    took = []
    for _ in range(runs):
        began = time.perf_counter()
        await work()
        took.append((time.perf_counter() - began) * 1000)
    return f"{statistics.median(took):.2f} ms"


async def in_sqlite(folder: Path, *, is_beside: bool) -> dict[str, str]:
    """Return the medians of all works in a file."""
    store = await SqliteStore.open(folder / f"{is_beside}.db")
    reply, turn, took = await filled(store, is_beside=is_beside)
    told = {"a question with an image, and its answer": f"{statistics.median(took):.2f} ms"}
    for name, work in works(store, reply, turn).items():
        told[name] = await measured(work, 1 if "4 MB" in name else RUNS)
    await store.aclose()
    return told


async def in_dynamodb(*, is_beside: bool) -> dict[str, str]:
    """Return the units of all works in a table."""
    units, http = Units(), HttpClient()
    with dynamodb_server() as server:
        store = DynamoStore(counted_table(server, await server.new_table(), CountingTransport(http, units)))
        reply, turn, _ = await filled(store, is_beside=is_beside)
        named = works(store, reply, turn)
        where = {"conversation": reply.conversation, "parent": reply.id}
        named["begin a question with an image"] = lambda: store.begin_turn(asked(is_beside=is_beside, **where))
        told = {}
        for name, work in named.items():
            units.clear()
            await work()
            told[name] = f"{units.written:.0f}, {units.read:.1f}, {units.bytes / 1000:.0f} KB"
        await store.aclose()
    await http.aclose()
    return told


async def main() -> None:
    """Print both tables."""
    with tempfile.TemporaryDirectory() as folder:
        inside, beside = [await in_sqlite(Path(folder), is_beside=is_beside) for is_beside in (False, True)]
    print(told_of("SQLite", inside, beside))
    inside, beside = [await in_dynamodb(is_beside=is_beside) for is_beside in (False, True)]
    print(told_of("DynamoDB: units written, read, what came back", inside, beside))


def told_of(home: str, inside: dict[str, str], beside: dict[str, str]) -> str:
    """Return what was measured as a table."""
    rows = (f"| {name} | {inside.get(name, '–')} | {beside[name]} |" for name in beside)
    return "\n".join([f"| {home} | in the message | beside it |", "|---|--:|--:|", *rows, ""])


if __name__ == "__main__":
    asyncio.run(main())
