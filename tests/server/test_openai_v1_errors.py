"""What goes wrong under /v1: which status says it, whether trying again helps, and how a stream says it."""

import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cores import Core
from gateway.bed import Bed
from server.serving import Site, serving

from daehwa.accounts.errors import RateExceeded
from daehwa.accounts.keys import KeyLimits
from daehwa.accounts.minting import mint_key
from daehwa.conversation.errors import (
    ProviderAuthError,
    ProviderCutError,
    ProviderError,
    ProviderMalformedError,
    ProviderRateLimitError,
    ProviderTimeoutError,
    ProviderUnavailableError,
    ProviderUnreachableError,
)
from daehwa.conversation.ids import now_ms
from daehwa.gateway.scripted import Piece, ScriptedAnswer, ScriptedTarget, as_json

PATH = "/v1/chat/completions"
CHAT = {"model": "parrot", "messages": [{"role": "user", "content": "Hi"}]}
SSE = {"content-type": "text/event-stream"}


@pytest.fixture
def bed() -> Bed:
    return Bed()


@pytest.fixture
async def site(bed: Bed, tmp_path: Path) -> AsyncIterator[Site]:
    async with serving(Core(), tmp_path, programs=bed.programs()) as made:
        yield made


BESIDE = (
    *("/chat/completions", "/responses", "/embeddings", "/models/parrot", "/completions/"),
    *("/openai/deployments/parrot/chat/completions?api-version=2024-10-21", "/openai/v1/chat/completions"),
    *("//v1/chat/completions", "//v1"),
)


@pytest.mark.parametrize("path", BESIDE)
async def test_a_base_url_that_is_another_is_told_so_in_openais_shape(site: Site, path: str) -> None:
    sent = f"POST {path} HTTP/1.0\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{{}}".encode()
    head, _, body = (await site.raw(sent)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 404 ")
    error = json.loads(body)["error"]
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", None, "route_not_found")
    assert "Let the base URL be this server's address with /v1 at its end." in error["message"]


@pytest.mark.parametrize("path", ["/openaix", "/modelsx", "/nothing"])
async def test_no_other_path_is_taken_for_one_of_openais(site: Site, path: str) -> None:
    assert await site.refused("POST", path, CHAT) == (404, "route_not_found", None)


@pytest.mark.parametrize("path", [PATH, "/v1/audio/transcriptions"])
async def test_a_body_that_is_compressed_is_said_to_be_that(site: Site, bed: Bed, path: str) -> None:
    kind = "application/json" if path == PATH else "multipart/form-data; boundary=x"
    headers = {"content-type": kind, "content-encoding": "gzip"}
    async with site.client.post(path, data=gzip.compress(json.dumps(CHAT).encode()), headers=headers) as answer:
        error = (await answer.json())["error"]
    assert (answer.status, error["code"]) == (415, "unsupported_media_type")
    assert "compressed ('gzip')" in error["message"]
    assert "plain" in error["message"]
    assert not bed.models.all[0].requests


@pytest.mark.parametrize(
    ("fault", "status", "kind", "is_final"),
    [
        (ProviderRateLimitError("All places are taken.", retry_after=1.0), 429, "rate_limit_error", False),
        (ProviderUnavailableError("Not asked for a while.", retry_after=3), 503, "server_error", False),
        (ProviderTimeoutError("Too late."), 504, "server_error", False),
        (ProviderUnreachableError("Nobody there."), 502, "server_error", False),
        (ProviderAuthError("It does not take our key."), 502, "server_error", True),
        (ProviderMalformedError("No chat completion."), 502, "server_error", True),
    ],
    ids=lambda value: value.type if isinstance(value, ProviderError) else str(value),
)
async def test_a_status_says_what_went_wrong_and_a_header_whether_to_try_again(
    site: Site, bed: Bed, fault: ProviderError, status: int, kind: str, *, is_final: bool
) -> None:
    bed.models.all[0].script = lambda _request: fault
    async with site.client.post(PATH, json=CHAT) as answer:
        error = (await answer.json())["error"]
        assert (answer.status, error["code"], error["type"]) == (status, fault.type, kind)
        assert (answer.headers.get("x-should-retry") == "false") is is_final
        assert ("retry-after" in answer.headers) is (fault.retry_after is not None)


@pytest.mark.parametrize(
    ("seconds", "said", "said_ms"),
    [(0.0, "1", "1"), (4.0, "4", "4000"), (4.3771, "5", "4378"), (59.0004, "60", "59001")],
)
async def test_whoever_waits_as_long_as_is_said_does_not_come_too_early(
    site: Site, bed: Bed, seconds: float, said: str, said_ms: str
) -> None:
    bed.models.all[0].script = lambda _request: ProviderRateLimitError("Slow down.", retry_after=seconds)
    async with site.client.post(PATH, json=CHAT) as answer:
        assert (answer.headers["retry-after"], answer.headers["retry-after-ms"]) == (said, said_ms)
    assert f"again in {said} second" in RateExceeded("requests", 1, retry_after=seconds).message


async def test_a_stream_of_responses_ends_in_an_event_of_its_kind(site: Site, bed: Bed) -> None:
    begun = b'event: response.created\ndata: {"type":"response.created"}\n\n'
    pieces: list[Piece] = [begun, ProviderCutError("It broke off.")]
    bed.models.all[0].script = lambda _request: ScriptedAnswer(pieces, 200, SSE)
    async with site.client.post("/v1/responses", json={"model": "parrot", "input": "Hi", "stream": True}) as answer:
        *_, last = (await answer.text()).strip().split("\n\n")
    name, data = last.split("\n")
    event = json.loads(data.removeprefix("data: "))
    assert name == "event: error"
    assert (event["type"], event["code"], event["message"]) == ("error", "upstream_cut", "It broke off.")
    assert event["error"]["code"] == "upstream_cut"


async def test_a_stream_is_one_however_its_type_is_written(site: Site, bed: Bed) -> None:
    answer = ScriptedAnswer([b"data: {}\n\n", b"data: [DONE]\n\n"], 200, {"content-type": "Text/Event-Stream"})
    bed.models.all[0].script = lambda _request: answer
    async with site.client.post(PATH, json={**CHAT, "stream": True}) as came:
        assert came.headers["x-accel-buffering"] == "no"
        assert await came.text() == "data: {}\n\ndata: [DONE]\n\n"


async def test_the_one_who_knows_what_a_call_goes_on_with_is_found(tmp_path: Path) -> None:
    unknown = {"error": {"message": "Not found.", "code": "previous_response_not_found"}}
    first = ScriptedTarget(lambda _request: as_json(unknown, 400), provider="a")
    second = ScriptedTarget(lambda _request: as_json({"id": "resp_2"}), provider="b")
    bed = Bed(first, second)
    async with serving(Core(), tmp_path, programs=bed.programs()) as site:
        asked = {"model": "any", "input": "Go on.", "previous_response_id": "resp_1"}
        assert await site.call("POST", "/v1/responses", asked) == (200, {"id": "resp_2"})
        bed.models.all = (first,)
        assert await site.call("POST", "/v1/responses", asked) == (400, unknown)


async def test_a_limited_key_is_told_of_no_model_that_it_may_not_ask(site: Site, bed: Bed) -> None:
    key, text = mint_key("me", "Program", limits=KeyLimits(models=("fast",)), now=now_ms())
    await bed.keys.add_key(key)
    headers = {"Authorization": f"Bearer {text}"}
    status, answer = await site.call("POST", PATH, {**CHAT, "model": "zzz"}, headers=headers)
    assert (status, answer["error"]["code"]) == (404, "model_not_found")
    assert "parrot" not in answer["error"]["message"]
    assert "/v1/models" in answer["error"]["message"]


async def test_a_call_that_came_to_nothing_takes_nothing_of_its_key_s_rate(site: Site, bed: Bed) -> None:
    key, text = mint_key("me", "Program", limits=KeyLimits(tokens_per_minute=1000), now=now_ms())
    await bed.keys.add_key(key)
    headers = {"Authorization": f"Bearer {text}"}
    asked = {**CHAT, "max_tokens": 900}
    bed.models.all[0].script = lambda _request: as_json({"error": {"message": "Overloaded."}}, 500)
    for _ in range(3):
        assert (await site.call("POST", PATH, asked, headers=headers))[0] == 500
    bed.models.all[0].script = lambda _request: ProviderUnreachableError("Nobody there.")
    assert (await site.call("POST", PATH, asked, headers=headers))[0] == 502
    bed.models.all[0].script = lambda _request: as_json({"choices": [], "usage": {"prompt_tokens": 2}})
    assert (await site.call("POST", PATH, asked, headers=headers))[0] == 200


async def test_what_one_upstream_has_read_stays_counted_where_the_next_one_gives_nothing(tmp_path: Path) -> None:
    late = ScriptedTarget(lambda _request: ProviderTimeoutError("Too late."), provider="a")
    gone = ScriptedTarget(lambda _request: ProviderUnreachableError("Nobody there."), provider="b")
    bed = Bed(late, gone)
    key, text = mint_key("me", "Program", limits=KeyLimits(tokens_per_minute=1000), now=now_ms())
    await bed.keys.add_key(key)
    async with serving(Core(), tmp_path, programs=bed.programs()) as site:
        asked = {**CHAT, "model": "any", "max_tokens": 10, "user": "x" * 2400}
        headers = {"Authorization": f"Bearer {text}"}
        assert (await site.call("POST", PATH, asked, headers=headers))[0] == 502
        status, answer = await site.call("POST", PATH, asked, headers=headers)
        assert (status, answer["error"]["code"]) == (429, "rate_exceeded")


async def test_giving_an_answer_again_takes_nothing_of_its_key_s_rate(site: Site, bed: Bed) -> None:
    key, text = mint_key("me", "Program", limits=KeyLimits(requests_per_minute=2), now=now_ms())
    await bed.keys.add_key(key)
    headers = {"Authorization": f"Bearer {text}", "Idempotency-Key": "once"}
    for number in range(4):
        async with site.client.post(PATH, json=CHAT, headers=headers) as answer:
            assert answer.status == 200
            assert ("x-ratelimit-remaining-requests" in answer.headers) is (number == 0)
    assert len(bed.models.all[0].requests) == 1


class HastyBed(Bed):
    """A bed whose gateway hands comments on at once."""

    comment_seconds = 0.02


async def test_who_is_asked_next_goes_on_in_a_stream_whose_head_is_out(tmp_path: Path) -> None:
    def overloaded(_request: object) -> ScriptedAnswer:
        error = b'data: {"error": {"message": "Overloaded.", "code": 502}}\n\n'
        return ScriptedAnswer([b": PROCESSING\n\n", 0.1, error], 200, SSE)

    def refusing(_request: object) -> ScriptedAnswer:
        return as_json({"error": {"message": "Slow down."}}, 429)

    first, good = ScriptedTarget(overloaded, name="first"), ScriptedTarget(name="good")
    bed = HastyBed(first, good)
    async with serving(Core(), tmp_path, programs=bed.programs()) as site:

        async def said() -> str:
            async with site.client.post(PATH, json={**CHAT, "model": "any", "stream": True}) as answer:
                assert answer.status == 200
                return await answer.text()

        text = await said()
        assert text.startswith(": PROCESSING\n\n")
        assert "Overloaded" not in text
        assert text.endswith("data: [DONE]\n\n")
        good.script = refusing
        error = json.loads((await said()).split("\n\n")[-2].removeprefix("data: "))["error"]
        assert (error["type"], error["code"]) == ("rate_limit_error", "upstream_rate_limit")
        assert "Slow down." in error["message"]
