"""The way through the provider and back, over real sockets: sessions, and who may come in."""

import asyncio
from typing import Any

import msgspec
import pytest
from sign_in.conftest import Desk, refused
from sign_in.issuer import CLIENT, query_of

from daehwa.accounts.errors import (
    EmailNotVerified,
    NotAllowed,
)
from daehwa.conversation.ids import now_ms
from daehwa.sign_in.errors import TooManyAttempts
from daehwa.sign_in.flow import SESSION_SECONDS
from daehwa.sign_in.throttle import BEGIN
from daehwa.sign_in.tokens import challenge, digest, is_token
from daehwa.sign_in.visitors import Visitor

MINUTE = 60_000


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
        ({"name": "\x1b]0;\x07Mi\u202ena\u200b", "preferred_username": "mina"}, "]0;Mina"),
        ({"name": "\u0646\u06cc\u200c\u0646\u06cc"}, "\u0646\u06cc\u200c\u0646\u06cc"),
        ({"name": "\x1b\u200b", "preferred_username": "mina"}, "mina"),
    ],
)
async def test_a_name_is_taken_as_far_as_it_is_one(desk: Desk, person: dict[str, Any], name: str) -> None:
    desk.issuer.person |= person
    assert (await desk.signed_in()).user.name == name


async def test_sign_ins_that_are_finished_count_no_more(desk: Desk) -> None:
    visitor = Visitor(address="192.0.2.1")
    under_way = [await desk.begun(visitor=visitor) for _ in range(5)]
    many = (desk.sign_in.begin("/chat.html", None, visitor) for _ in range(2 * BEGIN.tries))
    assert isinstance((await asyncio.gather(*many, return_exceptions=True))[-1], TooManyAttempts)
    for begun, answer in under_way:
        await desk.sign_in.finish(answer, begun.browser, None, visitor)
    for _ in under_way:
        await desk.sign_in.begin("/chat.html", None, visitor)
