"""A daehwa that runs as a person starts it, before an OpenAI-like upstream; and keys of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
from openai.types import CompletionUsage
from openai_like.server import OpenAiLike
from openai_like.wording import KEY
from program import serving

PRICES = {"input": 2_000_000, "cached": 1_000_000, "output": 8_000_000}
"""Micro-dollars per million tokens."""
_SETTINGS = """\
require_keys = true
titles = false
default_model = "double/talks"
{more}
[[providers]]
name = "double"
base_url = "{base_url}"
api_key_env = "DOUBLE_KEY"

[[prices]]
model = "double/*"
input = 2
cached = 1
output = 8
per_minute = 0.6
per_image = 0.04
{tables}
"""


def cost_of(usage: CompletionUsage) -> int:
    """Return what a chat costs in micro-dollars, rounded up."""
    details = usage.prompt_tokens_details
    cached = (details.cached_tokens or 0) if details else 0
    fresh = usage.prompt_tokens - cached
    total = fresh * PRICES["input"] + cached * PRICES["cached"] + usage.completion_tokens * PRICES["output"]
    return -(-total // 1_000_000)


class Spent(NamedTuple):
    """What the ledger says of all calls so far."""

    calls: int
    failed: int
    cost: int
    reserved: int


class Home:
    """The program, from outside."""

    def __init__(self, folder: Path, address: str, page: aiohttp.ClientSession, upstream: OpenAiLike) -> None:
        self.folder = folder
        self.address = address
        self.base_url = f"{address}/v1"
        self.upstream = upstream
        self._page = page

    async def make_key(self, name: str, **limits: Any) -> dict[str, Any]:
        """Make a key in the page's way; return its secret and what is shown of it."""
        status, answer = await self.page("POST", "/api/keys", {"name": name, **limits})
        assert status == 201, answer
        made: dict[str, Any] = answer
        return made

    async def page(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Ask as the page does."""
        async with self._page.request(method, path, json=body, headers={"Sec-Fetch-Site": "same-origin"}) as answer:
            return answer.status, await answer.json()

    async def rows(self) -> list[dict[str, Any]]:
        """Return the ledger's rows."""
        today = datetime.now(UTC).date()
        query = f"since={today - timedelta(days=1)}&until={today + timedelta(days=1)}&everybody=true"
        status, answer = await self.page("GET", f"/api/usage?{query}")
        assert status == 200, answer
        rows: list[dict[str, Any]] = answer["rows"]
        return rows

    async def spent(self) -> Spent:
        """Return the sum of the ledger's rows."""
        rows = await self.rows()
        return Spent(*(sum(row[name] for row in rows) for name in Spent._fields))

    async def nothing_reserved(self) -> None:
        """Wait until every call that has ended is settled too, which its client need not wait for."""
        for _ in range(100):
            if not (await self.spent()).reserved:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(await self.rows())


@asynccontextmanager
async def a_home(folder: Path, *, more: str = "", tables: str = "") -> AsyncIterator[Home]:
    """Run one with an upstream of its own; further settings stand at the top, and tables at the end."""
    async with OpenAiLike() as upstream:
        settings = _SETTINGS.format(base_url=upstream.base_url, more=more, tables=tables)
        (folder / "daehwa.toml").write_text(settings, "utf-8")
        async with (
            serving(folder / "data", {"DOUBLE_KEY": KEY}) as program,
            aiohttp.ClientSession(program.address) as page,
        ):
            yield Home(folder, program.address, page, upstream)
