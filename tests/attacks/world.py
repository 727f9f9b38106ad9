"""A server with all kinds of people and keys, and things of theirs that others try to have."""

import contextlib
import json
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, NamedTuple

from books import some_books
from gateway.bed import Bed
from images import PNG, sent
from msgspec.structs import replace
from server.entrance import OURS, PUBLIC, SESSION, Entrance, an_entrance
from server.serving import asked

from daehwa.accounts.credentials import Passkey, Password
from daehwa.accounts.groups import Group
from daehwa.accounts.key_making import KeyWish, make_key
from daehwa.accounts.people import NewUser, Profile, Role, Session, User
from daehwa.accounts.people_ports import PeopleStores
from daehwa.conversation.ids import new_id, now_ms
from daehwa.sign_in.links import LinkMaker
from daehwa.sign_in.passwords import HashCost, Passwords
from daehwa.sign_in.tokens import digest, new_token
from daehwa.stores.memory_people import memory_people

CALLERS = ("anonymous", "owner", "other", "guest", "admin", "key", "narrow key", "admin's key")
"""Who asks: nobody; the member whose thing it is; another member; a guest; an admin; programs with that member's key,
with a key for one other model alone, and with a key of the admin.
"""
PASSWORD = "a long enough sentence"
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

    def __init__(self, entrance: Entrance, people: PeopleStores) -> None:
        self.entrance = entrance
        self.people = people
        self.site = entrance.site
        self._asked = 0

    async def _person(self, name: str, role: Role) -> tuple[User, dict[str, str]]:
        """Return somebody new who is signed in, and what their browser sends."""
        accounts, now = self.entrance.books.accounts, now_ms()
        domain = "admins.example" if role == "admin" else "members.example"
        profile = Profile(
            issuer=self.entrance.issuer.url, subject=new_id(), email=f"{name}-{new_id()}@{domain}", name=name
        )
        return await self._signed_in(await accounts.sign_in(profile, role=role, now=now))

    async def _signed_in(self, user: User) -> tuple[User, dict[str, str]]:
        session, now = new_token(), now_ms()
        await self.people.accounts.save_session(
            Session(id=digest(session), user=user.id, created=now, expires=now + 3_600_000)
        )
        return user, {"cookie": f"{SESSION}={session}", **OURS}

    async def _owner(self) -> tuple[User, dict[str, str]]:
        """Return somebody new with an account of this server's own, a password and a passkey."""
        people, now = self.people, now_ms()
        user = await people.accounts.add_user(NewUser(login=f"ann-{new_id()}", name="ann"), now=now)
        hashed = await Passwords(HashCost(passes=1, memory_kib=64)).hashed(PASSWORD)
        await people.credentials.set_password(Password(user=user.id, hash=hashed, changed=now))
        passkey = Passkey(id=new_id(), user=user.id, public_key=b"", sign_count=0, name="Phone", created=now)
        await people.credentials.add_passkey(passkey)
        return await self._signed_in(user)

    async def _key(self, user: User, *models: str) -> tuple[str, dict[str, str]]:
        books = self.entrance.books
        key, text = await make_key(books.keys, user.id, KeyWish(name="key", models=models), now=books.clock())
        return key.id, {"authorization": f"Bearer {text}"}

    async def things(self) -> Things:
        """Return people and things for one cell."""
        owner, owners = await self._owner()
        _, others = await self._person("bob", "member")
        _, guests = await self._person("gus", "guest")
        boss, admins = await self._person("boss", "admin")
        key, bearer = await self._key(owner)
        _, narrow = await self._key(owner, "another-model")
        _, admin_key = await self._key(boss)
        turn, image = asked(SECRET), sent(PNG + SECRET.encode())
        turn["message"]["parts"].append(image)
        await self.site.turn(turn, **owners)
        headers = dict(zip(CALLERS, ({}, owners, others, guests, admins, bearer, narrow, admin_key), strict=True))
        names = {"conversation": turn["conversation"], "reply": turn["reply"], "key": key, "model": "parrot"}
        names["image"] = image["image"]
        names |= {"file": "index.html", "person": owner.id, **await self._of_people(owner, boss)}
        return Things(headers, owner, names, turn)

    async def _of_people(self, owner: User, boss: User) -> dict[str, str]:
        people, now = self.people, now_ms()
        for old in await people.groups.list_groups():  # there may be a hundred
            await people.groups.delete_group(old.id)
        group = Group(id=new_id(), name=f"Lab {new_id()}")
        await people.groups.add_group(group)
        maker = LinkMaker(people.links, PUBLIC)
        made = await maker.invite(email=None, role="member", groups=(), made_by=boss.id, now=now)
        other = Session(id=digest(new_token()), user=owner.id, created=now, expires=now + 3_600_000)
        await people.accounts.save_session(other)
        passkey = (await people.credentials.get_credentials(owner.id)).passkeys[0].id
        return {
            "provider": "scripted",
            "group": group.id,
            "invitation": made.link.id,
            "session": other.id,
            "passkey": passkey,
        }

    async def asked(self, row: str, caller: str, things: Things) -> tuple[int, bytes]:
        """Ask what a row names as a caller; return the status and the body."""
        method, _, path = row.partition(" ")
        path = re.sub(r"\{([a-z_]+)\}", lambda name: things.names[name[1]], path)
        self._asked += 1  # each from an address of its own: wrong tries from one are counted together
        address = f"10.0.{self._asked // 256}.{self._asked % 256}"
        headers = {"host": "chat.example", "x-forwarded-for": address, **things.headers[caller]}
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
    "POST /api/conversations/import": lambda _: {"conversations": [{"chat_messages": []}]},
    "POST /api/turns": _next,
    "POST /api/keys": lambda _: {"name": "new"},
    "PATCH /api/account": lambda _: {"name": "Ann"},
    "POST /api/account/password": lambda _: {"current": PASSWORD, "new": "quite another long sentence"},
    "POST /api/account/totp": lambda _: {"password": PASSWORD},
    "POST /api/account/totp/confirm": lambda _: {"code": "000000"},
    "POST /api/account/totp/recovery-codes": lambda _: {"password": PASSWORD},
    "POST /api/account/totp/off": lambda _: {"password": PASSWORD},
    "POST /api/account/passkeys/options": lambda _: {"password": PASSWORD},
    "POST /api/account/passkeys": lambda _: {"name": "Phone", "credential": {}},
    "POST /auth/password": lambda _: {"login": "ann", "password": PASSWORD},
    "POST /auth/code": lambda _: {"code": "000000"},
    "POST /auth/passkey": lambda _: {"credential": {}},
    "POST /auth/link": lambda _: {"token": "none"},
    "POST /auth/link/accept": lambda _: {"token": "none", "password": PASSWORD},
    "POST /auth/reset": lambda _: {"login": "ann"},
    "PATCH /api/people/{person}": lambda _: {"role": "guest"},
    "PATCH /api/installation": lambda _: {"retention_days": None},
    "POST /api/groups": lambda _: {"name": f"Lab {new_id()}"},
    "PATCH /api/groups/{group}": lambda _: {"instructions": "Be brief."},
    "POST /v1/chat/completions": _question,
    "POST /v1/completions": _question,
    "POST /v1/responses": _question,
    "POST /v1/embeddings": _question,
    "POST /v1/images/generations": _question,
    "POST /v1/audio/speech": _question,
    "POST /v1/moderations": _question,
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
    more: Any = {"allowed_emails": ("@members.example",), "admin_emails": ("@admins.example",)}
    stores = memory_people(bed.accounts)
    async with an_entrance(
        folder / "page",
        books_of=lambda accounts: replace(some_books(accounts=accounts), keys=bed.keys),
        programs=bed.programs(owner=None, folder=classic),
        accounts=bed.accounts,
        people=stores,
        trusted_proxies=("127.0.0.1",),
        **more,
    ) as entrance:
        yield World(entrance, stores)
