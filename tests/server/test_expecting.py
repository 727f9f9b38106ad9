"""A question that is being written: the program has a connection ready when it comes, and nobody trouble."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import aiohttp
import pytest
import trustme
from cores import Core, Preparing
from program import Program
from program import serving as running
from server.serving import Site, asked, frames_of, serving, text_of
from upstream import FakeUpstream, server_side

EXPECTED = "/api/turns/expected"


class Home(NamedTuple):
    """The program, and who asks it."""

    program: Program
    client: aiohttp.ClientSession

    async def expects(self, model: str | None = "far/gpt-test") -> None:
        async with self.client.post(EXPECTED, json={"model": model}) as answer:
            assert (answer.status, await answer.read()) == (204, b"")

    async def answer(self, model: str = "far/gpt-test") -> str:
        async with self.client.post("/api/turns", json={**asked(), "model": model}) as answer:
            return await answer.text()


@asynccontextmanager
async def a_home(folder: Path, base_url: str) -> AsyncIterator[Home]:
    """Run the program with one upstream, which is asked nothing at the start: its models are named."""
    provider = f'[[providers]]\nname = "far"\nbase_url = "{base_url}"\nca_file = "{folder / "ca.pem"}"\n'
    route = '[[routes]]\nname = "quick"\ntargets = ["far/gpt-test"]\n'
    (folder / "daehwa.toml").write_text(f'titles = false\n{provider}models = ["gpt-test"]\n{route}', "utf-8")
    options = ("--config", str(folder / "daehwa.toml"))
    async with (
        running(folder / "data", {"FAR_API_KEY": "sk-far"}, *options) as program,
        aiohttp.ClientSession(program.address) as client,
    ):
        yield Home(program, client)


@asynccontextmanager
async def a_tls_upstream(authority: trustme.CA) -> AsyncIterator[FakeUpstream]:
    async with FakeUpstream(tls=server_side(authority, "127.0.0.1")) as upstream:
        yield upstream


async def connected(upstream: FakeUpstream) -> None:
    async with asyncio.timeout(10):
        while not upstream.connections:  # noqa: ASYNC110 - sockets set no events
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)  # for TLS's last words, and for a second one, which must not come


@pytest.mark.parametrize("model", ["far/gpt-test", "gpt-test", "quick", None])
async def test_the_turn_that_follows_finds_its_connection(
    tmp_path: Path, authority: trustme.CA, model: str | None
) -> None:
    async with a_tls_upstream(authority) as upstream, a_home(tmp_path, upstream.base_url) as home:
        await home.expects(model)
        await connected(upstream)
        assert (upstream.connections, upstream.requests) == (1, [])
        assert text_of(frames_of(await home.answer())) == "Hello there."
        assert upstream.connections == 1
        assert len(upstream.turns) == 1


async def test_ten_words_of_it_make_one_connection(tmp_path: Path, authority: trustme.CA) -> None:
    async with a_tls_upstream(authority) as upstream, a_home(tmp_path, upstream.base_url) as home:
        await asyncio.gather(*(home.expects() for _ in range(10)))
        await connected(upstream)
        for _ in range(10):
            await home.expects()
        await asyncio.sleep(0.05)
        assert (upstream.connections, upstream.requests) == (1, [])


async def test_nobody_hears_of_an_upstream_that_is_not_there_before_the_turn_does(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    async with FakeUpstream() as upstream:
        gone = upstream.base_url
    async with a_home(tmp_path, gone) as home:
        before = (await home.program.says(re.compile(r"New conversations are answered by far/gpt-test\.\n"))).end()
        for _ in range(3):
            await home.expects()
        await home.expects("far/unknown")
        await home.expects("nobody/knows")
        told = await home.program.says(re.compile(rf"(?s)(?:POST {EXPECTED} 204.*?\n.*?){{5}}"))
        assert all(EXPECTED in line for line in home.program.said[before : told.end()].splitlines())
        assert "far refused the connection" in await home.answer()
        assert await home.program.terminate() == 0


@pytest.mark.parametrize(("home", "times"), [("local", 1), ("aws", 0)])
async def test_a_function_that_stands_still_until_then_does_nothing(tmp_path: Path, home: str, times: int) -> None:
    provider = Preparing()
    async with serving(Core(provider), tmp_path, home=home) as site:
        assert await site.call("POST", EXPECTED, {"model": None}) == (204, None)
    assert provider.prepared == times


async def test_what_is_no_such_word_is_refused(site: Site) -> None:
    assert await site.refused("POST", EXPECTED, {"text": "Hello"}) == (400, "invalid_request", "text")
    assert await site.refused("GET", EXPECTED) == (405, "method_not_allowed", None)
