"""The real Lambda Web Adapter before a small application: what it makes of requests and answers.

What we rely on is held here, so that a new version of the adapter that does otherwise is noticed.
"""

import asyncio
import json
from typing import Any

import pytest
from lambda_bed.errors import Failed
from lambda_bed.events import API_HOST, event, request
from lambda_bed.function import Function

pytestmark = [pytest.mark.lambda_adapter, pytest.mark.asyncio(loop_scope="session")]

Json = dict[str, Any]


async def said(function: Function, method: str, target: str, body: object = None, **headers: str) -> Json:
    """Return what the application says it was asked."""
    invocation = await function.invoke(event(request(method, target, body, **headers)))
    answer: Json = json.loads(await invocation.body())
    answer["headers"] = dict(answer["headers"])
    return answer


async def test_it_registers_as_an_extension_and_asks_for_events(echo: Function) -> None:
    invocation = await echo.invoke(event(request("GET", "/hello")))
    await invocation.body()
    api = echo.environments[-1].api
    assert [(extension.name, extension.ready) for extension in api.extensions.values()] == [("lambda-adapter", True)]
    assert any(agent.startswith("aws-lambda-rust/") for agent in api.agents)
    assert echo.faults() == []


async def test_the_path_stays_encoded_and_the_query_is_encoded_anew(echo: Function) -> None:
    asked = await said(echo, "GET", "/api/a%20b%2Fc?query=%EB%82%A0%EC%94%A8+%26+more%20&after=1&after=2&empty=")
    assert asked["path"] == "/api/a%20b%2Fc"
    pairs = sorted(asked["query"].split("&"))  # the order of different names is not kept
    assert pairs == ["after=1", "after=2", "empty=", "query=%EB%82%A0%EC%94%A8+%26+more+"]


async def test_the_application_sees_the_apis_host_and_the_deadline(echo: Function) -> None:
    asked = await said(
        echo, "GET", "/hello", host="d111.cloudfront.net", cookie="a=1; b=2", x_amzn_lambda_context='{"deadline":1}'
    )
    assert asked["headers"]["host"] == API_HOST
    assert asked["headers"]["cookie"] == "a=1; b=2"
    context = json.loads(asked["headers"]["x-amzn-lambda-context"])
    assert context["deadline"] > 1, "a caller cannot set it"
    assert len(context["request_id"]) == 36


async def test_bodies_arrive_as_text_and_as_base64(echo: Function) -> None:
    asked = await said(echo, "POST", "/hello", {"text": "안녕 🙂"})
    assert json.loads(asked["body"].encode("latin-1")) == {"text": "안녕 🙂"}
    every_byte = bytes(range(256))
    invocation = await echo.invoke(event(request("POST", "/hello", every_byte), binary=True))
    assert json.loads(await invocation.body())["body"].encode("latin-1") == every_byte


async def test_an_answer_without_a_body_still_is_a_frame_and_keeps_both_cookies(echo: Function) -> None:
    invocation = await echo.invoke(event(request("GET", "/sign-in")))
    metadata = await invocation.metadata()
    assert metadata.status == 302
    assert metadata.header("location") == "/chat.html"
    assert metadata.cookies == ("session=new; HttpOnly", "attempt=; Max-Age=0")
    assert await invocation.body() == b""
    for method, target in (("GET", "/empty"), ("HEAD", "/hello")):
        invocation = await echo.invoke(event(request(method, target)))
        assert (await invocation.metadata()).status in {200, 204}
        assert await invocation.body() == b""


async def test_chunks_arrive_as_they_are_made(echo: Function) -> None:
    invocation = await echo.invoke(event(request("GET", "/stream?pieces=5&pause=0.15")))
    assert await invocation.body() == b"".join(b"data: %d\n\n" % number for number in range(5))
    assert len(invocation.chunks) == 5
    gaps = [later.at - earlier.at for earlier, later in zip(invocation.chunks, invocation.chunks[1:], strict=False)]
    assert min(gaps) > 0.05


async def test_two_headers_of_one_name_make_metadata_that_is_not_documented(echo: Function) -> None:
    invocation = await echo.invoke(event(request("GET", "/vary")))
    with pytest.raises(Failed, match="not a string"):
        await invocation.metadata()
    assert [fault[:33] for fault in echo.faults()] == ["A header or a cookie is not a str"]


async def test_where_the_application_breaks_off_the_error_stands_in_the_payload(echo: Function) -> None:
    """The Rust runtime writes what should be a trailer as a last chunk, so the reader of the stream sees it."""
    invocation = await echo.invoke(event(request("GET", "/broken")))
    body = await invocation.body()
    assert body.startswith(b"data: half")
    assert b"Lambda-Runtime-Function-Error-Type: Runtime.StreamError" in body


async def test_each_event_at_one_moment_has_an_environment_of_its_own(echo: Function) -> None:
    before = len(echo.environments)
    long = [await echo.invoke(event(request("GET", "/stream?pieces=2&pause=0.4"))) for _ in range(2)]
    assert [await one.body() for one in long] == [b"data: 0\n\ndata: 1\n\n"] * 2
    assert len(echo.environments) <= max(before, 2)
    assert all(environment.frozen for environment in echo.environments if environment.alive)


async def test_what_is_left_for_after_the_last_byte_waits_for_the_next_event(echo: Function) -> None:
    await echo.retire()
    invocation = await echo.invoke(event(request("GET", "/late")))
    assert await invocation.body() == b"all there is"
    late = echo.environments[-1].folder / "tmp" / "late"
    await asyncio.sleep(0.5)
    assert not late.exists()
    slow = await echo.invoke(event(request("GET", "/stream?pieces=2&pause=0.3")))
    await slow.body()
    assert late.exists()


async def test_frozen_for_longer_than_the_adapter_keeps_connections(echo: Function) -> None:
    await said(echo, "GET", "/hello")
    await asyncio.sleep(4.5)  # it keeps them for 4 seconds
    assert all(environment.frozen for environment in echo.environments if environment.alive)
    assert (await said(echo, "GET", "/hello"))["path"] == "/hello"


async def test_at_the_deadline_everything_is_killed_and_the_next_event_gets_a_new_environment(echo: Function) -> None:
    invocation = await echo.invoke(event(request("GET", "/stream?pieces=50&pause=0.1")), seconds=0.6)
    with pytest.raises(Failed, match=r"timed out after 0\.60 seconds"):
        await invocation.body()
    assert invocation.arrived.startswith(b"data: 0\n\n"), "what had come is not taken back"
    assert (await said(echo, "GET", "/hello"))["path"] == "/hello"
    assert echo.faults() == []
