"""The deadline that the Lambda Web Adapter tells: believed behind the adapter, nobody's word elsewhere."""

import asyncio
import json
from pathlib import Path
from typing import Literal

import pytest
from cores import Core
from server.serving import asked, serving

from daehwa.conversation.events import TextDelta
from daehwa.conversation.running import RunningOptions, RunningTurns
from daehwa.providers.scripted import ScriptedProvider, spoken
from daehwa.server.asgi import Request
from daehwa.server.deadline import deadline_of


def request_with(*headers: tuple[bytes, bytes]) -> Request:
    async def receive() -> dict[str, object]:
        return {"type": "http.disconnect"}

    return Request({"headers": list(headers)}, receive, {})


@pytest.mark.parametrize(
    ("value", "deadline"),
    [
        (b'{"request_id":"8476a536","deadline":1542409706888,"env_config":{"memory":512}}', 1542409706888),
        (b"{}", None),
        (b'{"deadline":"soon"}', None),
        (b"nothing", None),
        (b"\xff", None),
    ],
)
def test_the_deadline_is_read_from_the_adapters_header(value: bytes, deadline: int | None) -> None:
    assert deadline_of(request_with((b"x-amzn-lambda-context", value))) == deadline


def test_without_the_header_there_is_none() -> None:
    assert deadline_of(request_with((b"host", b"localhost"))) is None


@pytest.mark.parametrize(("home", "end"), [("aws", "error"), ("local", "done")])
async def test_it_counts_on_aws_alone(tmp_path: Path, home: Literal["aws", "local"], end: str) -> None:
    core = Core(ScriptedProvider([(TextDelta("Well, "),), 0.2, *spoken("here it is")]))
    past = {"x-amzn-lambda-context": json.dumps({"deadline": 1})}
    async with serving(core, tmp_path, home=home) as site:
        frames = await site.turn(asked(), **past)
        assert frames[-1].event == end
        if home == "aws":
            assert frames[-1].data["error"]["type"] == "time_is_up"


async def test_the_first_byte_does_not_wait_for_the_model(tmp_path: Path) -> None:
    core = Core(ScriptedProvider([30.0]))
    # Its own heartbeats come later than the test waits.
    core.running = RunningTurns(core.store, core.catalogue, runner="test", options=RunningOptions(checkpoint=0.1))
    body = json.dumps(asked())
    async with (
        serving(core, tmp_path) as site,
        site.client.post("/api/turns", data=body, headers={"content-type": "application/json"}) as answer,
    ):
        async with asyncio.timeout(5):
            assert await answer.content.readany() == b":\n\n"
        assert answer.headers["cache-control"] == "no-store, no-transform"
