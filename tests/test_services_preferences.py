"""What people have set for themselves, in the home on one machine as it is wired: page, programs, terminal."""

import io
import json
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cli.conftest import Program
from real_home import RealHome, a_real_home
from upstream import Answer, FakeUpstream, stream

from daehwa.accounts.preferences import INSTRUCTION_CHARACTERS
from daehwa.conversation.ids import new_id

OWN = "반말로, 짧게 답해 줘."
PATH = "/api/preferences"


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[RealHome]:
    async with a_real_home(tmp_path) as made:
        yield made


def told(upstream: FakeUpstream) -> list[Any]:
    """Return what the upstream was told before each question."""
    asked = [json.loads(request.body)["messages"] for request in upstream.turns]
    return [[each["content"] for each in messages if each["role"] == "system"] for messages in asked]


async def test_the_model_is_told_what_somebody_wants_before_their_questions_alone(home: RealHome) -> None:
    boss, mina = await home.door.admin(), await home.door.member()
    key = await home.key(mina)
    assert await mina.call("GET", PATH) == (200, {"instructions": ""})
    await home.turn(mina)
    kept = (200, {"instructions": OWN})
    assert await mina.call("PATCH", PATH, {"instructions": f"  {OWN}\n"}) == kept
    assert await mina.call("GET", PATH) == kept == await mina.call("PATCH", PATH, {})
    assert await boss.call("GET", PATH) == (200, {"instructions": ""})

    await home.turn(mina)
    await home.turn(boss)
    await home.ask(key)
    assert told(home.upstream) == [[], [OWN], [], []], "neither others nor programs"
    status, group = await boss.call("POST", "/api/groups", {"name": "Lab", "instructions": "Answer in Korean."})
    assert status == 201
    await boss.call("PATCH", f"/api/people/{await home.id_of(mina)}", {"groups": [group["id"]]})
    await home.turn(mina)
    assert told(home.upstream)[-1] == [f"Answer in Korean.\n\n{OWN}"], "a group's come first"

    assert (await mina.call("PATCH", PATH, {"instructions": " "}))[1] == {"instructions": ""}
    await home.turn(mina)
    assert told(home.upstream)[-1] == ["Answer in Korean."]


async def test_what_is_no_instruction_is_refused_and_changes_nothing(home: RealHome) -> None:
    await home.door.admin()
    mina = await home.door.member()
    longest = "가" * INSTRUCTION_CHARACTERS
    assert (await mina.call("PATCH", PATH, {"instructions": longest}))[0] == 200
    wrongs: tuple[Any, ...] = (
        {"instructions": f"{longest}가"},
        {"instructions": None},
        {"instructions": 1},
        {"other": ""},
        [],
    )
    for wrong in wrongs:
        assert await mina.refused("PATCH", PATH, wrong) == (400, "invalid_request")
    assert (await mina.call("GET", PATH))[1] == {"instructions": longest}


async def test_it_is_taken_along_and_goes_with_the_account(home: RealHome) -> None:
    await home.door.admin()
    mina = await home.door.member()
    await mina.call("PATCH", PATH, {"instructions": OWN})
    async with home.door.site.client.get("/api/account/export", headers=home.headers(mina)) as answer:
        file = zipfile.ZipFile(io.BytesIO(await answer.read()))
    assert json.loads(file.read("account.json"))["instructions"] == OWN
    person = await home.id_of(mina)
    assert (await mina.call("DELETE", "/api/account", {"password": "a long enough sentence"}))[0] == 204
    assert (await home.services.people.preferences.get_preferences(person)).instructions == ""


async def test_where_nobody_signs_in_it_counts_in_the_page_and_in_the_terminal(tmp_path: Path) -> None:
    program = Program(tmp_path)
    async with FakeUpstream(Answer(stream("Hello there."))) as upstream:
        given = {"OPENAI_BASE_URL": upstream.base_url, "DAEHWA_TITLES": "false"}
        async with program.serving("--no-open", **given) as serving, aiohttp.ClientSession(serving.address) as client:
            async with client.patch(PATH, json={"instructions": OWN}, headers={"origin": serving.address}) as answer:
                assert (answer.status, await answer.json()) == (200, {"instructions": OWN})
            message = {"id": new_id(), "parent": None, "parts": [{"type": "text", "text": "Hello"}]}
            body = {"conversation": new_id(), "reply": new_id(), "message": message}
            async with client.post("/api/turns", json=body) as streamed:
                await streamed.read()
        ended = await program.run("ask", "Hello again", **given)
    assert ended.out == "Hello there.\n"
    assert told(upstream) == [[OWN], [OWN]]
