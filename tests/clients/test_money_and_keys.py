"""Budgets and keys as a client meets them: what does not fit is refused, and each refusal says which it is."""

import asyncio
import contextlib
import re
import time
from typing import Any

import openai
import pytest
from clients.asks import HELLO
from clients.home import Home, a_home, cost_of
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletion

pytestmark = pytest.mark.asyncio(loop_scope="module")
SECONDS = 60
LIMIT = 1_000
BUDGET = 28_000
"""Micro-dollars: an answer of 1,000 tokens costs 8,000 at most, so with its prompt three fit and four do not."""


def client_of(home: Home, made: dict[str, Any]) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=home.base_url, api_key=made["secret"], timeout=SECONDS)


def _sorted(seen: list[Any]) -> tuple[list[ChatCompletion], list[openai.RateLimitError]]:
    answers = [each for each in seen if isinstance(each, ChatCompletion)]
    refusals = [each for each in seen if isinstance(each, openai.RateLimitError)]
    assert len(answers) + len(refusals) == len(seen), seen
    return answers, refusals


async def test_a_hundred_calls_at_a_budget_for_three(home: Home) -> None:
    made = await home.make_key("three", month=BUDGET)
    begun, asked = await home.spent(), len(home.upstream.turns)
    home.upstream.gate = asyncio.Event()
    async with client_of(home, made) as client:
        calls = [asyncio.ensure_future(client.chat.completions.create(**HELLO, max_tokens=LIMIT)) for _ in range(100)]
        refused = asyncio.as_completed(calls, timeout=SECONDS)
        for _, one in zip(range(97), refused, strict=False):
            with pytest.raises(openai.RateLimitError):
                await one
        assert len(home.upstream.turns) - asked == 3, "what does not fit is not asked, nor tried again"
        home.upstream.gate.set()
        answers, refusals = _sorted(await asyncio.gather(*calls, return_exceptions=True))
    home.upstream.gate = None
    assert (len(answers), len(refusals)) == (3, 97)
    for refusal in refusals:
        assert (refusal.status_code, refusal.code, refusal.type) == (429, "budget_exceeded", "insufficient_quota")
        assert refusal.response.headers["x-should-retry"] == "false"
        assert re.search(r"20\d\d-\d\d-01", refusal.message), "it says when it renews"
    spent = await home.spent()
    assert spent.reserved == 0
    assert spent.cost - begun.cost == sum(cost_of(answer.usage) for answer in answers if answer.usage)
    assert spent.calls - begun.calls == 3


async def test_however_they_fall_budgets_hold_and_the_ledger_is_the_sum_of_the_calls(home: Home) -> None:
    made = await home.make_key("some", total=BUDGET)
    before = await home.spent()
    async with client_of(home, made) as client:
        calls = [client.chat.completions.create(**HELLO) for _ in range(100)]
        answers, refusals = _sorted(await asyncio.gather(*calls, return_exceptions=True))
        assert answers
        assert {refusal.code for refusal in refusals} <= {"budget_exceeded"}
        cost = sum(cost_of(answer.usage) for answer in answers if answer.usage)
        assert cost <= BUDGET
        after = await home.spent()
        assert (after.cost - before.cost, after.reserved) == (cost, 0)
        assert (await client.chat.completions.create(**HELLO)).usage, "what was reserved is free again"


async def test_streams_that_are_left_give_back_what_they_do_not_use(home: Home) -> None:
    made = await home.make_key("left", total=BUDGET)
    async with client_of(home, made) as client:
        for _ in range(6):
            stream = await client.chat.completions.create(
                **{**HELLO, "model": "fails-hanging"}, stream=True, max_tokens=LIMIT
            )
            await anext(aiter(stream))
            await stream.close()
            await home.nothing_reserved()


async def _refused(home: Home, secret: str, **more: Any) -> tuple[str, int, str | None]:
    async with AsyncOpenAI(base_url=home.base_url, api_key=secret, max_retries=0) as client:
        with pytest.raises(openai.APIStatusError) as refused:
            await client.chat.completions.create(**{**HELLO, **more})
    assert refused.value.message.endswith("."), "a sentence"
    return type(refused.value).__name__, refused.value.status_code, refused.value.code


async def test_each_error_of_a_key_is_its_own(home: Home) -> None:
    keys = {
        "revoked": await home.make_key("revoked"),
        "expiring": await home.make_key("expiring", expires=int(time.time() * 1000) + 1_500),
        "narrow": await home.make_key("narrow", models=["double/thinks"]),
        "slow": await home.make_key("slow", requests_per_minute=1),
        "poor": await home.make_key("poor", day=10),
    }
    secrets = {name: made["secret"] for name, made in keys.items()}
    async with client_of(home, keys["revoked"]) as client:
        assert await client.chat.completions.create(**HELLO)
    status, _ = await home.page("DELETE", f"/api/keys/{keys['revoked']['key']['id']}")
    assert status == 200
    assert await _refused(home, secrets["revoked"]) == ("AuthenticationError", 401, "key_revoked")
    assert await _refused(home, "sk-nobodys") == ("AuthenticationError", 401, "key_unknown")
    assert await _refused(home, "dh_abcdefgh_" + "x" * 32) == ("AuthenticationError", 401, "key_unknown")
    assert await _refused(home, secrets["narrow"]) == ("PermissionDeniedError", 403, "model_not_allowed")
    async with client_of(home, keys["slow"]) as client:
        assert await client.chat.completions.create(**HELLO)
    with contextlib.suppress(pytest.fail.Exception):  # where a minute ended between the two, the next one is refused
        assert await _refused(home, secrets["slow"]) == ("RateLimitError", 429, "rate_exceeded")
    assert await _refused(home, secrets["slow"]) == ("RateLimitError", 429, "rate_exceeded")
    assert await _refused(home, secrets["poor"]) == ("RateLimitError", 429, "budget_exceeded")
    await asyncio.sleep(1.5)
    assert await _refused(home, secrets["expiring"]) == ("AuthenticationError", 401, "key_expired")
    status, answer = await home.page("GET", "/v1/models")
    assert (status, answer["error"]["code"]) == (401, "key_missing")


_UNPRICED = """
[[providers]]
name = "unpriced"
base_url = "https://nowhere.example.com/v1"
models = ["quiet"]
"""


async def test_a_model_whose_price_nobody_knows_is_not_asked_where_a_budget_applies(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async with a_home(tmp_path_factory.mktemp("unpriced"), tables=_UNPRICED) as home:
        bound = await home.make_key("bound", total=BUDGET)
        assert await _refused(home, bound["secret"], model="unpriced/quiet") == (
            *("PermissionDeniedError", 403),
            "price_unknown",
        )


@pytest.mark.parametrize("stream", [False, True])
async def test_a_call_that_is_repeated_under_its_key_is_paid_for_once(home: Home, *, stream: bool) -> None:
    made = await home.make_key("once", total=BUDGET)
    asked, before = len(home.upstream.turns), await home.spent()
    more: dict[str, Any] = {"stream": stream, "extra_headers": {"Idempotency-Key": f"once-{stream}"}}
    async with client_of(home, made) as client:
        method = client.chat.completions.with_raw_response.create
        answers = [(await method(**HELLO, **more)).http_response for _ in range(3)]
        bodies = {await answer.aread() for answer in answers}
        with pytest.raises(openai.ConflictError) as refused:
            await client.with_options(max_retries=0).chat.completions.create(**HELLO, **more, seed=7)
    assert len(bodies) == 1
    assert refused.value.code == "idempotency_key_reused"
    after = await home.spent()
    assert (len(home.upstream.turns) - asked, after.calls - before.calls, after.reserved) == (1, 1, 0)


async def test_a_key_that_is_too_quick_is_told_when_it_may_go_on(home: Home) -> None:
    made = await home.make_key("quick", requests_per_minute=2)
    async with AsyncOpenAI(base_url=home.base_url, api_key=made["secret"], max_retries=0) as client:
        ask = client.chat.completions.with_raw_response.create
        answer = await ask(**HELLO)
        assert answer.headers["x-ratelimit-limit-requests"] == "2", "its own, not the upstream's"
        # Where a minute ends meanwhile, the next one has room for two more.
        seen = await asyncio.gather(*(ask(**HELLO) for _ in range(6)), return_exceptions=True)
    refused = next(each for each in seen if isinstance(each, openai.RateLimitError))
    assert refused.code == "rate_exceeded"
    assert 1 <= int(refused.response.headers["retry-after"]) <= 60
