"""Calls that are refused, as whoever watches over a running server sees them: who asked, and why, never whose."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from clients.asks import HELLO
from clients.home import Home, a_home
from program import ROOT
from prometheus_client.parser import text_string_to_metric_families
from server.serving import asked, frames_of

from daehwa.accounts import errors as _errors  # noqa: F401 - so that they are known
from daehwa.conversation.errors import DaehwaError

pytestmark = pytest.mark.asyncio(loop_scope="module")
_MORE = 'budgets = ["user month 0.002"]'
"""Dollars: room for ten tokens of an answer, not for the 256 that the page asks for at least."""
_TABLES = """
[[providers]]
name = "gone"
base_url = "http://127.0.0.1:1/v1"
models = ["ghost"]

[[providers]]
name = "unpriced"
base_url = "https://nowhere.example.com/v1"
models = ["quiet"]
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def home(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Home]:
    async with a_home(tmp_path_factory.mktemp("refusals"), more=_MORE, tables=_TABLES) as made:
        yield made


async def told(home: Home) -> dict[tuple[str, str], float]:
    """Return what Prometheus is told of refusals, by who asked and why."""
    async with aiohttp.ClientSession(home.address) as client, client.get("/metrics") as answer:
        text = await answer.text()
    families: Any = text_string_to_metric_families(text)
    samples = [sample for family in families for sample in family.samples if sample.name == "daehwa_refusals_total"]
    assert {*(name for sample in samples for name in sample.labels)} <= {"asked_by", "reason"}
    return {(sample.labels["asked_by"], sample.labels["reason"]): sample.value for sample in samples}


async def call(home: Home, secret: str | None, **more: Any) -> str:
    """Make a call as a program does; return the code of its error, or nothing."""
    headers = {} if secret is None else {"authorization": f"Bearer {secret}"}
    body = {**HELLO, "max_tokens": 10, **more}
    async with (
        aiohttp.ClientSession(home.base_url + "/") as client,
        client.post("chat/completions", json=body, headers=headers) as answer,
    ):
        return str((await answer.json()).get("error", {}).get("code", ""))


async def turn(home: Home, model: str) -> str:
    """Ask in the page; return the type of the error that comes, or nothing."""
    async with (
        aiohttp.ClientSession(home.address) as client,
        client.post("/api/turns", json=asked() | {"model": model}) as answer,
    ):
        if answer.status != 200:
            return str((await answer.json())["error"]["type"])
        error = frames_of(await answer.text())[-1].data.get("error")
        return "" if error is None else str(error["type"])


def refusals(kind: type[DaehwaError]) -> set[str]:
    """Return every word under which an error of this kind, or of one below it, is a refusal."""
    below = {word for each in kind.__subclasses__() for word in refusals(each)}
    return below if kind.refusal is None else below | {kind.refusal}


async def test_every_reason_is_written_down() -> None:
    written = (ROOT / "docs" / "gateway.md").read_text("utf-8")
    told = written.partition("`reason` (`error.type`)")[2].partition("\n\n")[0]
    missing = {"circuit_open", *refusals(DaehwaError)} - set(re.findall(r"`(\w+)`", told))
    assert not missing


async def test_why_programs_are_refused_is_counted(home: Home) -> None:
    keys = {
        "open": await home.make_key("open"),
        "revoked": await home.make_key("revoked"),
        "expiring": await home.make_key("expiring", expires=int(time.time() * 1000) + 1_000),
        "narrow": await home.make_key("narrow", models=["double/thinks"]),
        "slow": await home.make_key("slow", requests_per_minute=1),
        "poor": await home.make_key("poor", day=10),
    }
    assert (await home.page("DELETE", f"/api/keys/{keys['revoked']['key']['id']}"))[0] == 200
    before = await told(home)
    await asyncio.sleep(1.0)
    secrets = {name: made["secret"] for name, made in keys.items()}
    assert await call(home, secrets["open"]) == ""
    assert await told(home) == before, "a call that is made is none"

    seen = [
        await call(home, None),
        *[await call(home, "dh_abcdefgh_" + "x" * 32) for _ in range(2)],
        *[await call(home, secrets[name]) for name in ("revoked", "expiring", "narrow", "poor")],
        await call(home, secrets["open"], model="unpriced/quiet"),
        *[await call(home, secrets["slow"]) for _ in range(3)],  # a minute may end between two of them
    ]
    codes = [code for code in seen if code]
    assert len(set(codes)) == 8, seen
    after = await told(home)
    assert {reason for by, reason in after if by == "program"} == set(codes)
    assert {reason: after["program", reason] for reason in codes} == {code: codes.count(code) for code in codes}


async def test_why_the_page_is_refused_is_counted(home: Home) -> None:
    before = await told(home)
    assert [await turn(home, model) for model in ("talks", "unpriced/quiet")] == ["budget_exceeded", "price_unknown"]
    after = await told(home)
    for reason in ("budget_exceeded", "price_unknown"):
        assert after["page", reason] - before.get(("page", reason), 0) == 1
        assert after.get(("program", reason)) == before.get(("program", reason))


async def test_a_call_before_an_open_circuit_is_a_refusal_and_a_failed_one_is_none(home: Home) -> None:
    made = await home.make_key("ghosts")
    assert await call(home, made["secret"], model="gone/ghost") == "upstream_unreachable"
    assert ("program", "circuit_open") not in await told(home)
    codes = [await call(home, made["secret"], model="gone/ghost") for _ in range(8)]
    assert codes[-1] == "upstream_unavailable", codes
    assert await turn(home, "gone/ghost") == "upstream_unavailable"
    after = await told(home)
    assert after["program", "circuit_open"] == codes.count("upstream_unavailable")
    assert after["page", "circuit_open"] == 1
