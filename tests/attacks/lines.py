"""Line breaks and markup where they might come back: in headers, in logs, in answers that a browser would show."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

from attacks.outcome import Attempt, request, said_to
from server.entrance import Entrance
from server.serving import Site

_BREAKS = [
    *("%0d%0aset-cookie:%20evil=1", "%0aset-cookie:%20evil=1", "%0dset-cookie:%20evil=1", "%0d%0a%0d%0a<script>"),
    *("%e5%98%8a%e5%98%8dset-cookie:%20evil=1", "%c4%8d%c4%8aset-cookie:%20evil=1", "%u000aset-cookie:%20evil=1"),
    *("%250d%250aset-cookie:%20evil=1", "%e2%80%a8set-cookie:%20evil=1", "%c2%85set-cookie:%20evil=1"),
]


async def splitting(site: Site, entrance: Entrance) -> AsyncIterator[Attempt]:
    """Bring line breaks into addresses; no answer is to have a header of ours."""
    for text in _BREAKS:
        for path in (f"/{text}", f"/api/conversations?query={text}", f"/api/turns/{text}/events", f"/classic/{text}"):
            answer = await said_to(site.port, request(f"GET {path} HTTP/1.1", "host: localhost"))
            yield Attempt(path, _has_header(answer))
        path = f"/auth/sign-in?return_to=/chat.html{text}"
        answer = await said_to(entrance.site.port, request(f"GET {path} HTTP/1.1", "host: chat.example"))
        yield Attempt(path, _has_header(answer))


def _has_header(answer: bytes) -> bool:
    head, _, _ = answer.partition(b"\r\n\r\n")
    names = [line.partition(b":")[0].strip().lower() for line in head.splitlines()[1:]]
    return (
        any(line.strip().lower().startswith(b"set-cookie: evil") for line in head.splitlines()) or b"<script" in names
    )


AWAY = [
    *(
        "//evil.example",
        "///evil.example",
        "////evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\\/evil.example",
    ),
    *("https://evil.example", "https:evil.example", "http:///evil.example", "javascript:alert(1)", "data:text/html,x"),
    *(
        "/\t/evil.example",
        "/\n/evil.example",
        "\t//evil.example",
        " //evil.example",
        "/%09/evil.example",
        "evil.example",
    ),
    *("https://chat.example@evil.example", "//chat.example@evil.example", "/auth/sign-out", "/api/me", "/auth/../x"),
    *("//evil.example/%2e%2e", "/%5cevil.example", "/%2f%2fevil.example", "\x00//evil.example", "/\u2028/evil.example"),
]


async def leading_away(entrance: Entrance) -> AsyncIterator[Attempt]:
    """Ask to come back to another site after signing in; wherever it is accepted, it is a path of this one."""
    for wanted in AWAY:
        begun = await entrance.get(f"/auth/sign-in?return_to={quote(wanted, safe='')}")
        if begun.status == 400:
            yield Attempt(wanted, succeeded=False)
            continue
        async with entrance.site.client.get(begun.headers["location"], allow_redirects=False) as answer:
            back = answer.headers["location"].removeprefix("https://chat.example")
        done = await entrance.get(back, **{"__Host-daehwa-sign-in": begun.cookies["__Host-daehwa-sign-in"].value})
        location = done.headers["location"]
        leads_away = not location.startswith("/") or location[1:2] in {"/", "\\"} or not location.isascii()
        yield Attempt(wanted, leads_away or location.startswith(("/auth/", "/api/")))


def markup() -> list[str]:
    """Return the texts that would run in a page which took them for HTML. The page's own tests read the same file."""
    found: list[str] = json.loads((Path(__file__).parent / "markup.json").read_text("utf-8"))
    return found


async def reflection(site: Site) -> AsyncIterator[Attempt]:
    """Bring markup to every place that is said back; no answer with it may be a page, or be taken for one."""
    for number, text in enumerate(markup()):
        address = quote(text, safe="")
        said = json.dumps({"text": text, "model": text, text: 1}).encode()
        body = [f"content-length: {len(said)}", "content-type: application/json"]
        asked = [
            request(f"GET /{address} HTTP/1.1", "host: localhost"),
            request(f"GET /api/conversations?limit={address} HTTP/1.1", "host: localhost"),
            request(f"GET /v1/models/{address} HTTP/1.1", "host: localhost"),
            request("POST /v1/chat/completions HTTP/1.1", "host: localhost", *body, body=said),
            request("POST /api/turns HTTP/1.1", "host: localhost", *body, body=said),
            request("POST /api/keys HTTP/1.1", "host: localhost", *body, body=said),
            request(f"GET /classic/{address} HTTP/1.1", "host: localhost"),
        ][number % 7]
        head, _, rest = (await said_to(site.port, asked)).lower().partition(b"\r\n\r\n")
        is_page = b"content-type: text/html" in head or b"content-type: image/svg" in head
        is_guarded = b"x-content-type-options: nosniff" in head and b"default-src 'none'" in head
        bad_request = head.startswith(b"http/1.1 400 bad request") and b"text/plain" in head and b"<" not in rest
        yield Attempt(text, not bad_request and (is_page or not is_guarded))
