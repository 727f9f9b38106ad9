"""Who may ask under /v1: every kind of key, with and without an owner, and what a key allows."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from cores import Core
from gateway.bed import OWNER, Bed
from server.serving import Site, serving

from daehwa.accounts.errors import BudgetExceeded, PriceUnknown
from daehwa.accounts.keys import ApiKey, KeyLimits
from daehwa.accounts.minting import mint_key
from daehwa.accounts.people import Profile
from daehwa.conversation.errors import StoreError
from daehwa.conversation.ids import now_ms
from daehwa.gateway.scripted import ScriptedAnswer, ScriptedTarget, as_events, as_json

CHAT = {"model": "parrot", "messages": [{"role": "user", "content": "Hi"}]}
PATH = "/v1/chat/completions"


async def a_key(bed: Bed, *, user: str = "me", expires: int | None = None, **limits: Any) -> tuple[str, ApiKey]:
    key, text = mint_key(user, "Program", limits=KeyLimits(**limits), expires=expires, now=now_ms())
    await bed.keys.add_key(key)
    return text, key


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


async def refused(site: Site, headers: dict[str, str]) -> tuple[int, str, str]:
    status, answer = await site.call("POST", PATH, CHAT, headers=headers)
    error = answer["error"]
    assert status != 401 or error["message"].endswith("in the page, under API keys, or by `daehwa key create`.")
    return status, error["code"], error["type"]


@pytest.mark.parametrize("has_owner", [True, False])
async def test_each_fault_of_a_key_is_an_error_of_its_own(tmp_path: Path, *, has_owner: bool) -> None:
    bed = Bed()
    expired, _ = await a_key(bed, expires=now_ms() - 1)
    revoked, key = await a_key(bed)
    await bed.keys.revoke_key(key.id, user=None, now=now_ms())
    orphan, _ = await a_key(bed, user="somebody who is gone")
    good, good_key = await a_key(bed)
    kind = "authentication_error"  # by another one LiteLLM takes it for a bad request
    async with serving(Core(), tmp_path, programs=bed.programs(owner=OWNER if has_owner else None)) as site:
        assert await refused(site, bearer(expired)) == (401, "key_expired", kind)
        assert await refused(site, bearer(revoked)) == (401, "key_revoked", kind)
        assert await refused(site, bearer(orphan)) == (401, "key_unknown", kind)
        assert await refused(site, bearer("dh_wrong")) == (401, "key_unknown", kind)
        assert await refused(site, bearer(good[:-1])) == (401, "key_unknown", kind)
        assert not bed.meter.calls
        for headers in (bearer(good), {"api-key": good}, {"x-api-key": good}, {"authorization": f"bearer  {good}"}):
            assert (await site.call("POST", PATH, CHAT, headers=headers))[0] == 200
        assert {call.key for call in bed.meter.calls} == {good_key.id}
        for headers in ({}, bearer(""), bearer("sk-anything"), {"authorization": "Basic x"}, {"cookie": "daehwa=x"}):
            status, answer = await site.call("POST", PATH, CHAT, headers=headers)
            if has_owner:
                assert status == 200
                assert bed.meter.calls[-1].key is None
            else:
                assert status == 401
                assert answer["error"]["code"] in {"key_missing", "key_unknown"}
        for path in ("/v1/models", "/v1/models/parrot"):
            assert (await site.call("GET", path))[0] == (200 if has_owner else 401)


async def test_a_person_s_key_asks_in_their_name(tmp_path: Path) -> None:
    bed = Bed()
    profile = Profile(issuer="https://id.example", subject="1", email=None, name="Ann")
    ann = await bed.accounts.sign_in(profile, role=None, now=1)
    text, key = await a_key(bed, user=ann.id)
    async with serving(Core(), tmp_path, programs=bed.programs(owner=None)) as site:
        assert (await site.call("POST", PATH, CHAT, headers=bearer(text)))[0] == 200
    assert (bed.meter.calls[0].user, bed.meter.calls[0].key) == (ann.id, key.id)
    found = await bed.keys.find_key(key.digest)
    assert found is not None
    assert found.last_used is not None


async def test_the_last_use_is_written_once_a_minute(tmp_path: Path) -> None:
    bed = Bed()
    text, key = await a_key(bed)
    async with serving(Core(), tmp_path, programs=bed.programs()) as site:
        for _ in range(3):
            await site.call("GET", "/v1/models", headers=bearer(text))
    assert bed.keys.noted == [key.id]


@pytest.mark.parametrize("allowed", ["a/one", "one", "a/*", "on*", "any"])
async def test_a_key_asks_only_the_models_that_it_names(tmp_path: Path, allowed: str) -> None:
    bed = Bed(ScriptedTarget(provider="a", name="one"), ScriptedTarget(provider="b", name="two"))
    text, _ = await a_key(bed, models=(allowed,))
    async with serving(Core(), tmp_path, programs=bed.programs()) as site:
        wanted = "any" if allowed == "any" else "one"
        assert (await site.call("POST", PATH, {**CHAT, "model": wanted}, headers=bearer(text)))[0] == 200
        status, answer = await site.call("POST", PATH, {**CHAT, "model": "two"}, headers=bearer(text))
        assert (status, answer["error"]["code"], answer["error"]["param"]) == (403, "model_not_allowed", "model")
        assert allowed in answer["error"]["message"]
        _, listed = await site.call("GET", "/v1/models", headers=bearer(text))
        assert [model["id"] for model in listed["data"]] == ([] if allowed == "any" else ["a/one"])
        assert (await site.call("GET", "/v1/models/two", headers=bearer(text)))[0] == 404


@pytest.mark.parametrize("field", ["models", "fallbacks"])
async def test_a_key_s_models_are_those_that_an_upstream_may_choose_from_too(tmp_path: Path, field: str) -> None:
    bed = Bed()
    text, _ = await a_key(bed, models=("parrot", "small-*"))
    async with serving(Core(), tmp_path, programs=bed.programs()) as site:
        asked = {**CHAT, field: ["small-1", "large"]}
        status, answer = await site.call("POST", PATH, asked, headers=bearer(text))
        assert (status, answer["error"]["code"]) == (403, "model_not_allowed")
        assert "'large'" in answer["error"]["message"]
        assert not bed.meter.calls
        asked[field] = ["small-1", "small-2"]
        assert (await site.call("POST", PATH, asked, headers=bearer(text)))[0] == 200
    assert bed.meter.calls[0].others == ("scripted/small-1", "scripted/small-2")


async def test_a_key_has_its_rates(tmp_path: Path) -> None:
    bed = Bed()
    few, _ = await a_key(bed, requests_per_minute=2)
    bed.models.all[0].script = lambda _request: as_json(
        {"choices": [], "usage": {"prompt_tokens": 400, "completion_tokens": 200}},
        x_ratelimit_limit_requests="9",
        x_ratelimit_limit_tokens="8",
    )
    async with serving(Core(), tmp_path, programs=bed.programs()) as site:
        async with site.client.post(PATH, json=CHAT, headers=bearer(few)) as answer:
            assert answer.status == 200
            assert answer.headers["x-ratelimit-limit-requests"] == "2"
            assert answer.headers["x-ratelimit-remaining-requests"] == "1"
            assert 0 < float(answer.headers["x-ratelimit-reset-requests"].removesuffix("s")) <= 60
            assert answer.headers["x-ratelimit-limit-tokens"] == "8", "the upstream's, where this server has none"
        await site.call("POST", PATH, CHAT, headers=bearer(few))
        async with site.client.post(PATH, json=CHAT, headers=bearer(few)) as answer:
            assert answer.status == 429
            assert (await answer.json())["error"]["code"] == "rate_exceeded"
            assert 1 <= int(answer.headers["retry-after"]) <= 60
            assert answer.headers["x-ratelimit-limit-requests"] == "2"
            assert answer.headers["x-ratelimit-remaining-requests"] == "0"
        tokens, _ = await a_key(bed, tokens_per_minute=1000)
        statuses = [(await site.call("POST", PATH, CHAT, headers=bearer(tokens)))[0] for _ in range(3)]
        assert statuses == [200, 200, 429], "what was really used counts"


async def test_what_money_refuses_is_not_to_be_tried_again(tmp_path: Path) -> None:
    bed = Bed()
    async with serving(Core(), tmp_path, programs=bed.programs()) as site:
        bed.meter.refusal = BudgetExceeded("Used up.", scope="all", period="2026-11", limit=1, renews=None)
        async with site.client.post(PATH, json=CHAT) as answer:
            error = (await answer.json())["error"]
            assert (answer.status, error["code"], error["type"]) == (429, "budget_exceeded", "insufficient_quota")
            assert answer.headers["x-should-retry"] == "false"
        bed.meter.refusal = PriceUnknown("a/b")
        assert await refused(site, {}) == (403, "price_unknown", "invalid_request_error")
        bed.meter.refusal = StoreError("The disk is full.")
        assert await refused(site, {}) == (503, "store_unavailable", "server_error")
    assert not bed.models.all[0].requests


async def test_what_money_allows_is_asked_of_the_upstream(tmp_path: Path) -> None:
    bed = Bed()
    bed.meter.output_limit = 300
    target = bed.models.all[0]

    def young(request: Any) -> ScriptedAnswer:
        if b'"max_tokens"' in request.body:
            return as_json({"error": {"message": "Unsupported parameter: 'max_tokens'."}}, 400)
        return as_json({"choices": []})

    async with serving(Core(), tmp_path, programs=bed.programs()) as site:
        await site.call("POST", PATH, CHAT)
        await site.call("POST", PATH, {**CHAT, "max_completion_tokens": 9})
        await site.call("POST", "/v1/responses", {"model": "parrot", "input": "Hi"})
        await site.call("POST", "/v1/completions", {"model": "parrot", "prompt": ["a", "b"], "n": 2})
        await site.call("POST", "/v1/embeddings", {"model": "parrot", "input": "Hi"})
        target.script = young
        await site.call("POST", PATH, CHAT)
        await site.call("POST", PATH, CHAT)
    limits = [{name: body[name] for name in body if name.startswith("max_")} for body in target.bodies]
    assert limits == [
        {"max_tokens": 300},
        {"max_completion_tokens": 9},
        {"max_output_tokens": 300},
        {"max_tokens": 16},
        {},
        {"max_tokens": 300},
        {"max_completion_tokens": 300},
        {"max_completion_tokens": 300},
    ]
    assert [call.output_limit for call in bed.meter.calls[:3]] == [None, 9, None]
    assert bed.meter.calls[3].choices == 4


ONCE = {"Idempotency-Key": "k1"}


async def test_the_same_request_is_made_once(tmp_path: Path) -> None:
    bed = Bed()
    async with serving(Core(), tmp_path, programs=bed.programs()) as site:
        first = await site.call("POST", PATH, CHAT, headers=ONCE)
        assert await site.call("POST", PATH, CHAT, headers=ONCE) == first
        status, answer = await site.call("POST", PATH, {**CHAT, "n": 2}, headers=ONCE)
        assert (status, answer["error"]["code"]) == (409, "idempotency_key_reused")
        streams = []
        for _ in range(2):
            headers = {"Idempotency-Key": "k2"}
            async with site.client.post(PATH, json={**CHAT, "stream": True}, headers=headers) as answered:
                assert answered.headers["content-type"].startswith("text/event-stream")
                streams.append(await answered.read())
        assert streams[0] == streams[1]
        text, _ = await a_key(bed)
        await site.call("POST", PATH, CHAT, headers={**ONCE, **bearer(text)})
    assert len(bed.models.all[0].requests) == 3, "another key is another caller"
    assert len(bed.meter.calls) == 3


async def test_many_at_once_are_one(tmp_path: Path) -> None:
    bed, may_answer = Bed(), asyncio.Event()
    bed.models.all[0].script = lambda _request: ScriptedAnswer([may_answer, b'{"n": 1}'])
    async with serving(Core(), tmp_path, programs=bed.programs()) as site:
        calls = [asyncio.create_task(site.call("POST", PATH, CHAT, headers=ONCE)) for _ in range(20)]
        await asyncio.sleep(0.1)
        may_answer.set()
        assert {str(answer) for answer in await asyncio.gather(*calls)} == {"(200, {'n': 1})"}
    assert len(bed.models.all[0].requests) == 1


async def test_who_waits_too_long_is_told_so_and_failures_are_made_anew(tmp_path: Path) -> None:
    bed, may_fail = Bed(), asyncio.Event()
    target = bed.models.all[0]
    async with serving(Core(), tmp_path, programs=bed.programs()) as site:
        target.script = lambda _request: as_json({"error": {"message": "x"}}, 500)
        assert (await site.call("POST", PATH, CHAT, headers=ONCE))[0] == 500
        target.script = lambda _request: ScriptedAnswer([may_fail], 500)
        running = asyncio.create_task(site.call("POST", PATH, CHAT, headers=ONCE))
        await asyncio.sleep(0.05)
        status, answer = await site.call("POST", PATH, CHAT, headers=ONCE)
        assert (status, answer["error"]["code"]) == (409, "still_answering")
        may_fail.set()
        assert (await running)[0] == 500
        target.script = lambda _request: as_json({"choices": []})
        assert (await site.call("POST", PATH, CHAT, headers=ONCE))[0] == 200
        long = {"Idempotency-Key": "x" * 256}
        assert (await site.call("POST", PATH, CHAT, headers=long))[0] == 400


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_call_goes_on_for_whoever_asks_again(tmp_path: Path, *, streamed: bool) -> None:
    bed, may_end = Bed(), asyncio.Event()
    begun, end = (b"data: {}\n\n", b"data: [DONE]\n\n") if streamed else (b'{"n":', b"1}")
    kind = {"content-type": "text/event-stream" if streamed else "application/json"}
    bed.models.all[0].script = lambda _request: ScriptedAnswer([begun, may_end, end], 200, kind)
    asked = {**CHAT, "stream": streamed}
    async with serving(Core(), tmp_path, programs=bed.programs()) as site:
        first = asyncio.create_task(site.client.post(PATH, json=asked, headers=ONCE))
        await asyncio.sleep(0.1)
        if streamed:
            (await first).close()
        else:
            first.cancel()
        await asyncio.sleep(0.1)
        second = asyncio.create_task(site.client.post(PATH, json=asked, headers=ONCE))
        await asyncio.sleep(0.1)
        assert not bed.meter.outcomes
        may_end.set()
        async with await second as answer:
            assert await answer.read() == begun + end
    assert len(bed.models.all[0].requests) == len(bed.meter.outcomes) == 1


async def test_who_only_waits_for_another_s_answer_leaves_as_ever(tmp_path: Path) -> None:
    bed, may_fail = Bed(), asyncio.Event()
    bed.models.all[0].script = lambda _request: ScriptedAnswer([may_fail], 500)
    async with serving(Core(), tmp_path, programs=bed.programs()) as site:
        calls = [asyncio.create_task(site.client.post(PATH, json=CHAT, headers=ONCE)) for _ in range(4)]
        await asyncio.sleep(0.2)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await asyncio.sleep(0.1)
        may_fail.set()
        await asyncio.sleep(0.3)
    assert len(bed.models.all[0].requests) == 1


async def test_a_stream_with_an_error_in_it_is_not_kept(tmp_path: Path) -> None:
    bed = Bed()
    target = bed.models.all[0]
    target.script = lambda _request: as_events({"error": {"message": "Overloaded."}})
    async with serving(Core(), tmp_path, programs=bed.programs()) as site:
        for _ in range(2):
            async with site.client.post(PATH, json={**CHAT, "stream": True}, headers=ONCE) as answered:
                assert b"Overloaded." in await answered.read()
    assert len(target.requests) == 2


async def test_a_recording_is_sent_once_whatever_its_boundary(tmp_path: Path) -> None:
    bed = Bed()
    bed.models.all[0].script = lambda _request: as_json({"text": "Hi"})

    def form(boundary: str, content: str) -> bytes:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="model"\r\n\r\nparrot\r\n--{boundary}\r\n'
        file = f'Content-Disposition: form-data; name="file"; filename="a.mp3"\r\n\r\n{content}\r\n--{boundary}--\r\n'
        return (head + file).encode()

    async with serving(Core(), tmp_path, programs=bed.programs()) as site:
        statuses = []
        for boundary, content in [("one", "x"), ("two", "x"), ("three", "y")]:
            headers = {**ONCE, "content-type": f"multipart/form-data; boundary={boundary}"}
            body = form(boundary, content)
            async with site.client.post("/v1/audio/transcriptions", data=body, headers=headers) as answer:
                statuses.append(answer.status)
        assert statuses == [200, 200, 409]
    assert len(bed.models.all[0].requests) == 1


async def test_a_key_that_may_not_ask_the_default_model_is_told_which_one_that_is(tmp_path: Path) -> None:
    bed = Bed()
    text, _ = await a_key(bed, models=("other",))
    async with serving(Core(), tmp_path, programs=bed.programs()) as site:
        status, answer = await site.call("POST", PATH, {"messages": []}, headers=bearer(text))
    assert status == 403
    sentence = "This API key may not ask 'scripted/parrot', the default model. It may ask: other."
    assert answer["error"]["message"] == sentence
