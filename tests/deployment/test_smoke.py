"""The look from outside, at a stand-in on loopback that is right, and at one that is wrong in each way."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from daehwa.deployment.configuration import DeploymentSettings, Outputs
from daehwa.deployment.errors import DeploymentError
from daehwa.deployment.parameters import check_live
from daehwa.deployment.smoke import look
from daehwa.settings import Secret

COOKIE = "the-cookie-of-somebody"
GOOD: dict[str, tuple[int, dict[str, str], str]] = {
    "GET /chat.html": (
        200,
        {
            "content-type": "text/html; charset=utf-8",
            "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
            "cache-control": "no-cache",
        },
        "<html>",
    ),
    "GET /api/me": (401, {}, json.dumps({"error": {"type": "not_signed_in", "message": "Sign in."}})),
    "GET /auth/sign-in": (
        302,
        {"location": "https://id.example/authorize", "set-cookie": "__Host-daehwa-sign-in=x; Secure; HttpOnly"},
        "",
    ),
    "GET /healthz": (403, {}, ""),
    "GET /live/api/me": (403, {}, '{"message":"Forbidden"}'),
}


@contextmanager
def site(*, pause: float = 0.1, pieces: int = 4, **answers: Any) -> Iterator[Outputs]:
    """Answer as in GOOD, but for what is given; a turn is streamed in pieces to whoever has the cookie."""
    known = {**GOOD, **{name.replace("__", " /").replace("_", "/"): answer for name, answer in answers.items()}}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, headers, body = known[f"{self.command} {self.path.partition('?')[0]}"]
            self._answer(status, headers, body.encode())

        def do_DELETE(self) -> None:
            self._answer(204, {}, b"")

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            if COOKIE not in self.headers.get("cookie", ""):
                self._answer(401, {}, b"{}")
                return
            self.send_response(200)
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            for _ in range(pieces):
                self.wfile.write(b"5\r\nhello\r\n")
                self.wfile.flush()
                time.sleep(pause)
            self.wfile.write(b"0\r\n\r\n")

        def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    try:
        yield outputs(address)
    finally:
        server.shutdown()
        server.server_close()


def outputs(address: str) -> Outputs:
    return Outputs(
        web_address=address,
        api_address=f"{address}/live/",
        distribution_id="",
        page_bucket="",
        table_name="",
        function_name="",
        key_parameter="",
        dashboard_address="",
    )


def wrong(outputs: Outputs, cookie: Secret | None = None) -> dict[str, str]:
    return {check.what: check.seen for check in look(outputs, cookie) if check.is_right is False}


def test_all_is_right_and_streaming_waits_for_somebody_signed_in() -> None:
    with site() as there:
        assert wrong(there) == {}
        assert [check.what for check in look(there) if check.is_right is None] == ["streaming"]


def test_pieces_are_timed_for_somebody_signed_in() -> None:
    with site() as there:
        streaming = look(there, Secret(COOKIE))[-1]
        assert streaming.is_right, streaming.seen
        assert "pieces, the first after" in streaming.seen
        assert "the turn was not taken: 401" in wrong(there, Secret("nobody"))["streaming"]


def test_a_turn_of_which_nothing_comes_is_seen() -> None:
    with site(pieces=0) as there:
        assert "nothing came" in wrong(there, Secret(COOKIE))["streaming"]


def test_an_answer_that_was_held_back_is_no_stream() -> None:
    with site(pause=0.001) as there:
        assert list(wrong(there, Secret(COOKIE))) == ["streaming"]


@pytest.mark.parametrize(
    ("answers", "what", "seen"),
    [
        ({"GET__chat.html": (403, {}, "")}, "the page", "status 403"),
        ({"GET__api_me": (200, {}, "{}")}, "a stranger at the API", "is told 200"),
        ({"GET__auth_sign-in": (302, {"location": "https://id.example/"}, "")}, "the way to sign in", "WITHOUT"),
        ({"GET__healthz": (200, {}, "ok")}, "the function's own check", "200"),
        ({"GET__live_api_me": (401, {}, "{}")}, "the API behind CloudFront's back", "ANSWERS (401)"),
    ],
)
def test_each_fault_is_seen(answers: dict[str, Any], what: str, seen: str) -> None:
    with site(**answers) as there:
        found = wrong(there)
    assert list(found) == [what]
    assert seen in found[what]


def test_where_nobody_answers_that_is_what_is_said() -> None:
    assert "did not answer" in wrong(outputs("http://127.0.0.1:1"))["the page"]


def test_a_key_is_tried_at_the_upstream() -> None:
    models: dict[str, Any] = {"GET__v1_models": (200, {}, json.dumps({"data": [{"id": "a"}, {"id": "b"}]}))}
    with site(**models) as there:
        settings = DeploymentSettings(base_url=f"{there.web_address}/v1")
        assert check_live(Secret("sk-right"), settings) == 2


@pytest.mark.parametrize("body", ["[]", "3", '{"data": null}', '{"models": []}', "<html>", ""])
def test_what_is_no_list_of_models_is_told_in_a_sentence(body: str) -> None:
    with site(GET__v1_models=(200, {}, body)) as there:
        settings = DeploymentSettings(base_url=f"{there.web_address}/v1")
        with pytest.raises(DeploymentError, match=r"did not answer with a list of models\. Nothing was stored"):
            check_live(Secret("sk-right"), settings)


@pytest.mark.parametrize(("status", "said"), [(401, "does not accept this key"), (500, "answered 500")])
def test_a_key_that_cannot_be_used_is_told_without_showing_it(status: int, said: str) -> None:
    with site(GET__v1_models=(status, {}, "")) as there:
        settings = DeploymentSettings(base_url=f"{there.web_address}/v1")
        with pytest.raises(DeploymentError, match=said) as caught:
            check_live(Secret("sk-canary"), settings)
    assert "sk-canary" not in str(caught.value)


def test_a_key_is_carried_to_no_other_address() -> None:
    with site(GET__elsewhere=(200, {}, "{}")) as other:
        moved = (302, {"location": f"{other.web_address}/elsewhere"}, "")
        with site(GET__v1_models=moved) as there:
            settings = DeploymentSettings(base_url=f"{there.web_address}/v1")
            with pytest.raises(DeploymentError, match="answered 302"):
                check_live(Secret("sk-canary"), settings)
