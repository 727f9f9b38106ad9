"""Pages of other sites that the settings name may ask for /v1, and for nothing else; of others nothing changes."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cores import Core
from gateway.bed import Bed
from server.serving import Site, serving

PAGE = "https://tools.example"
APPS = ("chrome-extension://fmkadmapgofadopljbjfkapdkoienihi", "app://obsidian.md", "tauri://localhost")
ASKED = {"model": "parrot", "messages": [{"role": "user", "content": "Hi"}]}
CHATS = "/v1/chat/completions"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with serving(Core(), tmp_path, programs=Bed().programs(), cors_origins=(PAGE, *APPS)) as made:
        yield made


@pytest.mark.parametrize("origin", [PAGE, *APPS])
async def test_a_page_that_is_named_may_ask(site: Site, origin: str) -> None:
    preflight = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,x-a",
    }
    async with site.client.options(CHATS, headers=preflight) as answer:
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (204, origin)
        assert answer.headers["access-control-allow-headers"] == "authorization,x-a"
        assert "access-control-allow-credentials" not in answer.headers
    headers = {"Origin": origin, "Sec-Fetch-Site": "cross-site"}
    async with site.client.post(CHATS, json=ASKED, headers=headers) as answer:
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, origin)
        assert "origin" in answer.headers.getall("vary")
    async with site.client.post(CHATS, json={}, headers=headers) as answer:
        assert answer.status == 400
        assert answer.headers["access-control-allow-origin"] == origin, "it can read what is wrong"


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "https://tools.example.evil.example",
        "http://tools.example",
        f"{PAGE}:444",
        f"{PAGE}/",
        "app://obsidian.md.evil.example",
        "tauri://localhost:1",
    ],
)
async def test_any_other_page_may_not(site: Site, origin: str) -> None:
    headers = {"Origin": origin, "Sec-Fetch-Site": "cross-site"}
    async with site.client.post(CHATS, json=ASKED, headers=headers) as answer:
        assert answer.status == 403
        assert "cors_origins" in (await answer.json())["error"]["message"]
        assert "access-control-allow-origin" not in answer.headers
    async with site.client.options(CHATS, headers={**headers, "Access-Control-Request-Method": "POST"}) as answer:
        assert answer.status == 405
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("path", ["/api/turns", "/api/keys", "/chat", "/v1", "/auth/sign-out"])
async def test_nothing_but_v1_is_shared(site: Site, path: str) -> None:
    headers = {"Origin": PAGE, "Sec-Fetch-Site": "cross-site"}
    async with site.client.post(path, json=ASKED, headers=headers) as answer:
        assert answer.status == 403
        assert "cors_origins" not in await answer.text(), "no setting would help"
        assert "access-control-allow-origin" not in answer.headers


async def test_names_of_headers_that_are_none_are_not_said_back(site: Site) -> None:
    asked = {"Origin": PAGE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x; y, <z>"}
    async with site.client.options(CHATS, headers=asked) as answer:
        assert "access-control-allow-headers" not in answer.headers


async def test_a_foreign_host_is_refused_to_a_page_that_is_named_too(site: Site) -> None:
    headers = {"Origin": PAGE, "Host": "evil.example"}
    async with site.client.post(CHATS, json=ASKED, headers=headers) as answer:
        assert answer.status == 421
