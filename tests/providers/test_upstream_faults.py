"""Every fault of an upstream: its error, its sentence, whether it is tried again, and never the key."""

import asyncio
import datetime as dt
import email.utils
import socket
import ssl
import time

import pytest
import trustme
from providers.conftest import KEY, Connect
from providers.contract import all_events, fault_of, question, said
from upstream import CUT, DONE, RESET, ROLE, Answer, FakeUpstream, Step, chunk, ending, error, frame, stream, text

from daehwa.conversation.errors import (
    ProviderAccountError,
    ProviderAuthError,
    ProviderContextError,
    ProviderCutError,
    ProviderError,
    ProviderMalformedError,
    ProviderModelError,
    ProviderRateLimitError,
    ProviderRefusedError,
    ProviderStreamError,
    ProviderTimeoutError,
    ProviderUnavailableError,
    ProviderUnreachableError,
)
from daehwa.conversation.events import ProviderEvent, TextDelta
from daehwa.providers.gate import FAILURES
from daehwa.providers.upstream import Patience

LLAMA_CPP_CONTEXT = {"error": {"code": 400, "message": "the request exceeds", "type": "exceed_context_size_error"}}

MODERATED = {"error": {"message": "It was flagged for “violence”.", "code": 403, "metadata": {"reasons": ["violence"]}}}


@pytest.mark.parametrize(
    ("answer", "kind", "sentence", "tries"),
    [
        (error(401, f"Incorrect API key provided: {KEY}."), ProviderAuthError, "does not accept the API key", 1),
        (error(403, "This API key lacks a right."), ProviderAuthError, "Check what the key may do", 1),
        (error(403, "You may not.", "insufficient_permissions"), ProviderAuthError, "“You may not.”", 1),
        (Answer([b'{"message":"Forbidden"}'], 403), ProviderAuthError, "Check what the key may do", 1),
        (Answer([b"<html>Forbidden</html>"], 403), ProviderAuthError, "Check what the key may do", 1),
        (Answer([], 403), ProviderAuthError, "Check what the key may do", 1),
        (error(403, "Access denied due to Virtual Network/Firewall rules."), ProviderAuthError, "Check what", 1),
        (error(403, "Your account is suspended."), ProviderAuthError, "Check what", 1),
        (error(403, "Never share an API key.", "content_policy_violation"), ProviderRefusedError, "“Never share", 1),
        (error(403, "Not in your region", "unsupported_country"), ProviderRefusedError, "“Not in your region”", 1),
        (Answer([frame(MODERATED)[6:]], 403), ProviderRefusedError, "flagged for “violence”", 1),
        (error(403, "Not for your project", "model_not_found"), ProviderModelError, "does not serve", 1),
        (error(403, "Too many tokens"), ProviderContextError, "longer than the model can read", 1),
        (error(404, "The model `gpt-test` does not exist", "model_not_found"), ProviderModelError, "Choose another", 1),
        (error(404, ""), ProviderModelError, "usually ends in /v1", 1),
        (error(400, "no", "model_not_found"), ProviderModelError, "does not serve", 1),
        (error(400, "no", "context_length_exceeded"), ProviderContextError, "longer than the model can read", 1),
        (Answer([frame(LLAMA_CPP_CONTEXT)[6:]], 400), ProviderContextError, "longer than the model can read", 1),
        (error(400, "Something odd"), ProviderRefusedError, "“Something odd”", 1),
        (error(402, "Pay first"), ProviderAccountError, "Check its plan and billing there", 1),
        (error(422, "Unprocessable"), ProviderRefusedError, "Unprocessable", 1),
        (error(429, "Slow down"), ProviderRateLimitError, "Wait a little", 3),
        (error(429, "Spent", "insufficient_quota"), ProviderAccountError, "plan and billing", 1),
        (error(429, "", headers={"retry-after": "30"}), ProviderRateLimitError, "wait 30 s", 1),
        (error(429, "", headers={"retry-after": "29.2"}), ProviderRateLimitError, "wait 30 s", 1),
        (error(413, "Limit 6000", "rate_limit_exceeded"), ProviderRateLimitError, "fewer tokens a minute", 1),
        (error(413, "Large", "request_too_large"), ProviderRefusedError, "Large", 1),
        (error(498, "Full", "capacity_exceeded"), ProviderRateLimitError, "has no room just now (498)", 3),
        *((error(status, "Oh"), ProviderUnavailableError, "did not come", 3) for status in (408, 409, 424, 425, 499)),
        *((error(status, "Oh"), ProviderUnavailableError, "internal error", 3) for status in (520, 524, 529, 530)),
        (error(451, "The law"), ProviderRefusedError, "The law", 1),
        (error(500, "Oh"), ProviderUnavailableError, "reported an internal error (500)", 3),
        (error(503, "Overloaded"), ProviderUnavailableError, "Overloaded", 3),
        (Answer([b"<html>Bad gateway</html>"], 502), ProviderUnavailableError, "reported an internal error (502)", 3),
        (error(600, "Odd"), ProviderMalformedError, "the status 600, which HTTP does not have", 1),
        (Answer([b"plain words"], 400), ProviderRefusedError, "plain words", 1),
        (Answer([b'{"detail": "a detail"}'], 400), ProviderRefusedError, "a detail", 1),
        (Answer([b'{"error": "a string"}'], 400), ProviderRefusedError, "a string", 1),
        (Answer([b'[{"error": {"message": "in a list"}}]'], 400), ProviderRefusedError, "in a list", 1),
        (Answer([b"[" * 100_000], 400), ProviderRefusedError, "refuses this request (400)", 1),
        (Answer([b"[]"], 400), ProviderRefusedError, "refuses this request (400)", 1),
        (Answer([b"moved"], 307, {"location": "https://else.where/v1?x=1"}), ProviderRefusedError, "else.where", 1),
    ],
)
async def test_a_status_is_its_error(
    connect: Connect, answer: Answer, kind: type[ProviderError], sentence: str, tries: int
) -> None:
    async with FakeUpstream(answer) as upstream:
        fault = await fault_of(connect(upstream.base_url))
    assert type(fault) is kind
    assert sentence in fault.message
    assert fault.status == (None if kind is ProviderMalformedError else answer.status)
    assert "acme" in fault.message or kind is ProviderContextError
    assert KEY not in fault.message
    assert len(upstream.turns) == tries


async def test_without_a_key_the_sentence_says_so(connect: Connect) -> None:
    async with FakeUpstream(error(401)) as upstream:
        fault = await fault_of(connect(upstream.base_url, key=None))
    assert "none is set" in fault.message
    assert "authorization" not in upstream.turns[0].headers


async def test_a_long_message_is_shortened(connect: Connect) -> None:
    async with FakeUpstream(error(400, "long " * 1000)) as upstream:
        fault = await fault_of(connect(upstream.base_url))
    assert len(fault.message) < 450
    assert fault.message.count("long") > 50


@pytest.mark.parametrize("header", ["seconds", "milliseconds", "date"])
async def test_retry_after_in_every_form(connect: Connect, header: str) -> None:
    then = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=61)
    headers = {
        "seconds": {"retry-after": "60"},
        "milliseconds": {"retry-after-ms": "60000"},
        "date": {"retry-after": email.utils.format_datetime(then, usegmt=True)},
    }[header]
    async with FakeUpstream(error(429, headers=headers)) as upstream:
        fault = await fault_of(connect(upstream.base_url))
    assert fault.retry_after == pytest.approx(60, abs=2)


@pytest.mark.parametrize(
    "wait",
    [
        "soon",
        "inf",
        "nan",
        "-1",
        "1e308",
        "9" * 30,
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Fri, 31 Dec 9999 23:59:59",
        "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
    ],
)
async def test_a_nonsensical_retry_after_is_none(connect: Connect, wait: str) -> None:
    for name in ("retry-after", "retry-after-ms"):
        async with FakeUpstream(error(429, headers={name: wait})) as upstream:
            fault = await fault_of(connect(upstream.base_url))
        assert (type(fault), fault.retry_after) == (ProviderRateLimitError, None)


async def test_a_retry_after_that_has_passed_is_now(connect: Connect) -> None:
    async with FakeUpstream(error(429, headers={"retry-after": "Sun, 30 Nov 2025 08:00:00 GMT"})) as upstream:
        assert (await fault_of(connect(upstream.base_url))).retry_after == 0.0


async def test_a_short_retry_after_is_waited_for(connect: Connect) -> None:
    async with FakeUpstream(error(429, headers={"retry-after": "0.1"}), Answer(stream("Hi."))) as upstream:
        began = time.monotonic()
        assert said(await all_events(connect(upstream.base_url), question())) == "Hi."
        assert time.monotonic() - began >= 0.1


async def test_a_fault_before_the_first_event_is_tried_again(connect: Connect) -> None:
    cut = Answer([ROLE, CUT])
    async with FakeUpstream(error(500), cut, Answer(stream("At last."))) as upstream:
        assert said(await all_events(connect(upstream.base_url), question())) == "At last."
        assert len(upstream.turns) == 3


@pytest.mark.parametrize("end", [CUT, RESET])
async def test_a_stream_cut_in_the_middle_keeps_its_text_and_is_not_tried_again(connect: Connect, end: Step) -> None:
    async with FakeUpstream(Answer([ROLE, text("Half a"), 0.05, text(" sentence"), 0.05, end])) as upstream:
        events: list[ProviderEvent] = []
        fault = await fault_of(connect(upstream.base_url), after=events)
        assert type(fault) is ProviderCutError
        assert "broke off" in fault.message
        assert said(events) == "Half a sentence"
        assert len(upstream.turns) == 1


async def test_a_message_moves_nothing_at_a_terminal(connect: Connect) -> None:
    async with FakeUpstream(error(400, "a\x1b]52;c;cm0=\x07b\x1b[2K\r\n\x9b8m\x00c \u200d")) as upstream:
        fault = await fault_of(connect(upstream.base_url))
    assert "“a]52;c;cm0=b[2K 8mc \u200d”" in fault.message


async def test_a_stream_that_just_stops_is_cut(connect: Connect) -> None:
    async with FakeUpstream(Answer([text("Half")])) as upstream:
        assert type(await fault_of(connect(upstream.base_url))) is ProviderCutError


async def test_text_that_comes_with_a_fault_is_handed_out_first(connect: Connect) -> None:
    async with FakeUpstream(Answer([text("Kept") + frame({"error": {"message": "Oops", "code": 500}})])) as upstream:
        events: list[ProviderEvent] = []
        fault = await fault_of(connect(upstream.base_url), after=events)
        assert type(fault) is ProviderStreamError
    assert events == [TextDelta("Kept")]


@pytest.mark.parametrize(
    ("steps", "kind", "sentence"),
    [
        ([text("a"), b"data: {not json\n\n"], ProviderMalformedError, "not valid JSON"),
        ([text("a"), frame({"choices": "none"})], ProviderMalformedError, "not valid JSON"),
        ([text("a"), b'data: {"error": ' + b"[" * 100_000 + b"\n\n"], ProviderMalformedError, "not valid JSON"),
        ([text("a"), frame({"error": "as a string"})], ProviderStreamError, "as a string"),
        ([text("a"), frame({"error": {"code": "overloaded"}})], ProviderStreamError, "overloaded"),
        ([text("a"), frame({"error": {"message": f"key {KEY}"}})], ProviderStreamError, "[key]"),
        ([frame({"error": {"code": "context_length_exceeded"}})], ProviderContextError, "longer than"),
        ([chunk({}, "error")], ProviderStreamError, "reported an error"),
        ([b"data: " + b"x" * (5 * 1024 * 1024)], ProviderMalformedError, "longer than 4194304 bytes"),
    ],
)
async def test_what_is_wrong_inside_a_stream(
    connect: Connect, steps: list[Step], kind: type[ProviderError], sentence: str
) -> None:
    async with FakeUpstream(Answer([*steps, asyncio.Event()])) as upstream:
        fault = await fault_of(connect(upstream.base_url))
        assert type(fault) is kind
        assert sentence in fault.message
        assert KEY not in fault.message
        async with asyncio.timeout(0.2):
            await upstream.turns[0].closed.wait()


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (Answer([b"<!doctype html><p>Welcome"], 200, {"content-type": "text/html"}), "a web page"),
        (Answer([b"{}"], 200, {"content-type": "application/json"}), "without content"),
        (Answer([b"not json"], 200, {"content-type": "application/json"}), "not valid JSON"),
        (Answer([b"what is this\n"]), "not an event stream"),
        (Answer([b"SSH-2.0-OpenSSH\r\n\r\n"], framing="raw"), "not HTTP"),
    ],
)
async def test_something_that_is_not_the_protocol(connect: Connect, answer: Answer, sentence: str) -> None:
    async with FakeUpstream(answer) as upstream:
        fault = await fault_of(connect(upstream.base_url))
    assert type(fault) is ProviderMalformedError
    assert sentence in fault.message


async def test_a_redirect_never_takes_the_key_along(connect: Connect) -> None:
    async with FakeUpstream() as other:
        away = Answer([], 308, {"location": f"{other.base_url}/chat/completions"})
        async with FakeUpstream(away) as upstream:
            fault = await fault_of(connect(upstream.base_url))
    assert type(fault) is ProviderRefusedError
    assert not other.requests


# ---------------------------------------------------------------- no connection


async def test_a_refused_connection(connect: Connect, unused_port: int) -> None:
    fault = await fault_of(connect(f"http://127.0.0.1:{unused_port}/v1"))
    assert type(fault) is ProviderUnreachableError
    assert " refused the connection at " in fault.message
    assert f"127.0.0.1:{unused_port}" in fault.message


async def test_a_name_that_dns_does_not_know(connect: Connect) -> None:
    fault = await fault_of(connect("http://nowhere.invalid/v1"))
    assert type(fault) is ProviderUnreachableError
    assert "nowhere.invalid, is not found" in fault.message


@pytest.mark.parametrize("url", ["nonsense", "ftp://127.0.0.1/v1", "http://:80/v1"])
async def test_an_address_that_is_none(connect: Connect, url: str) -> None:
    fault = await fault_of(connect(url))
    assert type(fault) is ProviderUnreachableError
    assert "https://host/v1" in fault.message


async def test_a_connection_closed_before_the_answer(connect: Connect) -> None:
    async with FakeUpstream(Answer([CUT], framing="raw")) as upstream:
        fault = await fault_of(connect(upstream.base_url))
        assert len(upstream.turns) == 3
    assert type(fault) is ProviderUnreachableError
    assert "before it answered" in fault.message


def tls_context(authority: trustme.CA, host: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(host).configure_cert(context)
    return context


async def test_a_certificate_that_nobody_vouches_for(connect: Connect) -> None:
    async with FakeUpstream(tls=tls_context(trustme.CA(), "127.0.0.1")) as upstream:
        fault = await fault_of(connect(upstream.base_url))
    assert type(fault) is ProviderUnreachableError
    assert "certificate" in fault.message
    assert not upstream.requests


async def test_tls_with_a_private_authority_streams_and_stops_at_once(
    connect: Connect, tmp_path_factory: pytest.TempPathFactory
) -> None:
    authority = trustme.CA()
    ca_file = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    slow = Answer(stream("one two three four five six seven eight", pace=0.03))
    async with FakeUpstream(Answer(stream("Safe.")), slow, tls=tls_context(authority, "127.0.0.1")) as upstream:
        provider = connect(upstream.base_url, ca_file=str(ca_file))
        assert said(await all_events(provider, question())) == "Safe."
        reply = provider.generate(question())
        await anext(reply)
        await anext(reply)
        await reply.aclose()
        async with asyncio.timeout(0.2):
            await upstream.turns[1].closed.wait()


async def test_https_to_a_server_without_tls(connect: Connect) -> None:
    async with FakeUpstream() as upstream:
        fault = await fault_of(connect(upstream.base_url.replace("http:", "https:")))
    assert type(fault) is ProviderUnreachableError
    assert "No safe connection" in fault.message


# ---------------------------------------------------------------- time-outs


async def test_no_connection_in_time(connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:  # the kernel drops further connections once the queue is full
            one.setblocking(False)
            one.connect_ex(address)
        patience = Patience(connect=0.1, tries=1)
        fault = await fault_of(connect(f"http://127.0.0.1:{address[1]}/v1", patience=patience))
        for one in waiting:
            one.close()
    assert type(fault) is ProviderTimeoutError
    assert "No connection" in fault.message


@pytest.mark.parametrize("after_the_head", [False, True])
async def test_no_first_byte_in_time(connect: Connect, *, after_the_head: bool) -> None:
    never = asyncio.Event()
    answer = Answer([never]) if after_the_head else Answer(before=never)
    async with FakeUpstream(answer) as upstream:
        patience = Patience(connect=0.1, first_byte=0.1)
        fault = await fault_of(connect(upstream.base_url, patience=patience))
        assert len(upstream.turns) == 1  # it may be paid for: never again by itself
        async with asyncio.timeout(0.2):
            await upstream.turns[0].closed.wait()
    assert type(fault) is ProviderTimeoutError
    assert "did not begin to answer within 0.1 s" in fault.message


@pytest.mark.parametrize("steps", [[CUT], [ROLE, CUT], [ROLE], []])
async def test_an_upstream_that_breaks_off_before_its_first_word_again_and_again_is_not_asked_for_a_while(
    connect: Connect, steps: list[Step]
) -> None:
    async with FakeUpstream(Answer(steps)) as upstream:
        provider = connect(upstream.base_url, patience=Patience(tries=FAILURES, retry_base=0.001))
        assert type(await fault_of(provider)) is ProviderCutError
        assert provider.upstream_gate.is_open


async def test_silence_in_the_middle(connect: Connect) -> None:
    async with FakeUpstream(Answer([text("Then"), asyncio.Event()])) as upstream:
        fault = await fault_of(connect(upstream.base_url, patience=Patience(idle=0.1)))
    assert type(fault) is ProviderTimeoutError
    assert "fell silent for 0.1 s" in fault.message


async def test_keep_alive_comments_are_signs_of_life_and_a_slow_reader_is_not_silence(connect: Connect) -> None:
    comments: list[Step] = [0.08, b": keep-alive\n\n"] * 5
    async with FakeUpstream(Answer([*comments, text("Still"), *comments, text(" here"), ending(), DONE])) as upstream:
        reply = connect(upstream.base_url, patience=Patience(first_byte=0.3, idle=0.3)).generate(question())
        first = list(await anext(reply))
        await asyncio.sleep(0.45)
        assert said(first + [event async for batch in reply for event in batch]) == "Still here"


async def test_tries_end_when_the_time_for_them_is_over(connect: Connect) -> None:
    async with FakeUpstream(error(500)) as upstream:
        fault = await fault_of(connect(upstream.base_url, patience=Patience(tries=99, retry_base=0.01, retry_for=0.05)))
        assert type(fault) is ProviderUnavailableError
        assert 1 <= len(upstream.turns) < 99


@pytest.fixture
def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
