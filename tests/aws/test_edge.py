"""The edge of the test bed itself, with the real adapter behind it: it does what CloudFront and API Gateway do."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from lambda_bed.edge import Edge
from lambda_bed.events import API_HOST, ORIGIN_KEY, request
from lambda_bed.function import Function
from lambda_bed.gateway import REQUEST_BYTES, ApiGateway

from daehwa.server.visiting import VIEWER_HEADER

pytestmark = [pytest.mark.lambda_adapter, pytest.mark.asyncio(loop_scope="session")]

Visit = Callable[..., AbstractAsyncContextManager[tuple[Edge, aiohttp.ClientSession]]]


@pytest_asyncio.fixture(loop_scope="session")
async def visit(echo: Function, tmp_path: Path) -> Visit:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<title>page</title>", "utf-8")
    (tmp_path / "assets" / "a-1.js").write_text("1", "utf-8")

    @asynccontextmanager
    async def visit(**options: Any) -> AsyncIterator[tuple[Edge, aiohttp.ClientSession]]:
        edge = Edge(ApiGateway(echo), tmp_path, **options)
        async with edge.listening(), aiohttp.ClientSession(edge.address) as client:
            yield edge, client

    return visit


async def test_files_come_from_the_page_with_the_headers_of_safety(visit: Visit) -> None:
    async with visit() as (edge, client):
        for path in ("/", "/chat.html", "/index.html"):
            async with client.get(path) as answer:
                assert await answer.text() == "<title>page</title>"
                assert answer.headers["content-type"] == "text/html"
                assert answer.headers["cache-control"] == "no-cache"
                assert "default-src 'none'" in answer.headers["content-security-policy"]
        async with client.get("/assets/a-1.js") as answer:
            assert "immutable" in answer.headers["cache-control"]
        for path in ("/missing", "/healthz", "/apis"):
            async with client.get(path) as answer:
                assert answer.status == 403
        assert edge.api.asked == []


async def test_the_origin_gets_its_key_and_no_host_and_the_viewer_gets_the_answer(visit: Visit) -> None:
    async with visit() as (_, client):
        headers = {"x-api-key": "guess", "cookie": "a=1", VIEWER_HEADER: "198.51.100.9"}
        async with client.post("/api/a%20b?q=%2B", data=b"\x00\xff", headers=headers) as answer:
            said = json.loads(await answer.read())
            assert answer.headers["x-amzn-remapped-date"]
        asked = dict(said["headers"])
        assert (said["path"], said["query"], said["body"]) == ("/api/a%20b", "q=%2B", "\x00\xff")
        assert (asked["x-api-key"], asked["host"], asked["cookie"]) == (ORIGIN_KEY, API_HOST, "a=1")
        assert [value for name, value in said["headers"] if name == VIEWER_HEADER] == ["127.0.0.1"]
    async with visit() as (edge, _):
        refused = await edge.api.answer(request("GET", "/api/me"))
        assert refused.status == 403


async def test_a_request_over_the_limit_is_refused(visit: Visit) -> None:
    async with visit() as (_, client):
        for body in (b"x" * (REQUEST_BYTES + 1), b"\xff" * (REQUEST_BYTES // 2)):
            async with client.post("/api/turns", data=BytesIO(body)) as answer:
                assert (answer.status, await answer.json()) == (413, {"message": "Request Too Long"})


async def test_a_viewer_who_leaves_changes_nothing(visit: Visit, echo: Function) -> None:
    async with visit() as (_, client):
        async with client.get("/v1/stream?pieces=6&pause=0.1") as answer:
            assert await answer.content.readline() == b"data: 0\n"
            answer.close()
        invocation = echo.invocations[-1]
        assert not invocation.ended.is_set()
        async with asyncio.timeout(10):
            assert (await invocation.body()).endswith(b"data: 5\n\n")


async def test_an_origin_that_is_silent_for_too_long_is_left(visit: Visit) -> None:
    async with visit(read_seconds=0.5) as (_, client), client.get("/v1/stream?pieces=2&pause=2") as answer:
        assert await answer.content.readline() == b"data: 0\n"
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.read()
