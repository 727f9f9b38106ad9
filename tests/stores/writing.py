"""A program to be killed: it stores turns without end and prints an id when the store has acknowledged it."""

import asyncio
import sys
from pathlib import Path

from stores.asking import ended, grown, make_turn

from daehwa.stores.sqlite import SqliteStore


async def write_one_after_the_other(store: SqliteStore) -> None:
    while True:
        begun = await store.begin_turn(make_turn("question " * 50))
        await store.save_checkpoints([grown(begun.reply, "half " * 500)])
        await store.finish_reply(ended(begun.reply, "whole " * 500))
        sys.stdout.write(f"{begun.reply.id}\n")
        sys.stdout.flush()


async def main(path: Path) -> None:
    store = await SqliteStore.open(path)
    await asyncio.gather(*(write_one_after_the_other(store) for _ in range(8)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
