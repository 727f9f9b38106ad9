"""The server dies in the middle of an answer: what is on disk, and how it goes on from there."""

import asyncio
import random
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
from faults.reading import Seen, get, read, said_by, stored_reply
from model import Model
from program import Program, serving
from server.serving import Frame, asked, frames_of, text_of
from upstream import ROLE, Answer, stream, text

from daehwa.conversation.ids import new_id
from daehwa.data_folder import DataFolder

ROUNDS = 4
CHECKPOINT_SECONDS = 0.5
WRITING_SECONDS = 0.15
"""A checkpoint that was due may still be on its way to a slow disk."""

WORDS = " ".join(f"word{number}" for number in range(2000))


@dataclass
class Home:
    """A data folder and the model; servers come and go."""

    data: Path
    model: Model

    @asynccontextmanager
    async def served(self) -> AsyncIterator[tuple[Program, aiohttp.ClientSession]]:
        settings = {"OPENAI_BASE_URL": self.model.upstream.base_url}
        async with AsyncExitStack() as stack:
            program = await stack.enter_async_context(serving(self.data, settings))
            yield program, await stack.enter_async_context(aiohttp.ClientSession(program.address))

    def check_file(self) -> None:
        """Ask SQLite whether its file is sound."""
        connection = sqlite3.connect(DataFolder(self.data).database)
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Home]:
    model = Model()
    async with model.upstream:
        yield Home(tmp_path / "data", model)


async def test_killed_at_any_moment_question_and_text_are_there_and_it_goes_on(home: Home) -> None:
    moments = random.Random(20261122)  # noqa: S311 - any moment will do, the same ones each time
    for _ in range(ROUNDS):
        turn, seen = asked("Count, please"), Seen()
        home.model.says(Answer(stream(WORDS, pace=0.01)), "and the rest.")
        async with home.served() as (program, client), client.post("/api/turns", json=turn) as answer:
            reading = asyncio.create_task(read(answer, seen))
            await home.model.question()
            await asyncio.sleep(moments.uniform(0.7, 2.5))
            killed = time.monotonic()
            await program.kill()
            await reading
        async with home.served() as (program, client):
            question, reply = await stored_reply(client, turn)
            assert said_by(question) == "Count, please"
            assert reply["status"] == "interrupted"
            kept = said_by(reply)
            assert WORDS.startswith(kept)
            assert seen.said
            assert len(kept) >= seen.length_at(killed - CHECKPOINT_SECONDS - WRITING_SECONDS) > 0
            assert kept == text_of(await followed(client, turn["reply"]))
            more = {"conversation": turn["conversation"], "reply": new_id(), "parent": turn["reply"], "continue": True}
            async with client.post("/api/turns", json=more) as answer:
                assert text_of(frames_of(await answer.text())) == "and the rest."
            sent = home.model.questions[-1].json["messages"]
            assert {"role": "assistant", "content": kept} in sent
            assert await program.terminate() == 0
    home.check_file()


async def followed(client: aiohttp.ClientSession, reply: str) -> list[Frame]:
    """Follow a reply that has ended."""
    async with client.get(f"/api/turns/{reply}/events") as answer:
        return frames_of(await answer.text())


async def test_killed_right_after_the_head_the_question_is_there(home: Home) -> None:
    turns = []
    for number in range(3):
        turn = asked(f"Question {number}")
        turns.append(turn)
        home.model.says([ROLE, 60.0])
        async with home.served() as (program, client), client.post("/api/turns", json=turn) as answer:
            assert answer.status == 200
            await program.kill()
    async with home.served() as (_, client):
        for number, turn in enumerate(turns):
            question, reply = await stored_reply(client, turn)
            assert said_by(question) == f"Question {number}"
            assert (reply["status"], reply["parts"]) == ("interrupted", [])
        listed = await get(client, "/api/conversations")
        assert len(listed["conversations"]) == 3
        home.model.says("Here it is.")
        again = {"conversation": turns[0]["conversation"], "reply": new_id(), "parent": turns[0]["message"]["id"]}
        async with client.post("/api/turns", json=again) as answer:
            assert text_of(frames_of(await answer.text())) == "Here it is."
    home.check_file()


async def test_the_same_question_sent_again_after_the_kill_is_no_second_one(home: Home) -> None:
    turn = asked("Once only")
    home.model.says([ROLE, text("Begun"), 60.0])
    async with home.served() as (program, client), client.post("/api/turns", json=turn) as answer:
        assert answer.status == 200
        await program.kill()
    async with home.served() as (_, client):
        async with client.post("/api/turns", json=turn) as answer:
            frames = frames_of(await answer.text())
        assert frames[-1].event == "error"
        assert frames[-1].data["status"] == "interrupted"
        opened = await get(client, f"/api/conversations/{turn['conversation']}")
        assert len(opened["messages"]) == 2
    assert len(home.model.questions) == 1


async def test_terminated_it_ends_soon_and_everybody_gets_an_end(home: Home) -> None:
    turn, asking, following = asked("Count, please"), Seen(), Seen()
    home.model.says(Answer(stream(WORDS, pace=0.01)))
    async with home.served() as (program, client), client.post("/api/turns", json=turn) as answer:
        reads = [asyncio.create_task(read(answer, asking))]
        upstream_call = await home.model.question()
        async with client.get(f"/api/turns/{turn['reply']}/events") as events:
            reads.append(asyncio.create_task(read(events, following)))
            while len(following.said) < 200:  # noqa: ASYNC110 - the text grows in a task of its own
                await asyncio.sleep(0.02)
            began = time.monotonic()
            assert await program.terminate() == 0
            assert time.monotonic() - began < 5
            await asyncio.gather(*reads)
        await asyncio.wait_for(upstream_call.closed.wait(), 5)
    for seen in (asking, following):
        assert seen.frames[-1].event == "error"
        assert seen.frames[-1].data["status"] == "interrupted"
    assert asking.said == following.said
    async with home.served() as (_, client):
        _, reply = await stored_reply(client, turn)
        assert reply["status"] == "interrupted"
        assert said_by(reply) == asking.said
    home.check_file()
