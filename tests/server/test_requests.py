"""Every way in which a request can be wrong has its status, its type and its sentence."""

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cores import Core
from server.serving import Site, asked, serving

from daehwa.accounts.people import User
from daehwa.conversation.errors import InvalidRequest
from daehwa.conversation.ids import new_id
from daehwa.gateway.asking import JsonAsked
from daehwa.server.asgi import Request
from daehwa.server.options import Limits

ID = "0199a3c0-0000-7000-8000-000000000001"
JSON = {"content-type": "application/json"}


def changed(path: str, value: object) -> dict[str, Any]:
    """A good turn with one thing in it changed; `...` takes it away."""
    body = asked()
    place: Any = body
    *way, last = path.split(".")
    for name in way:
        place = place[name]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return body


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("conversation", ..., (400, "invalid_request", "conversation")),
        ("conversation", 1, (400, "invalid_request", "conversation")),
        ("conversation", "c1", (400, "invalid_id", "conversation")),
        ("conversation", "0199A3C0-0000-7000-8000-000000000001", (400, "invalid_id", "conversation")),
        ("conversation", "0199a3c0-0000-4000-8000-000000000001", (400, "invalid_id", "conversation")),
        ("reply", "", (400, "invalid_id", "reply")),
        ("reply", None, (400, "invalid_request", "reply")),
        ("model", 5, (400, "invalid_request", "model")),
        ("model", "nobody/knows", (404, "model_not_found", "model")),
        ("extra", 1, (400, "invalid_request", "extra")),
        ("message.extra", 1, (400, "invalid_request", "message.extra")),
        ("message", ..., (400, "invalid_request", "message")),
        ("message", "Hello", (400, "invalid_request", "message")),
        ("message.id", "x", (400, "invalid_id", "message.id")),
        ("message.parent", ..., (400, "invalid_request", "message.parent")),
        ("message.parent", "x", (400, "invalid_id", "message.parent")),
        ("message.parent", ID, (404, "conversation_not_found", "conversation")),
        ("message.parts", [], (400, "invalid_request", "message.parts")),
        ("message.parts", [{"type": "text", "text": " \n\t"}], (400, "invalid_request", "message.parts")),
        ("message.parts", [{"type": "text"}], (400, "invalid_request", "message.parts[0].text")),
        ("message.parts", [{"type": "text", "text": 1}], (400, "invalid_request", "message.parts[0].text")),
        ("message.parts", [{"type": "reasoning", "text": "hm"}], (400, "invalid_request", "message.parts[0].type")),
        ("message.parts", [{"type": "video", "url": "x"}], (400, "invalid_request", "message.parts[0].type")),
        ("message.parts", [{"type": "image", "url": "x"}], (400, "invalid_request", "message.parts[0].url")),
        ("message.parts", [{"type": "text", "text": "a" * 200_001}], (413, "too_large", "message.parts")),
        ("parent", ID, (400, "invalid_request", "message")),
        ("continue", True, (400, "invalid_request", "continue")),
        ("continue", "yes", (400, "invalid_request", "continue")),
    ],
)
async def test_a_turn_that_is_not_as_it_should_be(
    site: Site, path: str, value: object, expected: tuple[int, str, str | None]
) -> None:
    assert await site.refused("POST", "/api/turns", changed(path, value)) == expected
    assert not site.core.provider.calls


@pytest.mark.parametrize(
    "sent",
    [b"", b"{", b"nonsense", b'{"conversation": "\xff"}', b'{"conversation": "\\ud800"}', b"{} {}", b"\xef\xbb\xbf{}"],
)
async def test_a_body_that_is_not_json(site: Site, sent: bytes) -> None:
    async with site.client.post("/api/turns", data=sent, headers=JSON) as answer:
        error = (await answer.json())["error"]
    assert (answer.status, error["type"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("sent", "half"),
    [
        (rb'{"conversation": "\ud83d"}', r"\ud83d"),
        (rb'{"conversation": "\ud83d and more than is looked at"}', r"\ud83d"),
        (rb'{"conversation": "\uD83D\ud83d\ude00"}', r"\uD83D"),
        (rb'{"conversation": "\\\\\ude00"}', r"\ude00"),
        (rb'{"conversation": "\ud83d\ude00""', None),
        (rb'{"conversation": "\\ud83d""', None),
    ],
)
async def test_half_a_character_is_named(site: Site, sent: bytes, half: str | None) -> None:
    async with site.client.post("/api/turns", data=sent, headers=JSON) as answer:
        said = (await answer.json())["error"]["message"]
    assert answer.status == 400
    assert (f"half a character, the lone surrogate {half}." in said) is (half is not None)
    with pytest.raises(InvalidRequest) as caught:
        JsonAsked("chat/completions", sent)
    assert caught.value.message == said, "programs read the same"


@pytest.mark.parametrize("sent", [b"[]", b"1", b'"text"', b"null", b"[" * 100_000, b'{"a":' * 100_000])
async def test_a_body_that_is_not_an_object(site: Site, sent: bytes) -> None:
    async with site.client.post("/api/turns", data=sent, headers=JSON) as answer:
        assert answer.status == 400


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_a_body_that_is_not_announced_as_json(site: Site, media_type: str) -> None:
    expected = (415, "unsupported_media_type", None)
    assert await site.refused("POST", "/api/turns", asked(), headers={"content-type": media_type}) == expected
    assert not site.core.provider.calls


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "Deflate", "br", "gzip, br", "x" * 300])
async def test_a_body_that_is_compressed(site: Site, encoding: str) -> None:
    headers = {**JSON, "content-encoding": encoding}
    async with site.client.post("/api/turns", data=b"\x1f\x8b", headers=headers) as answer:
        error = (await answer.json())["error"]
    assert (answer.status, error["type"]) == (415, "unsupported_media_type")
    assert f"compressed ('{encoding.lower()[:100]}')" in error["message"]


async def test_json_that_says_that_it_is_plain(site: Site) -> None:
    async with site.client.post("/api/turns", json=asked(), headers={"content-encoding": "identity"}) as answer:
        assert answer.status == 200


async def test_json_with_a_charset_is_json(site: Site) -> None:
    kind = {"content-type": "Application/JSON; charset=utf-8"}
    async with site.client.post("/api/turns", data=json.dumps(asked()), headers=kind) as answer:
        assert answer.status == 200


async def test_a_regenerated_or_continued_reply_needs_a_parent_that_is_there(site: Site) -> None:
    body = asked()
    await site.turn(body)
    again = {"conversation": body["conversation"], "reply": new_id(), "parent": ID}
    assert await site.refused("POST", "/api/turns", again) == (404, "message_not_found", "parent")
    again = {"conversation": ID, "reply": new_id(), "parent": body["message"]["id"]}
    assert await site.refused("POST", "/api/turns", again) == (404, "conversation_not_found", "conversation")
    again = {"conversation": body["conversation"], "reply": new_id(), "parent": "x", "continue": True}
    assert await site.refused("POST", "/api/turns", again) == (400, "invalid_id", "parent")


async def test_an_id_that_names_something_else_is_a_conflict(site: Site) -> None:
    body, other = asked("One"), asked("Another")
    await site.turn(body)
    other["reply"] = body["reply"]
    assert await site.refused("POST", "/api/turns", other) == (409, "id_taken", "reply")
    assert len(site.core.provider.calls) == 1


async def test_what_another_owner_has_does_not_exist(tmp_path: Path) -> None:
    core = Core()
    async with serving(core, tmp_path) as mine, serving(core, tmp_path, user=User(id="stranger")) as theirs:
        body = asked("A secret")
        await mine.turn(body)
        one, reply = f"/api/conversations/{body['conversation']}", f"/api/turns/{body['reply']}"
        gone = (404, "conversation_not_found", "conversation")
        assert await theirs.refused("GET", one) == gone
        assert await theirs.refused("PATCH", one, {"title": "Mine now"}) == gone
        assert await theirs.refused("DELETE", one) == gone
        assert await theirs.refused("POST", f"{one}/restore") == gone
        assert (await theirs.refused("GET", f"{reply}/events"))[:2] == (404, "message_not_found")
        assert (await theirs.refused("POST", f"{reply}/stop"))[:2] == (404, "message_not_found")
        assert await theirs.refused("POST", "/api/turns", asked(conversation=body["conversation"])) == gone
        assert (await theirs.call("GET", "/api/conversations?query=secret"))[1] == {"hits": []}
        assert (await theirs.call("GET", "/api/conversations"))[1] == {"conversations": [], "after": None}
        assert (await mine.call("GET", one))[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("GET", f"/api/conversations/{ID}", None, (404, "conversation_not_found", "conversation")),
        ("GET", "/api/conversations/x", None, (400, "invalid_id", "conversation")),
        ("GET", f"/api/conversations/{ID}?limit=0", None, (400, "invalid_request", "limit")),
        ("GET", f"/api/conversations/{ID}?limit=1001", None, (400, "invalid_request", "limit")),
        ("GET", f"/api/conversations/{ID}?limit=9&message=x", None, (400, "invalid_id", "message")),
        ("GET", f"/api/conversations/{ID}?limit=9&before=x", None, (400, "invalid_id", "before")),
        ("GET", f"/api/conversations/{ID}?last=9", None, (400, "invalid_request", "last")),
        ("GET", "/api/conversations/..%2f..%2fetc", None, (404, "route_not_found", None)),
        ("PATCH", f"/api/conversations/{ID}", {"title": "t"}, (404, "conversation_not_found", "conversation")),
        ("PATCH", f"/api/conversations/{ID}", {"title": " "}, (400, "invalid_request", "title")),
        ("PATCH", f"/api/conversations/{ID}", {"title": None}, (400, "invalid_request", "title")),
        ("PATCH", f"/api/conversations/{ID}", {"title": "x" * 201}, (413, "too_large", "title")),
        ("PATCH", f"/api/conversations/{ID}", {"pinned": 1}, (400, "invalid_request", "pinned")),
        ("PATCH", f"/api/conversations/{ID}", {"leaf": "x"}, (400, "invalid_id", "leaf")),
        ("PATCH", f"/api/conversations/{ID}", {"owner": "me"}, (400, "invalid_request", "owner")),
        ("DELETE", f"/api/conversations/{ID}", None, (404, "conversation_not_found", "conversation")),
        ("POST", f"/api/conversations/{ID}/restore", None, (404, "conversation_not_found", "conversation")),
        ("GET", "/api/conversations?limit=0", None, (400, "invalid_request", "limit")),
        ("GET", "/api/conversations?limit=101", None, (400, "invalid_request", "limit")),
        ("GET", "/api/conversations?limit=ten", None, (400, "invalid_request", "limit")),
        ("GET", "/api/conversations?archived=perhaps", None, (400, "invalid_request", "archived")),
        ("GET", "/api/conversations?order=up", None, (400, "invalid_request", "order")),
        ("GET", "/api/conversations?query=" + "x" * 501, None, (400, "invalid_request", "query")),
        ("GET", "/api/conversations?after=made-up", None, (400, "invalid_request", "after")),
        ("GET", f"/api/turns/{ID}/events", None, (404, "message_not_found", "message")),
        ("GET", "/api/turns/x/events", None, (400, "invalid_id", "reply")),
        ("GET", f"/api/turns/{ID}/events?after=-1", None, (400, "invalid_request", "after")),
        ("GET", f"/api/turns/{ID}/events?after=x", None, (400, "invalid_request", "after")),
        ("POST", f"/api/turns/{ID}/stop", None, (404, "message_not_found", "reply")),
        ("POST", "/api/turns/x/stop", None, (400, "invalid_id", "reply")),
        ("GET", "/api", None, (404, "route_not_found", None)),
        ("GET", "/api/", None, (404, "route_not_found", None)),
        ("GET", "/api/conversations/", None, (404, "route_not_found", None)),
        ("GET", "/api/me/", None, (404, "route_not_found", None)),
        ("POST", "/api/nothing", {}, (404, "route_not_found", None)),
        ("GET", "/favicon.ico", None, (404, "route_not_found", None)),
    ],
)
async def test_each_wrong_request_has_its_answer(
    site: Site, method: str, path: str, body: object, expected: tuple[int, str, str | None]
) -> None:
    assert await site.refused(method, path, body) == expected


@pytest.mark.parametrize("number", ["x", "-1", "1.5", "٣", "9" * 16, "1 2"])
async def test_a_last_event_id_that_is_no_number(site: Site, number: str) -> None:
    request = f"GET /api/turns/{ID}/events HTTP/1.0\r\nHost: localhost\r\nLast-Event-ID: {number}\r\n\r\n"
    answer = await site.raw(request.encode())
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"param":"Last-Event-ID"' in answer


async def test_a_question_cannot_be_followed(site: Site) -> None:
    body = asked()
    await site.turn(body)
    path = f"/api/turns/{body['message']['id']}/events"
    assert await site.refused("GET", path) == (404, "message_not_found", "reply")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("POST", "/api/me", "GET, HEAD"),
        ("PUT", f"/api/conversations/{ID}", "GET, HEAD, PATCH, DELETE"),
        ("OPTIONS", "/api/turns", "POST"),
        ("HEAD", f"/api/turns/{ID}/events", "GET"),
        ("GET", f"/api/turns/{ID}/stop", "POST"),
        ("DELETE", "/api/conversations", "GET, HEAD"),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(site: Site, method: str, path: str, allow: str) -> None:
    async with site.client.request(method, path) as answer:
        assert (answer.status, answer.headers["allow"]) == (405, allow)


async def test_head_is_get_without_the_body(site: Site) -> None:
    async with site.client.head("/healthz") as head, site.client.get("/healthz") as get:
        assert (head.status, await head.read()) == (200, b"")
        assert head.headers["content-length"] == get.headers["content-length"]


async def test_a_body_over_the_limit_is_refused_whether_or_not_its_length_is_told(tmp_path: Path) -> None:
    async with serving(Core(), tmp_path, limits=Limits(turn_bytes=20_000)) as site:

        async def in_pieces() -> Any:
            for _ in range(30):
                yield b" " * 1000

        for data in (b" " * 20_001, in_pieces()):
            async with site.client.post("/api/turns", data=data, headers=JSON) as answer:
                error = (await answer.json())["error"]
            assert (answer.status, error["type"]) == (413, "too_large")
        async with site.client.post("/api/turns", data=b" " * 20_000, headers=JSON) as answer:
            assert answer.status == 400, "the limit itself is not too much"


async def test_the_default_limit_of_ten_megabytes_holds_and_no_more_is_kept(site: Site) -> None:
    body = asked()
    padded = json.dumps(body).encode().ljust(10_000_000)
    async with site.client.post("/api/turns", data=io.BytesIO(padded), headers=JSON) as answer:
        assert answer.status == 200
    async with site.client.post("/api/turns", data=io.BytesIO(padded + b" "), headers=JSON) as answer:
        assert answer.status == 413


async def test_a_client_that_never_ends_its_body_is_cut_off(tmp_path: Path) -> None:
    async with serving(Core(), tmp_path, limits=Limits(turn_bytes=50_000)) as site:
        head = b"POST /api/turns HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        answer = await site.raw(head + b"Content-Length: 100000000000\r\n\r\n" + b" " * 120_000)
        assert answer.startswith(b"HTTP/1.1 413 ")


async def test_a_client_that_asks_first_is_told_at_once_that_its_body_is_too_long(tmp_path: Path) -> None:
    async with serving(Core(), tmp_path, limits=Limits(turn_bytes=50_000)) as site:
        head = (
            b"POST /api/turns HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nExpect: 100-continue\r\n"
        )
        answer = await site.raw(head + b"Connection: close\r\nContent-Length: 50001\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 413 ")
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(head + b"Content-Length: 50000\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 100 ")
        writer.close()


async def test_a_body_that_comes_too_slowly(tmp_path: Path) -> None:
    async with serving(Core(), tmp_path, body_seconds=0.05) as site:
        head = b"POST /api/turns HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        answer = await site.raw(head + b'Content-Length: 100\r\n\r\n{"conv')
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"body_too_slow" in answer


async def test_a_body_in_the_smallest_pieces_is_whole(site: Site) -> None:
    sent = json.dumps(asked("조각조각"), ensure_ascii=False).encode()
    head = "POST /api/turns HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(f"{head}Content-Length: {len(sent)}\r\n\r\n".encode())
    for byte in sent:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0)
    answer = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    assert "조각조각".encode() in answer
    assert b"event: done" in answer


async def test_a_client_that_leaves_in_its_body_leaves_nothing(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    head = b"POST /api/turns HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    caplog.set_level("INFO", "daehwa")
    _, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(head + b'Content-Length: 100\r\n\r\n{"conv')
    await writer.drain()
    await asyncio.sleep(0.01)
    writer.close()
    async with asyncio.timeout(30):
        while not caplog.records:  # noqa: ASYNC110 - a log has no event
            await asyncio.sleep(0.005)
    assert [record.levelname for record in caplog.records] == ["INFO"]
    assert " 499 " in caplog.messages[0]
    assert not site.core.provider.calls


async def test_a_head_without_end_is_refused(site: Site) -> None:
    answer = await site.raw(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"a" * 70_000)
    assert answer.startswith(b"HTTP/1.1 431 ")


async def test_what_is_not_http_is_refused(site: Site) -> None:
    assert (await site.raw(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n")).startswith(b"HTTP/1.1 400 ")


async def test_an_unexpected_error_is_a_sentence_with_the_request_id_and_its_traceback_is_in_the_log(
    site: Site, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("something private")

    monkeypatch.setattr(site.core.store, "list_conversations", broken)
    async with site.client.get("/api/conversations") as answer:
        error = (await answer.json())["error"]
        request_id = answer.headers["x-request-id"]
    assert (answer.status, error["type"]) == (500, "internal_error")
    assert request_id in error["message"]
    assert "private" not in error["message"]
    record = next(record for record in caplog.records if record.levelname == "ERROR")
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError
    assert request_id in record.getMessage()


async def test_a_connection_serves_many_requests(site: Site) -> None:
    connector = aiohttp.TCPConnector(limit=1)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{site.port}", connector=connector) as client:
        for _ in range(3):
            async with client.get("/healthz") as answer:
                assert await answer.json() == {"status": "ok"}
            async with client.post("/api/turns", data=b"{", headers=JSON) as answer:
                assert answer.status == 400


def test_the_query_is_read_leniently() -> None:
    async def never() -> dict[str, Any]:
        raise AssertionError

    scope = {"query_string": b"query=%ED%95%9C%EA%B5%AD%FF&archived=&archived=true", "headers": []}
    assert Request(scope, never, {}).query() == {"query": "한국\ufffd", "archived": "true"}
