"""Looks at an installation from outside, as a browser and as a stranger do, and says what is right and what is not."""

import http.client
import json
import re
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping

import msgspec

from daehwa.conversation.ids import new_id
from daehwa.deployment.configuration import Outputs
from daehwa.settings import Secret

SECONDS = 40
COOKIE = "__Host-daehwa"
FEWEST_PIECES = 3
SHORTEST_SECONDS = 0.1
"""From the first piece to the last: what was held back anywhere comes all at once."""
_REFUSED, _NOT_SIGNED_IN, _OK = 403, 401, 200
_FAILED = re.compile(rb"^event: error\ndata: (.*)$", re.MULTILINE)
_QUESTION = "Count from one to twenty in words, each on a line of its own."


class Check(msgspec.Struct, frozen=True):
    """One thing looked at: whether it is as it should be (None: it could not be tried), and what was seen."""

    what: str
    is_right: bool | None
    seen: str


class Answer(msgspec.Struct, frozen=True):
    """An answer: its status, its headers (names in lower case), its body, and when each piece came, in seconds."""

    status: int
    headers: dict[str, str]
    body: bytes
    moments: tuple[float, ...]


class Unreachable(Exception):  # noqa: N818 - errors state the fact
    """Nothing answered; the text says why."""


def look(outputs: Outputs, cookie: Secret | None = None) -> list[Check]:
    """Look at everything that can be seen from here; with a signed-in cookie, ask a model too."""
    web = outputs.web_address
    checks: tuple[tuple[str, Callable[[], Check]], ...] = (
        ("the page", lambda: _page(web)),
        ("a stranger at the API", lambda: _stranger(web)),
        ("the way to sign in", lambda: _sign_in(web)),
        ("the function's own check", lambda: _health(web)),
        ("the API behind CloudFront's back", lambda: _direct(outputs.api_address)),
    )
    found = [_tried(what, check) for what, check in checks]
    if cookie is None:
        return [*found, Check("streaming", None, "not tried: it needs somebody who is signed in (--signed-in)")]
    return [*found, _tried("streaming", lambda: _streaming(web, cookie))]


def fetch(method: str, address: str, headers: Mapping[str, str] | None = None, body: bytes | None = None) -> Answer:
    """Ask once, follow nothing, and note when each piece of the answer came. Raise `Unreachable`."""
    parts = urllib.parse.urlsplit(address)
    connection = _connection(parts)
    began, pieces, moments = time.monotonic(), [], []
    try:
        connection.request(method, parts.path or "/", body, dict(headers or {}))
        answer = connection.getresponse()
        while piece := answer.read1(65_536):
            pieces.append(piece)
            moments.append(time.monotonic() - began)
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(f"{parts.netloc} did not answer: {str(error) or type(error).__name__}") from None
    finally:
        connection.close()
    named = {name.lower(): value for name, value in answer.getheaders()}
    return Answer(answer.status, named, b"".join(pieces), tuple(moments))


def _connection(parts: urllib.parse.SplitResult) -> http.client.HTTPConnection:
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy is None or urllib.request.proxy_bypass(parts.hostname or ""):
        return kind(parts.hostname or "", parts.port, timeout=SECONDS)
    way = urllib.parse.urlsplit(proxy)
    connection = kind(way.hostname or "", way.port, timeout=SECONDS)
    connection.set_tunnel(parts.hostname or "", parts.port)
    return connection


def _tried(what: str, check: Callable[[], Check]) -> Check:
    try:
        return check()
    except Unreachable as error:
        return Check(what, False, str(error))


def _page(web: str) -> Check:
    answer = fetch("GET", f"{web}/chat.html", {"accept-encoding": "br, gzip"})
    policy = answer.headers.get("content-security-policy", "")
    missing = [
        name
        for name, is_there in (
            ("status 200", answer.status == _OK),
            ("HTML", answer.headers.get("content-type", "").startswith("text/html")),
            ("a content security policy", "frame-ancestors 'none'" in policy),
            ("no-cache", "no-cache" in answer.headers.get("cache-control", "")),
            ("strict transport security", "strict-transport-security" in answer.headers or web.startswith("http:")),
        )
        if not is_there
    ]
    seen = f"status {answer.status}, without: {', '.join(missing)}" if missing else "loads, with its security headers"
    return Check("the page", not missing, seen)


def _stranger(web: str) -> Check:
    answer = fetch("GET", f"{web}/api/me")
    kind = _error_type(answer.body)
    is_right = answer.status == _NOT_SIGNED_IN and kind == "not_signed_in"
    return Check("a stranger at the API", is_right, f"is told {answer.status} {kind or 'without an error of ours'}")


def _sign_in(web: str) -> Check:
    answer = fetch("GET", f"{web}/auth/sign-in?return_to=/chat.html")
    issuer = urllib.parse.urlsplit(answer.headers.get("location", "")).netloc
    has_cookie = f"{COOKIE}-sign-in=" in answer.headers.get("set-cookie", "")
    seen = f"status {answer.status}, to {issuer or 'nowhere'}, {'with' if has_cookie else 'WITHOUT'} its cookie"
    return Check("the way to sign in", answer.status in {302, 303} and bool(issuer) and has_cookie, seen)


def _health(web: str) -> Check:
    answer = fetch("GET", f"{web}/healthz")
    return Check("the function's own check", answer.status != _OK, f"is not for the public ({answer.status})")


def _direct(api: str) -> Check:
    answer = fetch("GET", f"{api.rstrip('/')}/api/me")
    is_right = answer.status == _REFUSED
    return Check(
        "the API behind CloudFront's back", is_right, f"{'refuses' if is_right else 'ANSWERS'} ({answer.status})"
    )


def _streaming(web: str, cookie: Secret) -> Check:
    conversation, question, reply = (new_id() for _ in range(3))
    turn = {
        "conversation": conversation,
        "reply": reply,
        "message": {"id": question, "parent": None, "parts": [{"type": "text", "text": _QUESTION}]},
    }
    signed_in = {"cookie": f"{COOKIE}={cookie.reveal()}", "origin": web, "content-type": "application/json"}
    answer = fetch("POST", f"{web}/api/turns", signed_in, json.dumps(turn).encode())
    if answer.status != _OK:
        return Check(
            "streaming", False, f"the turn was not taken: {answer.status} {_error_type(answer.body) or ''}".strip()
        )
    fetch("DELETE", f"{web}/api/conversations/{conversation}", signed_in)
    pieces = len(answer.moments)
    if not pieces:
        return Check("streaming", False, "the turn was taken, and nothing came")
    if (failed := _FAILED.search(answer.body)) is not None:
        return Check("streaming", False, f"the answer failed: {_error_type(failed[1]) or 'no reason is given'}")
    seen = f"{pieces} pieces, the first after {answer.moments[0]:.2f} s, the last after {answer.moments[-1]:.2f} s"
    is_spread = answer.moments[-1] - answer.moments[0] >= SHORTEST_SECONDS
    return Check("streaming", pieces >= FEWEST_PIECES and is_spread, seen)


def _error_type(body: bytes) -> str | None:
    try:
        found = json.loads(body)["error"]["type"]
    except (ValueError, KeyError, TypeError):
        return None
    return str(found)
