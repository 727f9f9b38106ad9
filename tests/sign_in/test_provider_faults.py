"""Providers that are not right, and the secret that they know us by."""

import asyncio
from typing import Any

import pytest
from sign_in.conftest import Desk, refused

from daehwa.accounts.errors import (
    SignInFailed,
    SignInMisconfigured,
    SignInUnavailable,
)
from daehwa.conversation.ids import now_ms
from daehwa.sign_in.flow import ProviderAnswer
from daehwa.sign_in.settings import ReadSecret

MINUTE = 60_000


@pytest.mark.parametrize("where", ["openid-configuration", "token", "keys", "person"])
@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_provider_out_of_order_is_told(desk: Desk, where: str, status: int) -> None:
    desk.issuer.claims = {"email": None}
    desk.issuer.status = {where: status}
    await refused(desk, SignInUnavailable, f"out of order .HTTP {status}")


@pytest.mark.parametrize("where", ["openid-configuration", "token", "keys", "person"])
@pytest.mark.parametrize("status", [302, 400, 401, 404])
async def test_a_provider_that_refuses_is_told(desk: Desk, where: str, status: int) -> None:
    desk.issuer.claims = {"email": None}
    desk.issuer.status = {where: status}
    await refused(desk, SignInFailed, f"does not give .*HTTP {status}")


async def test_a_provider_that_is_down_is_told(desk: Desk) -> None:
    await desk.issuer.stop()
    sentence = await refused(desk, SignInUnavailable, "cannot be reached")
    assert "secret" not in sentence


@pytest.mark.parametrize("where", ["openid-configuration", "token", "keys"])
async def test_a_provider_that_is_too_slow_is_not_waited_for(desk: Desk, where: str) -> None:
    desk.made(seconds=0.3)
    desk.issuer.pause = {where: 30}
    await refused(desk, SignInUnavailable, "not answered within 0.3 s")


async def test_what_the_provider_says_of_itself_outlives_its_fault(desk: Desk) -> None:
    await desk.signed_in()
    desk.issuer.status = {"openid-configuration": 500}
    desk.later_ms = 61 * MINUTE
    desk.issuer.claims = {"exp": now_ms() // 1000 + 7200}
    await desk.signed_in()


async def test_a_provider_that_is_down_is_asked_once_by_all_who_wait_and_not_again_for_five_seconds(desk: Desk) -> None:
    desk.issuer.status = {"openid-configuration": 503}
    desk.issuer.pause = {"openid-configuration": 0.2}
    waiting = (desk.sign_in.begin("/chat.html", None) for _ in range(5))
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(error) for error in ended} == {SignInUnavailable}
    desk.later_ms = 2_000
    await refused(desk, SignInUnavailable, "out of order")
    assert desk.issuer.requests == ["openid-configuration"]
    desk.issuer.status = {}
    desk.later_ms = 10_000
    await desk.signed_in()


async def test_who_asks_the_provider_may_leave_and_the_others_are_served(desk: Desk) -> None:
    desk.issuer.pause = {"openid-configuration": 0.3}
    first = asyncio.create_task(desk.sign_in.begin("/chat.html", None))
    while not desk.issuer.requests:  # noqa: ASYNC110 - the issuer has no event
        await asyncio.sleep(0.01)
    second = asyncio.create_task(desk.sign_in.begin("/chat.html", None))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).location.startswith(desk.issuer.url)


async def test_what_was_known_serves_at_once_while_the_provider_is_down(desk: Desk) -> None:
    await desk.sign_in.begin("/chat.html", None)
    desk.issuer.status = {"openid-configuration": 500}
    desk.later_ms = 61 * MINUTE
    for _ in range(3):
        await desk.sign_in.begin("/chat.html", None)
    assert desk.issuer.requests == ["openid-configuration"] * 2


async def test_the_issuer_must_be_called_what_the_settings_call_it(desk: Desk) -> None:
    desk.issuer.metadata["issuer"] = f"{desk.issuer.url}/"
    await refused(desk, SignInMisconfigured, "letter by letter")


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"])
@pytest.mark.parametrize("address", ["http://id.example/x", "ftp://127.0.0.1/x", "https://a@b/x", "//x", ""])
async def test_an_address_without_https_is_refused(desk: Desk, name: str, address: str) -> None:
    desk.issuer.metadata[name] = address
    await refused(desk, match="without https")


async def test_a_document_that_is_none_is_told(desk: Desk) -> None:
    desk.issuer.metadata["token_endpoint"] = ["x"]
    await refused(desk, match="not OpenID Connect's")


async def test_tokens_that_are_none_are_told(desk: Desk) -> None:
    desk.issuer.tokens = {"id_token": None}
    await refused(desk, match="a token in a form")


async def test_a_wrong_secret_is_told_without_naming_it(desk: Desk) -> None:
    desk.issuer.secret = "another"
    sentence = await refused(desk, match="HTTP 401")
    assert "a secret" not in sentence


async def no_secret() -> None:
    """Read a secret that is kept nowhere."""


@pytest.mark.parametrize("read_secret", [None, no_secret])
async def test_a_public_client_has_none(desk: Desk, read_secret: ReadSecret | None) -> None:
    desk.made(client_secret=read_secret)
    desk.issuer.secret = None
    await desk.signed_in()


@pytest.mark.parametrize("methods", [["client_secret_post"], ["private_key_jwt", "client_secret_post"]])
async def test_a_secret_goes_into_the_form_where_the_provider_wants_it(desk: Desk, methods: list[str]) -> None:
    desk.issuer.metadata["token_endpoint_auth_methods_supported"] = methods
    await desk.signed_in()


async def test_a_provider_that_takes_no_secret_is_told(desk: Desk) -> None:
    desk.issuer.metadata["token_endpoint_auth_methods_supported"] = ["private_key_jwt"]
    await refused(desk, SignInMisconfigured, "client_secret_post")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"issuer": "http://id.example"}, "issuer"),
        ({"issuer": "id.example"}, "issuer"),
        ({"issuer": "https://id.example?x"}, "issuer"),
        ({"public_url": "http://chat.example"}, "public_url"),
        ({"public_url": "https://chat.example/x"}, "public_url"),
        ({"public_url": "https://me@chat.example"}, "public_url"),
        ({"public_url": "https://chat.example:x"}, "public_url"),
    ],
)
async def test_settings_that_cannot_be_right_are_refused_at_once(desk: Desk, changes: Any, said: str) -> None:
    with pytest.raises(SignInMisconfigured, match=said):
        desk.made(**changes)


async def test_a_slash_at_the_end_of_our_address_is_no_matter(desk: Desk) -> None:
    assert desk.made(public_url="https://Chat.example/").public_url == "https://chat.example"


def test_answers_take_what_they_know() -> None:
    assert ProviderAnswer(state="s").code is None
