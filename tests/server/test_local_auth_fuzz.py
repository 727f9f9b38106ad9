"""Whatever is sent to the open doors, none of them breaks: every answer is one of those that the table names."""

import random
from pathlib import Path
from typing import Any

from server.front_door import PASSWORD, FrontDoor, a_front_door, people_in
from sign_in.authenticator import b64

from daehwa.sign_in.tokens import new_token

TEXTS = [
    *("", " ", "mina", "MINA", PASSWORD, "\x00", "\n", "é", "e\u0301", "ﷺ" * 30, "\u202emina", "ß", "İ", "i\u0307"),
    *(
        "x" * 300,
        "x" * 3000,
        "' OR 1=1 --",
        "%s%n",
        "../../etc/passwd",
        "{}",
        "null",
        "\ud83d\ude00",
        "000000",
        "١٢٣٤٥٦",
    ),
    *("\\ud800", "a@b", "@", "a@b@c", "\uff21dmin", "admin\u200b"),
]
SURROGATE = b'{"login": "mina\\ud800", "password": "a long enough \\udfff sentence"}'
DOORS = {
    "/auth/password": ("login", "password"),
    "/auth/code": ("code",),
    "/auth/passkey/options": (),
    "/auth/passkey": ("credential",),
    "/auth/link": ("token",),
    "/auth/link/accept": ("token", "password", "login", "name"),
    "/auth/reset": ("login",),
    "/api/account/password": ("current", "new"),
    "/api/account/totp": ("password",),
    "/api/account/totp/confirm": ("code",),
    "/api/account/totp/recovery-codes": ("password",),
    "/api/account/totp/off": ("password",),
    "/api/account/passkeys/options": ("password",),
    "/api/account/passkeys": ("name", "credential"),
}
ALLOWED = {200, 204, 400, 401, 403, 404, 409, 413, 429}
"""What the doors' descriptions name; the right password is among the texts, so one that answers 204 may do so."""


def a_value(chance: random.Random, depth: int = 0) -> Any:
    kind = chance.randrange(7 if depth < 2 else 4)
    if kind < 3:
        return chance.choice(TEXTS)
    if kind == 3:
        return chance.choice([None, True, 0, -1, 2**63, 1.5, b64(chance.randbytes(40)), new_token()])
    if kind == 4:
        return [a_value(chance, depth + 1) for _ in range(chance.randrange(3))]
    names = ("id", "rawId", "type", "response", "clientDataJSON", "authenticatorData", "signature", "userHandle", "x")
    return {name: a_value(chance, depth + 1) for name in chance.sample(names, chance.randrange(len(names)))}


async def tried(door: FrontDoor, chance: random.Random, links: list[str]) -> None:
    mina = await door.member("mina")
    for _ in range(400):
        path = chance.choice(list(DOORS))
        body = {name: a_value(chance) for name in DOORS[path] if chance.random() > 0.05}
        if path == "/auth/passkey" and chance.random() < 0.8:
            await mina.call("POST", "/auth/passkey/options", {})
            body = {"credential": {**(a if isinstance(a := a_value(chance, 1), dict) else {}), "type": "public-key"}}
        if path == "/auth/link/accept" and chance.random() < 0.8:
            body |= {"token": links[-1].rpartition("/")[2], "password": PASSWORD}
        door.clock.go_on(300)
        browser = mina if path.startswith("/api/") else door.browser()
        status, answer = await browser.call("POST", path, body)
        assert status in ALLOWED, (path, body, status, answer)
        if path == "/auth/link/accept" and status == 200:
            links.append(await door.invite())


async def test_no_door_breaks(tmp_path: Path) -> None:
    async with people_in("sqlite", tmp_path) as people, a_front_door(tmp_path, people=people) as door:
        await tried(door, random.Random(20261129), [await door.invite()])  # noqa: S311 - the same each time


async def test_half_signs_are_refused_and_not_hashed(tmp_path: Path) -> None:
    async with a_front_door(tmp_path) as door:
        headers = {"content-type": "application/json"}
        async with door.site.client.post("/auth/password", data=SURROGATE, headers=headers) as answer:
            assert answer.status in {400, 401}
