"""Budgets of the home on AWS through the whole function: programs, the page, and several processes on one table."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from aws.in_process import Headers, member_of
from aws.processes import Fleet, a_fleet
from clients.asks import HELLO
from server.serving import Frame, asked, frames_of

from daehwa.stores.dynamodb_ledger import DynamoLedger

LIMIT = 1_000
BUDGET = 28_000
"""Micro-dollars: an answer of 1,000 tokens costs 8,000 at most, so with its prompt three fit and four do not."""
PAGE_BUDGET = 0.1
"""Dollars: of an answer in the page 4,096 tokens are assumed, which cost 0.033; beside three of them there is no room
even for the 256 tokens that it is cut down to.
"""
CALLS, FIT, SECONDS = 100, 3, 120
TOLD = {"DAEHWA_MODELS": "talks", "DAEHWA_PRICES": "* input 2 output 8"}


async def program(client: aiohttp.ClientSession, secret: str) -> str:
    """Make a call as a program does; return the type of its error, or nothing."""
    headers = {"authorization": f"Bearer {secret}"}
    async with client.post("/v1/chat/completions", json={**HELLO, "max_tokens": LIMIT}, headers=headers) as answer:
        told = await answer.json()
        assert (answer.status == 200) == ("error" not in told), told
        return "" if answer.status == 200 else f"{answer.status} {told['error']['code']}"


async def page(client: aiohttp.ClientSession, browser: Headers, number: int) -> str:
    """Ask in the page; return the type of the error that its answer ends with, or nothing."""
    async with client.post("/api/turns", json=asked(f"Hello {number}"), headers=browser) as answer:
        text = await answer.text()
        assert answer.status == 200, text
        frames: list[Frame] = frames_of(text)
    error = frames[-1].data.get("error")
    return "" if error is None else str(error["type"])


async def rows(client: aiohttp.ClientSession, browser: Headers) -> list[dict[str, Any]]:
    """Return the ledger's rows as the page shows them."""
    today = datetime.now(UTC).date()
    query = f"since={today - timedelta(days=1)}&until={today + timedelta(days=1)}"
    async with client.get(f"/api/usage?{query}", headers=browser) as answer:
        found: list[dict[str, Any]] = (await answer.json())["rows"]
        return found


async def held(fleet: Fleet, calls: list[asyncio.Task[str]]) -> Counter[str]:
    """Wait until all calls for which there is no room are refused, let the others be answered; return how all ended."""
    first = asyncio.as_completed(calls, timeout=SECONDS)
    refused = [await one for _, one in zip(range(CALLS - FIT), first, strict=False)]
    assert "" not in refused
    assert len(fleet.upstream.turns) == FIT, "what does not fit is not asked"
    assert fleet.upstream.gate is not None
    fleet.upstream.gate.set()
    return Counter(await asyncio.gather(*calls))


@pytest.mark.parametrize("processes", [1, 2])
async def test_a_hundred_programs_at_a_budget_for_three(processes: int) -> None:
    async with a_fleet(processes, **TOLD) as fleet:
        _, browser = await member_of(fleet.people, "mina")
        made = {"name": "three", "month": BUDGET}
        async with fleet.clients[0].post("/api/keys", json=made, headers=browser) as answer:
            secret = (await answer.json())["secret"]
        fleet.upstream.gate = asyncio.Event()
        calls = [asyncio.create_task(program(fleet.clients[at % processes], secret)) for at in range(CALLS)]
        assert await held(fleet, calls) == {"": FIT, "429 budget_exceeded": CALLS - FIT}
        (row,) = await rows(fleet.clients[-1], browser)
        assert (row["calls"], row["reserved"]) == (FIT, 0)
        assert 0 < row["cost"] <= BUDGET
        assert fleet.role.met, "transactions meet at the one counter, as they do on AWS"


@pytest.mark.parametrize("processes", [1, 2])
async def test_a_hundred_questions_at_a_budget_for_three(processes: int) -> None:
    async with a_fleet(processes, **TOLD, DAEHWA_BUDGETS=f"user month {PAGE_BUDGET}") as fleet:
        user, browser = await member_of(fleet.people, "mina")
        fleet.upstream.gate = asyncio.Event()
        calls = [asyncio.create_task(page(fleet.clients[at % processes], browser, at)) for at in range(CALLS)]
        ended = await held(fleet, calls)
        assert ended == {"": FIT, "budget_exceeded": CALLS - FIT}
        (row,) = await rows(fleet.clients[-1], browser)
        assert (row["calls"], row["reserved"]) == (FIT, 0)
        assert fleet.role.met
        month = datetime.now(UTC).strftime("%Y-%m")
        assert await DynamoLedger(fleet.store.table).spent(f"user:{user.id}", month) == row["cost"]
