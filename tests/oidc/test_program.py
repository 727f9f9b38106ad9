"""`daehwa serve` with sign-in switched on by settings, a certified provider, and a restart in between."""

import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cli.conftest import Program
from oidc.provider import a_provider
from yarl import URL

from daehwa.services.local import OWNER

SECRET = "only in the environment"


@pytest.fixture
async def browser() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as client:
        yield client


def free_port() -> int:
    """A port for the program, which its provider must know first."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def arrive(browser: aiohttp.ClientSession, address: URL) -> URL:
    """Follow redirects, as Mina where it is asked, to an address that answers."""
    for _ in range(12):
        if address.path.startswith("/interaction/"):
            address = address / "as" / "mina"
        async with browser.get(address, allow_redirects=False) as answer:
            if answer.status == 200:
                return address
            address = address.join(URL(answer.headers["location"], encoded=True))
    raise AssertionError(address)


async def me(browser: aiohttp.ClientSession, site: URL) -> tuple[int, Any]:
    async with browser.get(site / "api" / "me") as answer:
        return answer.status, (await answer.json()).get("user")


async def test_who_signed_in_stays_so_over_a_restart(tmp_path: Path, browser: aiohttp.ClientSession) -> None:
    program, port = Program(tmp_path), free_port()
    site = URL(f"http://127.0.0.1:{port}/")
    async with a_provider(callback=f"{site}auth/callback", home=f"{site}chat.html", secret=SECRET) as issuer:
        (tmp_path / "daehwa.toml").write_text(
            f'public_url = "{site.origin()}"\n[sign_in]\nissuer = "{issuer}"\nclient_id = "daehwa"\n'
            'client_secret_env = "THE_SECRET"\nadmin_emails = ["mina@example.com"]\n'
        )
        given = {"THE_SECRET": SECRET, "OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}
        async with program.serving("--port", str(port), **given) as serving:
            assert f"sign-in        {issuer}" in serving.said
            assert (await me(browser, site))[0] == 401
            assert (await arrive(browser, site / "auth" / "sign-in")).path == "/chat.html"
            status, mina = await me(browser, site)
            assert (status, mina["email"], mina["role"]) == (200, "mina@example.com", "admin")
            assert mina["id"] == OWNER, "what was asked before sign-in, and at the terminal, is the first admin's"
            ended = await serving.end()
        assert SECRET not in ended.out + ended.err
        assert "code=" not in ended.out + ended.err
        async with program.serving("--port", str(port), **given):
            assert await me(browser, site) == (200, mina)
            async with browser.post(site / "auth" / "sign-out", headers={"Origin": str(site.origin())}) as answer:
                assert answer.status == 200
            assert (await me(browser, site))[0] == 401
            assert (await arrive(browser, site / "auth" / "sign-in")).path == "/chat.html"
            assert await me(browser, site) == (200, mina), "the same person, and so the same conversations"
    assert SECRET.encode() not in b"".join(path.read_bytes() for path in program.data.iterdir())
