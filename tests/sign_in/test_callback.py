"""The answer that the browser brings back from the provider, and what is wrong with it."""

import asyncio

import msgspec
import pytest
from sign_in.conftest import Desk, refused

from daehwa.accounts.errors import (
    SignInCancelled,
    SignInExpired,
    SignInFailed,
)
from daehwa.conversation.errors import InvalidRequest
from daehwa.sign_in.flow import ATTEMPT_SECONDS
from daehwa.sign_in.tokens import new_token

MINUTE = 60_000


async def test_a_state_counts_once(desk: Desk) -> None:
    begun, answer = await desk.begun()
    await desk.sign_in.finish(answer, begun.browser, None)
    with pytest.raises(SignInExpired):
        await desk.sign_in.finish(answer, begun.browser, None)


async def test_of_two_that_come_back_at_once_one_signs_in(desk: Desk) -> None:
    begun, answer = await desk.begun()
    ends = await asyncio.gather(
        *(desk.sign_in.finish(answer, begun.browser, None) for _ in range(4)), return_exceptions=True
    )
    assert [type(end) for end in ends if isinstance(end, Exception)] == [SignInExpired] * 3


async def test_a_state_of_another_browser_is_refused_and_spent(desk: Desk) -> None:
    begun, answer = await desk.begun()
    for browser in (new_token(), None, "", begun.browser + "x"):
        begun, answer = await desk.begun()
        with pytest.raises(SignInExpired):
            await desk.sign_in.finish(answer, browser, None)
    begun, answer = await desk.begun()
    with pytest.raises(SignInExpired):
        await desk.sign_in.finish(answer, new_token(), None)
    with pytest.raises(SignInExpired):
        await desk.sign_in.finish(answer, begun.browser, None)
    assert await desk.accounts.list_users() == ()


@pytest.mark.parametrize("state", [None, "", "made up", "a" * 43])
async def test_a_made_up_state_is_refused_before_the_provider_is_asked(desk: Desk, state: str | None) -> None:
    begun, answer = await desk.begun()
    asked = len(desk.issuer.requests)
    with pytest.raises(SignInExpired):
        await desk.sign_in.finish(msgspec.structs.replace(answer, state=state), begun.browser, None)
    assert len(desk.issuer.requests) == asked


async def test_a_sign_in_that_took_too_long_is_begun_again(desk: Desk) -> None:
    begun, answer = await desk.begun()
    desk.later_ms = ATTEMPT_SECONDS * 1000 + 1
    with pytest.raises(SignInExpired):
        await desk.sign_in.finish(answer, begun.browser, None)


async def test_who_turns_back_at_the_provider_is_told(desk: Desk) -> None:
    desk.issuer.answer = {"error": "access_denied"}
    begun, answer = await desk.begun()
    with pytest.raises(SignInCancelled, match=r"\(access_denied\)"):
        await desk.sign_in.finish(answer, begun.browser, None)
    assert "token" not in desk.issuer.requests


@pytest.mark.parametrize(
    ("error", "said"), [("login_required", r"\(login_required\)"), ("<b>\n", "sign you in\\."), ("x" * 99, "in\\.")]
)
async def test_a_refusal_of_the_provider_is_told(desk: Desk, error: str, said: str) -> None:
    desk.issuer.answer = {"error": error}
    await refused(desk, match=said)
    assert "token" not in desk.issuer.requests


async def test_an_answer_of_another_provider_is_refused(desk: Desk) -> None:
    desk.issuer.answer = {"iss": "https://evil.example"}
    await refused(desk, match="another identity provider")
    assert "token" not in desk.issuer.requests, "the code is shown to nobody"


async def test_an_announced_issuer_must_be_there(desk: Desk) -> None:
    desk.issuer.metadata["authorization_response_iss_parameter_supported"] = True
    await refused(desk, match="another identity provider")
    desk.issuer.answer = {"iss": desk.issuer.url}
    await desk.signed_in()


@pytest.mark.parametrize("code", ["", "x" * 5000])
async def test_an_answer_without_a_sensible_code_is_refused(desk: Desk, code: str) -> None:
    desk.issuer.answer = {"code": code}
    await refused(desk, match="incomplete")


async def test_a_code_counts_once(desk: Desk) -> None:
    begun, answer = await desk.begun()
    await desk.sign_in.finish(answer, begun.browser, None)
    begun, again = await desk.begun()
    with pytest.raises(SignInFailed, match="HTTP 400"):
        await desk.sign_in.finish(msgspec.structs.replace(again, code=answer.code), begun.browser, None)


async def test_a_code_of_another_s_sign_in_is_refused(desk: Desk) -> None:
    _, theirs = await desk.begun()
    begun, ours = await desk.begun()
    with pytest.raises(SignInFailed, match="HTTP 400"):  # PKCE
        await desk.sign_in.finish(msgspec.structs.replace(ours, code=theirs.code), begun.browser, None)


@pytest.mark.parametrize(
    "path", ["//evil.example", "https://evil.example", "/\\evil", "/a\nb", "x", "", "/auth/sign-in"]
)
async def test_the_way_back_leads_nowhere_else(desk: Desk, path: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        await desk.sign_in.begin(path, None)
    assert raised.value.param == "return_to"
