"""A server with all kinds of people and keys, and things of theirs that others try to have."""

import contextlib
import json
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NamedTuple

from books import some_books
from gateway.bed import Bed
from msgspec.structs import replace
from server.entrance import OURS, SESSION, Entrance, an_entrance
from server.serving import asked

from daehwa.accounts.key_making import KeyWish, make_key
from daehwa.accounts.people import Profile, Role, Session, User
from daehwa.conversation.ids import new_id, now_ms
from daehwa.sign_in.tokens import digest, new_token

CALLERS = ("anonymous", "owner", "other", "admin", "key", "narrow key", "admin's key")
"""Who asks: nobody; the member whose thing it is; another member; an admin; programs with that member's key, with a key
for one other model alone, and with a key of the admin.
"""
SECRET = "What only Ann may read"
Json = dict[str, Any]


class Things(NamedTuple):
    """What one cell of the table is about: people of its own, and what belongs to the owner."""

    headers: dict[str, dict[str, str]]
    owner: User
    names: dict[str, str]
    """What stands for the names in a path."""
    turn: Json


class World:
    """The server; everything in it is made for one cell and not used for another."""

    def __init__(self, entrance: Entrance) -> None:
        self.entrance = entrance
        self.site = entrance.site

    async def _person(self, name: str, role: Role) -> tuple[User, dict[str, str]]:
        """Return somebody new who is signed in, and what their browser sends."""
        accounts, now = self.entrance.books.accounts, now_ms()
        domain = "admins.example" if role == "admin" else "members.example"
        profile = Profile(
            issuer=self.entrance.issuer.url, subject=new_id(), email=f"{name}-{new_id()}@{domain}", name=name
        )
        user = await accounts.sign_in(profile, role=role, now=now)
        session = new_token()
        await accounts.save_session(Session(id=digest(session), user=user.id, created=now, expires=now + 3_600_000))
        return user, {"cookie": f"{SESSION}={session}", **OURS}

    async def _key(self, user: User, *models: str) -> tuple[str, dict[str, str]]:
        books = self.entrance.books
        key, text = await make_key(books.keys, user.id, KeyWish(name="key", models=models), now=books.clock())
        return key.id, {"authorization": f"Bearer {text}"}

    async def things(self) -> Things:
        """Return people and things for one cell."""
        owner, owners = await self._person("ann", "member")
        _, others = await self._person("bob", "member")
        boss, admins = await self._person("boss", "admin")
        key, bearer = await self._key(owner)
        _, narrow = await self._key(owner, "another-model")
        _, admin_key = await self._key(boss)
        turn = asked(SECRET)
        await self.site.turn(turn, **owners)
        headers = dict(zip(CALLERS, ({}, owners, others, admins, bearer, narrow, admin_key), strict=True))
        names = {"conversation": turn["conversation"], "reply": turn["reply"], "key": key, "model": "parrot"}
        return Things(headers, owner, names | {"file": "index.html", "person": owner.id}, turn)

    async def asked(self, row: str, caller: str, things: Things) -> tuple[int, bytes]:
        """Ask what a row names as a caller; return the status and the body."""
        method, _, path = row.partition(" ")
        path = re.sub(r"\{([a-z_]+)\}", lambda name: things.names[name[1]], path)
        headers = {"host": "chat.example", **things.headers[caller]}
        body: Json | None = None
        if method not in {"GET", "DELETE"}:
            body = BODIES.get(row, _nothing)(things)
            headers["content-type"] = "application/json"
        content = None if body is None else json.dumps(body)
        async with self.site.client.request(
            method, path, data=content, headers=headers, allow_redirects=False
        ) as answer:
            return answer.status, await answer.read()


def _nothing(_things: Things) -> Json:
    return {}


def _next(things: Things) -> Json:
    """A further question in the owner's conversation."""
    return asked("More", conversation=things.names["conversation"], parent=things.names["reply"])


def _question(_things: Things) -> Json:
    return {"model": "parrot", "messages": [{"role": "user", "content": "Hi"}], "input": "Hi", "prompt": "Hi"}


BODIES: dict[str, Callable[[Things], Json]] = {
    "PATCH /api/conversations/{conversation}": lambda _: {"title": "Mine"},
    "POST /api/turns": _next,
    "POST /api/keys": lambda _: {"name": "new"},
    "POST /v1/chat/completions": _question,
    "POST /v1/completions": _question,
    "POST /v1/responses": _question,
    "POST /v1/embeddings": _question,
    "POST /v1/images/generations": _question,
    "POST /chat": lambda _: {"text": "Hi"},
    "POST /classic/chat": lambda _: {"text": "Hi"},
}


@contextlib.asynccontextmanager
async def a_world(folder: Path) -> AsyncIterator[World]:
    """Run it."""
    classic = folder / "classic"
    classic.mkdir()
    (classic / "index.html").write_text("<p>", "utf-8")
    bed = Bed()
    people: Any = {"allowed_emails": ("@members.example",), "admin_emails": ("@admins.example",)}
    async with an_entrance(
        folder / "page",
        books_of=lambda accounts: replace(some_books(accounts=accounts), keys=bed.keys),
        programs=bed.programs(owner=None, folder=classic),
        accounts=bed.accounts,
        **people,
    ) as entrance:
        yield World(entrance)
