"""The way through the provider and back, over real sockets, and everything that must end it."""

import asyncio
import base64
from typing import Any

import msgspec
import pytest
from sign_in.conftest import Desk
from sign_in.issuer import CLIENT, a_key, claims_of, query_of, signed, signed_with_password

from daehwa.accounts.errors import (
    EmailNotVerified,
    NotAllowed,
    SignInCancelled,
    SignInExpired,
    SignInFailed,
    SignInMisconfigured,
    SignInUnavailable,
)
from daehwa.conversation.errors import InvalidRequest
from daehwa.conversation.ids import now_ms
from daehwa.sign_in.flow import ATTEMPT_SECONDS, SESSION_SECONDS, ProviderAnswer
from daehwa.sign_in.settings import ReadSecret
from daehwa.sign_in.tokens import challenge, digest, is_token, new_token

MINUTE = 60_000


async def refused(desk: Desk, kind: type[Exception] = SignInFailed, match: str = "") -> str:
    """Go the whole way, which must fail, and leave nobody signed in; return the sentence."""
    with pytest.raises(kind, match=match) as raised:
        await desk.signed_in()
    assert type(raised.value) is kind
    assert await desk.accounts.list_users() == ()
    return str(raised.value)


async def test_the_whole_way(desk: Desk) -> None:
    done = await desk.signed_in("/chat.html?c=1#/a")
    assert done.return_to == "/chat.html?c=1#/a"
    assert (done.user.email, done.user.name, done.user.role) == ("mina@example.com", "Mina", "member")
    assert (done.user.issuer, done.user.subject) == (desk.issuer.url, "mina")
    assert is_token(done.session)
    assert await desk.sign_in.user_of(done.session) == done.user
    assert desk.issuer.requests == ["openid-configuration", "authorize", "token", "keys"]


async def test_what_the_provider_is_asked(desk: Desk) -> None:
    begun = await desk.sign_in.begin("/chat.html", None)
    asked = query_of(begun.location)
    assert begun.location.startswith(f"{desk.issuer.url}/authorize?")
    assert asked["redirect_uri"] == "https://chat.example/auth/callback"
    assert (asked["client_id"], asked["scope"]) == (CLIENT, "openid email profile")
    assert all(is_token(asked[name]) for name in ("state", "nonce", "code_challenge"))
    assert len({asked["state"], asked["nonce"], asked["code_challenge"], begun.browser}) == 4
    attempt = await desk.accounts.take_attempt(digest(asked["state"]), now=now_ms())
    assert attempt is not None
    assert challenge(attempt.verifier) == asked["code_challenge"]
    kept = msgspec.json.encode(attempt).decode()
    assert asked["state"] not in kept, "kept as a hash"
    assert begun.browser not in kept


async def test_the_same_person_again_is_the_same_user_with_a_new_session(desk: Desk) -> None:
    first = await desk.signed_in()
    desk.issuer.person["name"] = "Mina Kim"
    begun, answer = await desk.begun()
    second = await desk.sign_in.finish(answer, begun.browser, first.session)
    assert second.user.id == first.user.id
    assert second.user.name == "Mina Kim"
    assert second.session != first.session
    assert await desk.sign_in.user_of(first.session) is None, "a new sign-in ends the session before"
    assert desk.issuer.requests.count("keys") == 1
    assert desk.issuer.requests.count("openid-configuration") == 1


async def test_two_tabs_sign_in_side_by_side(desk: Desk) -> None:
    one, first = await desk.begun("/chat.html?one")
    two = await desk.sign_in.begin("/chat.html?two", one.browser)
    assert two.browser == one.browser
    assert (await desk.sign_in.finish(first, one.browser, None)).return_to == "/chat.html?one"
    assert (await desk.sign_in.begin("/chat.html", "made up")).browser != "made up"


@pytest.mark.parametrize(
    ("known", "prompt"),
    [(None, "login"), (["login", "select_account"], "select_account"), (["none", "login"], "login")],
)
async def test_another_account_can_be_asked_for(desk: Desk, known: list[str] | None, prompt: str) -> None:
    desk.issuer.metadata["prompt_values_supported"] = known
    begun = await desk.sign_in.begin("/chat.html", None, other_account=True)
    assert query_of(begun.location)["prompt"] == prompt
    assert "prompt" not in query_of((await desk.sign_in.begin("/chat.html", None)).location)


async def test_signing_out_ends_the_session_here(desk: Desk) -> None:
    done = await desk.signed_in()
    assert await desk.sign_in.end(done.session) is None, "this provider has no sign-out of its own"
    assert await desk.sign_in.user_of(done.session) is None
    assert await desk.sign_in.end(done.session) is None
    assert await desk.sign_in.end(None) is None
    assert await desk.sign_in.end("made up") is None


async def test_signing_out_leads_to_the_provider_s_own(desk: Desk) -> None:
    desk.issuer.metadata["end_session_endpoint"] = f"{desk.issuer.url}/end?x=1"
    done = await desk.signed_in()
    location = await desk.sign_in.end(done.session)
    assert location is not None
    assert location.startswith(f"{desk.issuer.url}/end?x=1&")
    asked = query_of(location)
    assert asked["post_logout_redirect_uri"] == "https://chat.example/chat.html"
    assert asked["client_id"] == CLIENT
    assert asked["id_token_hint"].count(".") == 2


async def test_signing_out_where_the_settings_say(desk: Desk) -> None:
    desk.made(logout_url="https://pool.example/logout")
    done = await desk.signed_in()
    location = await desk.sign_in.end(done.session)
    assert location == (
        "https://pool.example/logout?client_id=daehwa&logout_uri=https%3A%2F%2Fchat.example%2Fchat.html"
    )


async def test_signing_out_works_while_the_provider_is_down(desk: Desk) -> None:
    desk.issuer.metadata["end_session_endpoint"] = f"{desk.issuer.url}/end"
    done = await desk.signed_in()
    desk.made()  # as a process that has just started
    await desk.issuer.stop()
    assert await desk.sign_in.end(done.session) is None
    assert await desk.sign_in.user_of(done.session) is None


async def test_a_session_ends_after_thirty_days(desk: Desk) -> None:
    done = await desk.signed_in()
    desk.later_ms = SESSION_SECONDS * 1000 - MINUTE
    assert await desk.sign_in.user_of(done.session) == done.user
    desk.later_ms += 2 * MINUTE
    assert await desk.sign_in.user_of(done.session) is None


@pytest.mark.parametrize("session", [None, "", "x", "가" * 43, "a" * 43])
async def test_a_made_up_session_is_nobody_s(desk: Desk, session: str | None) -> None:
    await desk.signed_in()
    assert await desk.sign_in.user_of(session) is None


async def test_another_issuer_s_sessions_end_with_it(desk: Desk) -> None:
    done = await desk.signed_in()
    desk.made(issuer="https://new.example")
    assert await desk.sign_in.user_of(done.session) is None


async def test_who_is_no_longer_allowed_is_out_at_once(desk: Desk) -> None:
    done = await desk.signed_in()
    desk.made(allowed_emails=("@example.com",))
    assert await desk.sign_in.user_of(done.session) == done.user
    desk.made(allowed_emails=("other@example.com",))
    assert await desk.sign_in.user_of(done.session) is None


async def test_who_is_no_longer_an_admin_is_none_at_once_nor_at_the_next_sign_in(desk: Desk) -> None:
    desk.issuer.person["email"] = "boss@example.com"
    done = await desk.signed_in()
    assert done.user.role == "admin"
    desk.made(admin_emails=("other@example.com",))
    found = await desk.sign_in.user_of(done.session)
    assert found is not None
    assert (found.id, found.role) == (done.user.id, "member")
    assert (await desk.signed_in()).user.role == "member"


async def test_who_becomes_an_admin_is_one_without_signing_in_again(desk: Desk) -> None:
    done = await desk.signed_in()
    desk.made(admin_emails=("mina@example.com",))
    found = await desk.sign_in.user_of(done.session)
    assert found is not None
    assert (done.user.role, found.role) == ("member", "admin")


# ------------------------------------------------------------ who it is, and who may come in


async def test_an_admin_is_known_by_the_address(desk: Desk) -> None:
    desk.made(allowed_emails=())
    desk.issuer.person["email"] = "Boss@Example.com"
    assert (await desk.signed_in()).user.role == "admin"
    desk.issuer.person["email"] = "mina@example.com"
    desk.issuer.person["sub"] = "another"
    with pytest.raises(NotAllowed, match="allow your e-mail address"):
        await desk.signed_in()


@pytest.mark.parametrize("verified", [False, "false", "yes", 1, None])
async def test_an_address_counts_only_when_verified(desk: Desk, verified: object) -> None:
    desk.issuer.person |= {"email": "boss@example.com", "email_verified": verified}
    done = await desk.signed_in()
    assert (done.user.email, done.user.role) == (None, "member"), "everybody is allowed, but nobody is this admin"
    desk.made(allowed_emails=("boss@example.com",))
    desk.issuer.person["sub"] = "another"
    with pytest.raises(EmailNotVerified, match="no verified e-mail address"):
        await desk.signed_in()


async def test_verified_may_be_a_text_as_cognito_says_it(desk: Desk) -> None:
    desk.issuer.person["email_verified"] = "true"
    assert (await desk.signed_in()).user.email == "mina@example.com"


async def test_what_the_token_leaves_out_the_provider_is_asked_for(desk: Desk) -> None:
    desk.issuer.claims = {"email": None, "email_verified": None, "name": None}
    done = await desk.signed_in()
    assert (done.user.email, done.user.name) == ("mina@example.com", "Mina")
    assert desk.issuer.requests[-1] == "person"


async def test_a_provider_that_knows_no_more_is_fine(desk: Desk) -> None:
    desk.issuer.claims = {"email": None, "email_verified": None}
    desk.issuer.metadata["userinfo_endpoint"] = None
    assert (await desk.signed_in()).user.email is None


async def test_the_provider_must_speak_of_the_same_person(desk: Desk) -> None:
    desk.issuer.claims = {"email": None, "sub": "mina"}
    desk.issuer.person = {"sub": "boss", "email": "boss@example.com", "email_verified": True}
    await refused(desk, match="two different people")


@pytest.mark.parametrize(
    ("person", "name"),
    [
        ({"name": " Mina \n Kim "}, "Mina Kim"),
        ({"name": "", "preferred_username": "mina"}, "mina"),
        ({"name": ["Mina"]}, ""),
        ({"name": "m" * 999}, "m" * 200),
        ({"name": "미나 \U0001f600"}, "미나 \U0001f600"),
    ],
)
async def test_a_name_is_taken_as_far_as_it_is_one(desk: Desk, person: dict[str, Any], name: str) -> None:
    desk.issuer.person |= person
    assert (await desk.signed_in()).user.name == name


# ------------------------------------------------------------ the answer that the browser brings


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


# ------------------------------------------------------------ tokens that are not right


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"nonce": "another"}, "not of this sign-in"),
        ({"nonce": None}, "not of this sign-in"),
        ({"nonce": 1}, "not of this sign-in"),
        ({"aud": "another"}, "another site"),
        ({"aud": None}, "another site"),
        ({"aud": []}, "another site"),
        ({"aud": {"daehwa": 1}}, "another site"),
        ({"aud": [CLIENT, "another"]}, "another site"),
        ({"aud": [CLIENT, "another"], "azp": "another"}, "another site"),
        ({"azp": "another"}, "another site"),
        ({"azp": [CLIENT]}, "another site"),
        ({"iss": "https://evil.example"}, "another issuer"),
        ({"exp": 1}, "expired"),
        ({"exp": None}, "of when it is"),
        ({"exp": "9999999999"}, "of when it is"),
        ({"exp": True}, "of when it is"),
        ({"exp": 10**300}, "of when it is"),
        ({"iat": None}, "of when it is"),
        ({"iat": 9_999_999_999}, "of the future"),
        ({"nbf": 9_999_999_999}, "of the future"),
        ({"sub": None}, "who you are"),
        ({"sub": ""}, "who you are"),
        ({"sub": 7}, "who you are"),
        ({"sub": "s" * 256}, "who you are"),
        ({"at_hash": "another"}, "does not belong"),
        ({"at_hash": 1}, "does not belong"),
    ],
)
async def test_a_token_that_says_something_wrong_is_refused(desk: Desk, claims: dict[str, Any], said: str) -> None:
    desk.issuer.claims = claims
    sentence = await refused(desk, match=said)
    assert sentence.endswith(".")
    assert "eyJ" not in sentence


@pytest.mark.parametrize("seconds", [-59, 59])
async def test_clocks_may_differ_by_a_minute(desk: Desk, seconds: int) -> None:
    at = now_ms() // 1000
    if seconds < 0:
        desk.issuer.claims = {"exp": at + seconds + 10}
    else:
        desk.issuer.claims = {"iat": at + seconds - 10, "nbf": at + seconds - 10}
    await desk.signed_in()


async def test_several_audiences_need_us_as_the_party(desk: Desk) -> None:
    desk.issuer.claims = {"aud": [CLIENT, "another"], "azp": CLIENT}
    await desk.signed_in()


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", ""])
async def test_a_token_that_nobody_signed_is_refused(desk: Desk, algorithm: str) -> None:
    begun, answer = await desk.begun()
    nonce = query_of(begun.location)["nonce"]
    payload = desk.issuer.id_token(nonce).split(".")[1]
    desk.issuer.token = f"{signed({}, None, algorithm).split('.')[0]}.{payload}."
    with pytest.raises(SignInFailed, match="not signed in a way"):
        await desk.sign_in.finish(answer, begun.browser, None)


async def test_a_token_signed_with_the_public_key_as_a_password_is_refused(desk: Desk) -> None:
    begun, answer = await desk.begun()
    claims = claims_of(desk.issuer.id_token(query_of(begun.location)["nonce"]))
    desk.issuer.token = signed_with_password(claims, desk.issuer.key.as_pem(private=False))
    with pytest.raises(SignInFailed, match="not signed in a way"):
        await desk.sign_in.finish(answer, begun.browser, None)


async def test_a_token_of_a_foreign_key_is_refused(desk: Desk) -> None:
    desk.issuer.key = a_key(kid="first")
    await refused(desk, match="provider's own key")


async def test_a_token_with_a_key_in_its_own_head_is_refused(desk: Desk) -> None:
    begun, answer = await desk.begun()
    claims = claims_of(desk.issuer.id_token(query_of(begun.location)["nonce"]))
    own = a_key(kid="first")
    desk.issuer.token = signed(claims, own, jwk=own.as_dict(private=False))
    with pytest.raises(SignInFailed, match="provider's own key"):
        await desk.sign_in.finish(answer, begun.browser, None)


async def test_a_changed_token_is_refused(desk: Desk) -> None:
    begun, answer = await desk.begun()
    head, payload, signature = desk.issuer.id_token(query_of(begun.location)["nonce"]).split(".")
    for changed in (f"{head}.{payload[:-4]}AAAA.{signature}", f"{head}.{payload}.{signature[:-4]}AAAA"):
        desk.issuer.token = changed
        with pytest.raises(SignInFailed, match="provider's own key"):
            await desk.sign_in.finish(answer, begun.browser, None)
        begun, answer = await desk.begun()


@pytest.mark.parametrize(
    "token", ["", "x", "a.b", "a.b.c", "a.b.c.d.e", "é.é.é", "bnVsbA.e30.", "e30.e30.", "A" * 200_000]
)
async def test_what_is_no_token_is_refused(desk: Desk, token: str) -> None:
    desk.issuer.token = token
    await refused(desk, match="cannot be read")


async def test_a_demanded_extension_is_refused(desk: Desk) -> None:
    begun, answer = await desk.begun()
    head = msgspec.json.encode({"alg": "RS256", "kid": "first", "crit": ["x"], "x": 1})
    rest = desk.issuer.id_token(query_of(begun.location)["nonce"]).partition(".")[2]
    desk.issuer.token = f"{base64.urlsafe_b64encode(head).rstrip(b'=').decode()}.{rest}"
    with pytest.raises(SignInFailed, match="extension"):
        await desk.sign_in.finish(answer, begun.browser, None)


@pytest.mark.parametrize("algorithm", ["RS256", "RS512", "PS256", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"])
async def test_the_signatures_of_today_are_accepted(desk: Desk, algorithm: str) -> None:
    desk.issuer.key, desk.issuer.algorithm = a_key(algorithm), algorithm
    other = a_key("ES256", kid="first") if not algorithm.startswith("ES") else a_key(kid="first")
    desk.issuer.published = [other, desk.issuer.key]
    desk.issuer.claims = {"at_hash": None}
    await desk.signed_in()


# ------------------------------------------------------------ keys that change


async def test_a_new_key_is_found_when_the_provider_changes_it(desk: Desk) -> None:
    await desk.signed_in()
    desk.issuer.key = a_key(kid="second")
    desk.issuer.published = [desk.issuer.key]
    with pytest.raises(SignInFailed, match="provider's own key"):
        await desk.signed_in()
    assert desk.issuer.requests.count("keys") == 1, "asked a moment ago: anybody can make up a key's name"
    desk.later_ms = 11_000
    await desk.signed_in()
    assert desk.issuer.requests.count("keys") == 2


async def test_a_key_that_was_withdrawn_counts_for_an_hour_at_most(desk: Desk) -> None:
    await desk.signed_in()
    old, desk.issuer.published = desk.issuer.key, [a_key(kid="second")]
    desk.later_ms = 59 * MINUTE
    desk.issuer.claims = {"exp": now_ms() // 1000 + 7200}
    await desk.signed_in()
    assert desk.issuer.key is old
    desk.later_ms = 61 * MINUTE
    with pytest.raises(SignInFailed, match="provider's own key"):
        await desk.signed_in()


# ------------------------------------------------------------ providers that are not right


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


# ------------------------------------------------------------ the client's secret


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
