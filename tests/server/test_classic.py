"""The 2023 demo's dialect and its page, over real sockets."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cores import Core
from gateway.bed import Bed
from server.serving import Site, serving

from daehwa.accounts.errors import BudgetExceeded
from daehwa.conversation.errors import ProviderUnreachableError
from daehwa.gateway.scripted import as_json

INLINE = "go();"
PAGE = f'<script src="chat.js"></script><link rel="stylesheet" href="a.css"><script id="x">{INLINE}</script>'


@pytest.fixture
def bed() -> Bed:
    return Bed()


@pytest.fixture
async def site(bed: Bed, tmp_path: Path) -> AsyncIterator[Site]:
    folder = tmp_path / "demo"
    (folder / "sub").mkdir(parents=True)
    (folder / "chat.html").write_text(PAGE, "utf-8")
    (folder / "sub" / "chat.js").write_text("1", "utf-8")
    (folder / ".env").write_text("secret", "utf-8")
    (tmp_path / "outside.txt").write_text("secret", "utf-8")
    (folder / "link.txt").symlink_to(tmp_path / "outside.txt")
    async with serving(Core(), tmp_path / "page", programs=bed.programs(folder=folder)) as made:
        yield made


@pytest.mark.parametrize("path", ["/chat", "/classic/chat"])
async def test_a_text_is_answered_and_counted(site: Site, bed: Bed, path: str) -> None:
    answer = await site.call("POST", path, {"text": "Hi", "msgId": "1"})
    assert answer == (200, {"statusCode": 200, "msg": "You said: Hi"})
    assert bed.models.all[0].bodies == [{"messages": [{"role": "user", "content": "Hi"}], "model": "parrot"}]
    assert [(call.kind, call.user) for call in bed.meter.calls] == [("chat", "me")]
    assert bed.meter.outcomes[0].usage == bed.usage


async def test_what_goes_wrong_with_a_call_is_said_in_the_shape_that_the_page_shows(site: Site, bed: Bed) -> None:
    async def said(body: object) -> tuple[int, int, str]:
        status, answer = await site.call("POST", "/chat", body)
        assert set(answer) == {"statusCode", "msg"}
        return status, answer["statusCode"], answer["msg"]

    assert (await said({"text": " "}))[:2] == (200, 400)
    assert (await said({"txt": "Hi"}))[:2] == (200, 400)
    bed.models.all[0].script = lambda _request: ProviderUnreachableError("Nobody there.")
    assert await said({"text": "Hi"}) == (200, 502, "Nobody there.")
    bed.models.all[0].script = lambda _request: as_json({"error": {"message": "Too long."}}, 400)
    assert await said({"text": "Hi"}) == (200, 502, "Too long.")
    bed.models.all[0].script = lambda _request: as_json({"choices": []})
    assert (await said({"text": "Hi"}))[:2] == (200, 502)
    bed.meter.refusal = BudgetExceeded("Used up.", scope="all", period="total", limit=1, renews=None)
    assert await said({"text": "Hi"}) == (200, 429, "Used up.")


async def test_what_is_refused_before_keeps_its_status_in_the_same_shape(site: Site) -> None:
    status, answer = await site.call("POST", "/chat", {"text": "x"}, headers={"Origin": "https://evil.example"})
    assert (status, answer["statusCode"]) == (403, 403)
    assert (await site.call("GET", "/chat"))[0] == 405


async def test_a_path_that_is_none_is_said_without_naming_another_api(site: Site) -> None:
    status, answer = await site.call("POST", "/chat/nothing", {"text": "x"})
    assert (status, answer["msg"]) == (404, "Nothing is served at this path.")


async def test_a_base_url_without_its_end_is_told_so(site: Site) -> None:
    status, answer = await site.call("POST", "/chat/completions", {"model": "parrot"})
    assert (status, answer["error"]["code"]) == (404, "route_not_found"), "whoever asks so reads OpenAI's shape"


async def test_the_page_is_served_with_a_policy_for_what_stands_in_it(site: Site) -> None:
    async with site.client.get("/classic/chat.html") as answer:
        assert await answer.text() == PAGE
    async with site.client.get("/classic/") as answer:
        assert await answer.text() == PAGE
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        (policy,) = answer.headers.getall("content-security-policy")
    assert "script-src 'self' https://cdnjs.cloudflare.com 'sha256-" in policy
    assert policy.count("sha256-") == 1
    assert "script-src 'self' 'unsafe" not in policy
    async with site.client.get("/classic", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["location"]) == (308, "/classic/")
    async with site.client.get("/classic/sub/chat.js") as answer:
        assert (answer.status, answer.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    [
        "/../outside.txt",
        "/%2e%2e/outside.txt",
        "/sub/..%2f..%2foutside.txt",
        "/.env",
        "/link.txt",
        "/sub",
        "/a%00b",
        "//x",
    ],
)
async def test_nothing_outside_the_folder_is_served(site: Site, path: str) -> None:
    answer = await site.raw(f"GET /classic{path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
    assert answer.startswith((b"HTTP/1.1 404 ", b"HTTP/1.1 400 "))
    assert b"secret" not in answer


async def test_our_own_page_stays_where_it_is(site: Site) -> None:
    async with site.client.get("/chat.html") as answer:
        assert answer.status == 503, "it is not built here"


async def test_it_is_not_there_where_it_is_not_wanted(tmp_path: Path) -> None:
    programs = Bed().programs(has_classic=False)
    async with serving(Core(), tmp_path, programs=programs) as site:
        assert (await site.call("POST", "/chat", {"text": "x"}))[0] == 404
