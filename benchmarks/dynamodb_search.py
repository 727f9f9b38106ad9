"""What do a search and a message cost in DynamoDB, and how long does a search take? 1,000 conversations, Korean and
English; as the page asks, letter by letter. `python benchmarks/dynamodb_search.py [conversations]`.
"""

import asyncio
import random
import sys
import time
from collections.abc import Callable
from statistics import median, quantiles

import msgspec
from dynamodb_capacity import CountingTransport, ReplayingTransport, Units, counted_table
from dynamodb_local import dynamodb_server
from texts import OWNER, TYPED, Writer

from daehwa.conversation.archive_ports import ConversationRecord
from daehwa.conversation.ids import new_id
from daehwa.conversation.messages import Conversation, Message, TextPart
from daehwa.conversation.ports import NewTurn
from daehwa.http_client.client import HttpClient
from daehwa.stores.dynamodb import DynamoStore
from daehwa.stores.dynamodb_client import DynamoTable

FEWEST_TURNS, MOST_TURNS = 5, 10
RUNS = 3
SMALL_LAMBDA = 512 / 1769
"""What a Lambda of 512 MB has of a processor."""
RARE = ("가방끈", "Schmetterling", "일물")
"""Words that no text, or hardly one, holds: nothing ends the search early."""


def record(writer: Writer, chance: random.Random, number: int) -> ConversationRecord:
    """Make up a conversation: questions of about 100 characters, answers of about 900."""
    conversation, parent = new_id(), None
    at = 1_700_000_000_000 + number * 100_000
    messages: list[Message] = []
    for turn in range(chance.randint(FEWEST_TURNS, MOST_TURNS)):
        for role, words in (("user", 2.7), ("assistant", 5.1)):
            parts = (TextPart(writer.text(words)),)
            made = Message(
                id=new_id(),
                conversation=conversation,
                parent=parent,
                role="user" if role == "user" else "assistant",
                parts=parts,
                created=at + turn,
            )
            messages.append(made)
            parent = made.id
    return ConversationRecord(
        conversation=Conversation(
            id=conversation,
            owner=OWNER,
            title=messages[0].text[:60],
            leaf=parent,
            created=at,
            updated=messages[-1].created,
        ),
        messages=tuple(messages),
    )


async def fill(store: DynamoStore, conversations: int) -> list[ConversationRecord]:
    """Store conversations and say what they are like."""
    writer, chance = Writer(), random.Random(11)  # noqa: S311 - the same conversations in every run
    records = [record(writer, chance, number) for number in range(conversations)]
    texts = [message.text for each in records for message in each.messages]
    print(
        f"{conversations} conversations, {len(texts)} messages of {sum(map(len, texts)) / len(texts):.0f} characters, "
        f"{sum(len(text.encode()) for text in texts) / 1e6:.1f} MB of text"
    )
    began = time.perf_counter()
    for start in range(0, conversations, 16):
        await asyncio.gather(*(store.import_conversation(each) for each in records[start : start + 16]))
    print(f"filled in {time.perf_counter() - began:.0f} s")
    return records


async def timed(store: DynamoStore, query: str) -> tuple[float, float, int]:
    """Return the milliseconds that a search took, those of CPU in it, and how much it found."""
    began, cpu = time.perf_counter(), time.process_time()
    hits = await store.search_conversations(OWNER, query)
    return (time.perf_counter() - began) * 1000, (time.process_time() - cpu) * 1000, len(hits)


class Run(msgspec.Struct, frozen=True):
    """What a search took: of DynamoDB Local, and (medians) where the service takes the time that is assumed."""

    local: float
    as_aws: float
    cpu: float
    on_small_lambda: float
    units: float
    kilobytes: float
    calls: int
    hits: int


async def measure(store: Callable[[], DynamoStore], units: Units, transport: ReplayingTransport, query: str) -> Run:
    """Search several times, each time in the store that is given."""
    transport.replays = False
    locally = []
    for _ in range(RUNS):
        here = store()
        units.clear()
        locally.append((await timed(here, query))[0])
    read, size, calls = units.read, units.bytes, sum(units.calls.values())
    transport.replays = True
    runs = [await timed(store(), query) for _ in range(RUNS)]
    return Run(
        local=median(locally),
        as_aws=median(run[0] for run in runs),
        cpu=median(run[1] for run in runs),
        on_small_lambda=median(run[0] + run[1] * (1 / SMALL_LAMBDA - 1) for run in runs),
        units=read,
        kilobytes=size / 1000,
        calls=calls,
        hits=runs[0][2],
    )


async def measure_searches(table: DynamoTable, units: Units, transport: ReplayingTransport) -> None:
    """Type every query letter by letter and print what the answers took, for those who have just searched (as all but
    the first letter do) and for those who have not.
    """
    every: dict[str, list[Run]] = {"first": [], "next": []}
    print(f"{'query':28} hits {'':5} {'local':>6} {'as AWS':>6} {'CPU':>4} {'512 MB':>6} {'RRU':>5} {'KB':>5} calls")
    for query in (*TYPED, *RARE):
        for length in range(1, len(query) + 1):
            if query[length - 1] == " ":
                continue
            again = DynamoStore(table)
            first = await measure(lambda: DynamoStore(table), units, transport, query[:length])
            transport.replays = True
            await timed(again, query[:length])
            following = await measure(lambda: again, units, transport, query[:length])  # noqa: B023 - called at once
            for name, run in (("first", first), ("next", following)):
                every[name].append(run)
                print(
                    f"{query[:length] if name == 'first' else '':28} {run.hits:4} {name:5} {run.local:6.0f} "
                    f"{run.as_aws:6.0f} {run.cpu:4.0f} {run.on_small_lambda:6.0f} {run.units:5.0f} "
                    f"{run.kilobytes:5.0f} {run.calls:5}"
                )
    transport.replays = False
    for name, runs in every.items():
        for field in ("local", "as_aws", "cpu", "on_small_lambda", "units"):
            values = [getattr(run, field) for run in runs]
            cuts = quantiles(values, n=100)
            print(f"{name} {field} of {len(values)}: p50 {cuts[49]:.0f}, p95 {cuts[94]:.0f}, most {max(values):.0f}")


async def measure_indexing(store: DynamoStore, units: Units, turns: int) -> None:
    """Add turns to a conversation and print what making them findable took."""
    writer, conversation, parent = Writer(), new_id(), None
    written, read = [], []
    for number in range(turns):
        question = Message(
            id=new_id(),
            conversation=conversation,
            parent=parent,
            role="user",
            parts=(TextPart(writer.text(2.7)),),
            created=1_800_000_000_000 + number,
        )
        reply = Message(
            id=new_id(),
            conversation=conversation,
            parent=question.id,
            role="assistant",
            parts=(),
            status="streaming",
            created=question.created,
        )
        new = NewTurn(
            owner=OWNER, conversation=conversation, question=question, reply=reply, title="long", runner="benchmark"
        )
        await store.begin_turn(new)
        ended = Message(
            id=reply.id,
            conversation=conversation,
            parent=question.id,
            role="assistant",
            parts=(TextPart(writer.text(5.1)),),
            created=question.created,
        )
        await store._turns.finish(ended)  # noqa: SLF001 - what comes after is measured by itself
        units.clear()
        await store._signatures.index_reply(ended)  # noqa: SLF001 - as above
        written.append(units.written)
        read.append(units.read)
        parent = reply.id
    for first, last in ((0, 8), (8, 50), (50, turns)):
        some, others = written[first:last], read[first:last]
        cost = (sum(some) * 0.625 + sum(others) * 0.125) / len(some)
        print(
            f"turns {first + 1}-{last}: {sum(some) / len(some):.2f} WRU, {sum(others) / len(others):.2f} RRU a turn: "
            f"{cost / 2:.2f} micro-$ a message"
        )


async def main(conversations: int) -> None:
    """Print everything."""
    units, http = Units(), HttpClient()
    with dynamodb_server() as server:
        print(server.choice)
        transport = ReplayingTransport(CountingTransport(http, units))
        store = DynamoStore(counted_table(server, await server.new_table(), transport))
        await fill(store, conversations)
        print(f"import: {units.written / conversations:.1f} WRU, {units.read / conversations:.1f} RRU a conversation")
        await measure_searches(store.table, units, transport)
        await measure_indexing(store, units, 100)
        await store.aclose()
    await http.aclose()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000))
