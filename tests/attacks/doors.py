"""The doors of local accounts: asked under other names, with markup, and so that a mailed link leads elsewhere."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from attacks.lines import markup
from attacks.names import FOREIGN_NAMES
from attacks.outcome import Attempt, request, said_to, status_of
from server.front_door import PASSWORD, PUBLIC, FrontDoor
from sign_in.test_mail import Box

from daehwa.accounts.people import NewUser

Body = dict[str, Any]
BODIES: list[tuple[str, Body]] = [
    ("/auth/password", {"login": "mina", "password": PASSWORD}),
    ("/auth/code", {"code": "000000"}),
    ("/auth/passkey/options", {}),
    ("/auth/passkey", {"credential": {"id": "mina"}}),
    ("/auth/link", {"token": "none"}),
    ("/auth/link/accept", {"token": "none", "password": PASSWORD, "login": "mina", "name": "Mina"}),
    ("/auth/reset", {"login": "mina"}),
]
REFUSED = {400, 403, 421}
"""What a foreign name is answered with; any other answer would be a door's own."""


def _post(path: str, body: Body, *headers: str, host: str = "chat.example") -> bytes:
    said = json.dumps(body).encode()
    kind = ("content-type: application/json", f"content-length: {len(said)}")
    return request(f"POST {path} HTTP/1.1", f"host: {host}", *kind, *headers, body=said)


async def under_foreign_names(door: FrontDoor) -> AsyncIterator[Attempt]:
    """Sign in with the right password, and knock at every other door, under names that are not ours."""
    await door.member("mina")
    port = door.site.port
    control = await said_to(port, _post(*BODIES[0], "sec-fetch-site: same-origin"))
    assert status_of(control) == 200, "under its own name the door opens"
    for number, name in enumerate(FOREIGN_NAMES):
        for path, body in (BODIES[0], BODIES[1 + number % 6]):
            answer = await said_to(port, _post(path, body, "sec-fetch-site: same-origin", host=name))
            let_in = status_of(answer) not in REFUSED or b"set-cookie" in answer.lower()
            yield Attempt(f"{path} as {name!r}", let_in)


async def markup_at_doors(door: FrontDoor) -> AsyncIterator[Attempt]:
    """Give markup as name, password, code, token and credential; nothing that comes back may be taken for a page."""
    for number, text in enumerate(markup()):
        path, body = BODIES[number % len(BODIES)]
        said = {name: {text: text} if isinstance(value, dict) else text for name, value in body.items()}
        said |= {text: text} if number % 3 == 0 else {}
        address = f"x-forwarded-for: 203.0.113.{number % 250}"
        answer = await said_to(door.site.port, _post(path, said, address, "sec-fetch-site: same-origin"))
        head, _, _ = answer.lower().partition(b"\r\n\r\n")
        is_guarded = b"x-content-type-options: nosniff" in head and b"default-src 'none'" in head
        yield Attempt(f"{text} at {path}", not is_guarded or b"content-type: text/" in head)


_ELSEWHERE: list[tuple[str, ...]] = [
    *(("x-forwarded-host: evil.example",), ("x-host: evil.example",), ("x-forwarded-server: evil.example",)),
    *(("forwarded: host=evil.example;proto=https",), ("x-original-host: evil.example",), ("via: 1.1 evil.example",)),
    *(("x-original-url: https://evil.example/",), ("x-rewrite-url: https://evil.example/",), ("x-forwarded-port: 81",)),
    *(("referer: https://evil.example/",), ("x-forwarded-proto: http",), ("x-forwarded-prefix: //evil.example",)),
    *(("x-forwarded-scheme: http", "x-url-scheme: http"), ("x-http-host-override: evil.example",)),
]
_MORE: list[Body] = [
    *({"url": "https://evil.example"}, {"return_to": "//evil.example"}, {"site": "evil.example"}),
    *({"public_url": "https://evil.example"}, {"link": "https://evil.example/#/link/"}, {"email": "evil@evil.example"}),
]
_LOGINS = ["{}\r\nBcc: evil@evil.example", "{}\nTo: evil@evil.example", "{},evil@evil.example", "{} evil@evil.example"]


async def poisoned_links(door: FrontDoor, box: Box) -> AsyncIterator[Attempt]:
    """Have a link for a new password mailed that leads to another site, or to somebody else: it never does."""
    tried: list[tuple[tuple[str, ...], Body, str]] = [(headers, {}, "{}") for headers in _ELSEWHERE]
    tried += [((), more, "{}") for more in _MORE]
    tried += [((), {}, login) for login in _LOGINS]
    for number, (headers, more, login) in enumerate(tried):
        address = f"person{number}@example.com"
        await door.people.accounts.add_user(NewUser(login=address, email=address), now=door.clock.now)
        before = len(box.mails)
        come_from = (f"x-forwarded-for: 203.0.113.{number}", "sec-fetch-site: same-origin")
        said = _post("/auth/reset", {"login": login.format(address), **more}, *headers, *come_from)
        status = status_of(await said_to(door.site.port, said))
        is_expected = headers != () and status == 202
        for _ in range(500 if is_expected else 5):
            if len(box.mails) > before:
                break
            await asyncio.sleep(0.02)
        assert not is_expected or len(box.mails) > before, f"with {headers} a mail goes out"
        mails = box.mails[before:]
        links = [word for mail in mails for word in str(mail.get_payload()).split() if "/link/" in word]
        to_others = any((mail["to"], mail["bcc"], mail["cc"]) != (address, None, None) for mail in mails)
        leads_away = any(not link.startswith(f"{PUBLIC}/#/link/") for link in links)
        yield Attempt(f"{headers or more or login!r}", to_others or leads_away or len(links) != len(mails))
