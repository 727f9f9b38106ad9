"""Other names for this server, as DNS rebinding and odd requests bring them; and pages of other sites (CSRF)."""

import re
from collections.abc import AsyncIterator

from attacks.outcome import Attempt, request, said_to, status_of
from server.entrance import Entrance
from server.serving import Site

from daehwa.conversation.ids import new_id

FOREIGN_NAMES = [
    *("evil.example", "evil.example:80", "evil.example.", "EVIL.EXAMPLE", "evil.example:8000.", "rebind.evil.example"),
    *("localhost.evil.example", "127.0.0.1.evil.example", "127.0.0.1.nip.example", "localhost.", "localhost.:8000"),
    *("evil.example#localhost", "evil.example/localhost", "evil.example?localhost", "localhost@evil.example"),
    *("evil.example@localhost:80x", "localhost:80@evil.example", "localhost:evil.example", "localhost:", "localhost:x"),
    *("localhost, evil.example", "localhost evil.example", "localhost\tevil.example", "127.0.0.1:80:80"),
    *("[::ffff:10.0.0.1]", "[fe80::1]", "[::]", "[::1", "::1.evil.example", "[evil.example]", "[::1].evil.example"),
    *("0.0.0.0", "0", "10.0.0.1", "192.168.1.1:8000", "169.254.169.254", "2130706433", "0x7f000001", "127.1"),  # noqa: S104 - asked for, not bound
    *("", " ", ":80", "-", "xn--localhost", "loc\xadalhost", "\xffocalhost", "localhost\x0b", "localhost%00"),
]
PATHS = ["/", "/api/me", "/api/conversations", "/v1/models"]

_ABSOLUTE = [
    *("http://evil.example{}", "http://evil.example:80{}", "HTTP://EVIL.EXAMPLE{}", "http://evil.example.{}"),
    *("https://evil.example{}", "http://localhost@evil.example{}", "http://[fe80::1]{}", "http://10.0.0.1{}"),
    *("http://evil.example:80@localhost{}", "ftp://evil.example{}", "//evil.example{}", "evil.example{}"),
]


async def rebinding(site: Site) -> AsyncIterator[Attempt]:
    """Ask under names that are not ours, in the header and in the target; none is to be answered."""
    for name in FOREIGN_NAMES:
        path = PATHS[len(name) % len(PATHS)]
        answer = await said_to(site.port, request(f"GET {path} HTTP/1.1", f"host: {name}"))
        yield Attempt(f"host {name!r} of {path}", _told(answer))
    for target in _ABSOLUTE:
        for path in PATHS[:2]:
            answer = await said_to(site.port, request(f"GET {target.format(path)} HTTP/1.1", "host: localhost"))
            yield Attempt(f"target {target.format(path)}", _told(answer))
    for hosts in (["localhost", "evil.example"], ["evil.example", "localhost"], ["localhost", "localhost"], []):
        answer = await said_to(site.port, request("GET /api/me HTTP/1.1", *(f"host: {host}" for host in hosts)))
        yield Attempt(f"hosts {hosts}", _told(answer))
    for header in ("x-forwarded-host", "x-host", "forwarded", "x-original-host", "x-forwarded-server"):
        said = request("GET /api/me HTTP/1.1", "host: evil.example", f"{header}: localhost")
        yield Attempt(f"{header} beside a foreign host", _told(await said_to(site.port, said)))
    for line in ("CONNECT localhost:80 HTTP/1.1", "CONNECT evil.example:443 HTTP/1.1", "OPTIONS * HTTP/1.1"):
        answer = await said_to(site.port, request(line, "host: evil.example"))
        yield Attempt(line, _told(answer))


def _told(answer: bytes) -> bool:
    """Whether anything was told: an answer below 400, or one that holds what is only for us."""
    return 0 < status_of(answer) < 400 or b'"user"' in answer


FOREIGN_PAGES: list[dict[str, str]] = [
    {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "https://evil.example"},
    {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "same-site", "Origin": "https://neighbour.example"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "https://chat.example"},
    {"Origin": "http://chat.example"},
    {"Origin": "https://chat.example.evil.example"},
    {"Origin": "https://chat.example:444"},
    {"Origin": "https://evil.example/https://chat.example"},
    {},
]
"""What browsers send with what a page of another site asks for; the last one is of years ago and says nothing."""


async def forgery(entrance: Entrance) -> AsyncIterator[Attempt]:
    """Ask for every change there is, as a page of another site in the browser of an admin who is signed in."""
    boss = await entrance.signed_in(sub="boss", email="boss@example.com")
    operations = [each for each in entrance.site.app.operations if each.method not in {"GET", "HEAD"}]
    for operation in operations:
        path = re.sub(r"\{[a-z_]+\}", new_id(), operation.path)
        for number, headers in enumerate(FOREIGN_PAGES):
            kind = ("application/json", "text/plain", "application/x-www-form-urlencoded")[number % 3]
            status = await _asked(entrance, operation.method, path, {**boss, **headers, "content-type": kind})
            yield Attempt(f"{operation.method} {operation.path} from {headers}", status != 403)
    for method in ("GET", "HEAD", "OPTIONS"):
        for operation in operations[:6]:
            path = re.sub(r"\{[a-z_]+\}", new_id(), operation.path)
            before = await _asked(entrance, "GET", "/api/me", boss)
            await _asked(entrance, method, f"{path}?_method={operation.method}", {**boss, **FOREIGN_PAGES[0]})
            after = await _asked(entrance, "GET", "/api/me", boss)
            yield Attempt(f"{method} for {operation.method} {operation.path}", (before, after) != (200, 200))


async def _asked(entrance: Entrance, method: str, path: str, headers: dict[str, str]) -> int:
    body = b"" if method in {"GET", "HEAD"} else b"{}"
    async with entrance.site.client.request(method, path, data=body, headers=headers, allow_redirects=False) as answer:
        return answer.status
