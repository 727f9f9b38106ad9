"""Other sites are kept out, whatever they send; every answer carries its headers."""

import sqlite3
from pathlib import Path

import pytest
from cores import Core
from server.serving import Site, asked, serving

from daehwa.conversation.ports import ConversationPage
from daehwa.server.safety import CONTENT_SECURITY_POLICY
from daehwa.stores.memory import MemoryStore
from daehwa.stores.sqlite_connection import store_error


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1", "127.0.0.1:99", "[::1]", "[::1]:8000"])
async def test_loopback_names_are_ours(site: Site, host: str) -> None:
    assert (await site.call("GET", "/healthz", headers={"Host": host}))[0] == 200


HOSTS = ["evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1", "", ":80"]


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("path", ["/", "/healthz", "/api/me", "/api/nothing"])
async def test_any_other_name_is_refused_before_anything_is_told(site: Site, host: str, path: str) -> None:
    answer = await site.raw(f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 421 ")
    assert b'"type":"host_not_allowed"' in answer


async def test_no_host_or_two_of_them_are_refused(site: Site) -> None:
    for hosts in (b"", b"Host: localhost\r\nHost: evil.example\r\n"):
        assert (await site.raw(b"GET / HTTP/1.0\r\n" + hosts + b"\r\n")).startswith(b"HTTP/1.1 421 ")


@pytest.mark.parametrize(
    "target", ["http://localhost/healthz", "http://127.0.0.1:8000/healthz?a=b", "HTTP://LOCALHOST/healthz"]
)
async def test_of_a_target_with_a_name_that_name_counts(site: Site, target: str) -> None:
    answer = await site.raw(f"GET {target} HTTP/1.1\r\nHost: proxy.example\r\nconnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 200 ")
    foreign = target.lower().replace("localhost", "evil.example").replace("127.0.0.1", "evil.example")
    answer = await site.raw(f"GET {foreign} HTTP/1.1\r\nHost: localhost\r\nconnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 421 ")


async def test_a_configured_host_is_ours(tmp_path: Path) -> None:
    async with serving(Core(), tmp_path, allowed_hosts=("Chat.Home.example",)) as site:
        assert (await site.call("GET", "/healthz", headers={"Host": "chat.home.example:8443"}))[0] == 200
        assert (await site.call("GET", "/healthz", headers={"Host": "home.example"}))[0] == 421


FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost:1"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
]


@pytest.mark.parametrize("headers", FOREIGN)
async def test_changes_asked_for_by_another_site_are_refused(site: Site, headers: dict[str, str]) -> None:
    body = asked()
    headers = {"Host": "localhost", **headers}
    refused = (403, "cross_site_request", None)
    assert await site.refused("POST", "/api/turns", body, headers=headers) == refused
    assert not site.core.provider.calls
    await site.turn(body)
    one = f"/api/conversations/{body['conversation']}"
    assert await site.refused("DELETE", one, headers=headers) == refused
    assert await site.refused("PATCH", one, {"title": "x"}, headers=headers) == refused
    assert await site.refused("POST", f"/api/turns/{body['reply']}/stop", headers=headers) == refused


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost:8000"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://localhost:8000"},
        {"Origin": "https://LOCALHOST:8000"},
    ],
)
async def test_the_page_itself_and_programs_may_ask_for_changes(site: Site, headers: dict[str, str]) -> None:
    async with site.client.post("/api/turns", json=asked(), headers={"Host": "localhost:8000", **headers}) as answer:
        assert answer.status == 200


async def test_reading_needs_no_origin(site: Site) -> None:
    assert (await site.call("GET", "/api/me", headers={"Sec-Fetch-Site": "cross-site"}))[0] == 200


@pytest.mark.parametrize("path", ["/", "/healthz", "/api/nothing", "/assets/nothing.js"])
async def test_every_answer_carries_the_safety_headers(site: Site, path: str) -> None:
    async with site.client.get(path) as answer:
        headers = answer.headers
    assert headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers
    assert "server" not in headers


def test_the_policy_allows_nothing_inline() -> None:
    assert CONTENT_SECURITY_POLICY.startswith("default-src 'none';")
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert "require-trusted-types-for 'script'" in CONTENT_SECURITY_POLICY


class _FullDisk(MemoryStore):
    async def list_conversations(self, *_args: object, **_named: object) -> ConversationPage:
        full = sqlite3.OperationalError()
        full.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise store_error(Path("/home/mina/daehwa.sqlite3"), full)


async def test_a_fault_of_the_store_is_told_without_the_place(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    core = Core()
    core.store = _FullDisk()
    async with serving(core, tmp_path) as site:
        status, answer = await site.call("GET", "/api/conversations")
    assert (status, answer["error"]["type"]) == (503, "store_unavailable")
    assert answer["error"]["message"].startswith("Conversations cannot be reached. The disk is full")
    assert "/home" not in str(answer)
    assert "/home/mina/daehwa.sqlite3" in caplog.text
