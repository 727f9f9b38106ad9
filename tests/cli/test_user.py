"""`daehwa serve --accounts` and `daehwa user`, as a person at the terminal has them."""

import asyncio
import json
import re
from typing import Any

import aiohttp
import pytest
from cli.conftest import Program, Serving
from upstream import FakeUpstream

from daehwa.accounts.people import Profile
from daehwa.cli.serve import refuse_unprotected
from daehwa.cli.terminal import Refusal
from daehwa.data_folder import DataFolder
from daehwa.settings import Settings
from daehwa.stores.sqlite import SqliteStore
from daehwa.stores.sqlite_accounts import SqliteAccounts

PASSWORD = "a long enough sentence"
LINK = re.compile(r"http://localhost:\d+/#/link/([A-Za-z0-9_-]{43})")


async def first_link(server: Serving) -> str:
    """The token of the link for the first admin, which is printed once the server listens."""
    assert server.process.stdout is not None
    said = server.said
    while not (found := LINK.search(said)):
        said += (await server.process.stdout.readline()).decode()
    return found[1]


async def post(server: Serving, path: str, body: Any, cookie: str = "") -> tuple[int, str]:
    """Return the status, and the session that the answer gives."""
    headers = {"cookie": cookie, "sec-fetch-site": "same-origin"} if cookie else {}
    async with aiohttp.ClientSession() as client, client.post(server.address + path, json=body, headers=headers) as got:
        session = got.cookies.get("daehwa")
        return got.status, "" if session is None else f"daehwa={session.value}"


async def status_of(server: Serving, path: str, cookie: str = "") -> int:
    async with aiohttp.ClientSession() as client, client.get(server.address + path, headers={"cookie": cookie}) as got:
        return got.status


async def test_passkeys_can_be_asked_for_after_a_plain_start(program: Program) -> None:
    async with FakeUpstream() as upstream, program.serving("--accounts", OPENAI_BASE_URL=upstream.base_url) as server:
        assert (await post(server, "/auth/passkey/options", {}))[0] == 200


async def test_from_the_first_admin_to_a_member_who_is_let_out(program: Program) -> None:
    async with FakeUpstream() as upstream, program.serving("--accounts", OPENAI_BASE_URL=upstream.base_url) as server:
        assert server.address.startswith("http://localhost:")
        assert await status_of(server, "/api/me") == 401
        token = await first_link(server)
        status, boss = await post(server, "/auth/link/accept", {"token": token, "login": "boss", "password": PASSWORD})
        assert status == 200
        assert await status_of(server, "/api/me", boss) == 200
        invited = await program.run("user", "invite", "mina@example.com", OPENAI_BASE_URL=upstream.base_url)
        found = LINK.fullmatch(invited.out.strip())
        assert found is not None, invited
        assert "works once" in invited.err
        assert "It opens on this machine alone. For others, set public_url" in invited.err
        status, mina = await post(server, "/auth/link/accept", {"token": found[1], "password": PASSWORD})
        assert status == 200
        reset = await program.run("user", "reset", "mina@example.com", OPENAI_BASE_URL=upstream.base_url)
        assert LINK.fullmatch(reset.out.strip()) is not None
        listed = json.loads((await program.run("user", "list", "--json")).out)["people"]
        assert [(each["login"], each["role"], each["sessions"]) for each in listed] == [
            *(("boss", "admin", 1), ("mina@example.com", "member", 1)),
        ]
        assert listed[0]["id"] == "owner", "what was here before is the first admin's"
        assert (await program.run("user", "role", "mina@example.com", "guest")).code == 0
        assert await status_of(server, "/api/me", mina) == 401, "a changed role ends sessions"
        _, mina = await post(server, "/auth/password", {"login": "mina@example.com", "password": PASSWORD})
        assert await status_of(server, "/api/me", mina) == 200
        assert (await program.run("user", "disable", "mina@example.com")).code == 0
        assert await status_of(server, "/api/me", mina) == 401
        last = await program.run("user", "disable", "boss")
        assert last.code == 1
        assert "last admin" in last.err
        assert (await program.run("user", "enable", "mina@example.com")).code == 0
        assert (await program.run("user", "sign-out", "boss")).code == 0
        assert await status_of(server, "/api/me", boss) == 401
        shown = (await program.run("user", "list")).out
        assert "mina@example.com" in shown
        unknown = await program.run("user", "reset", "nobody")
        assert unknown.code == 2
        assert "Nobody here is known as 'nobody'" in unknown.err
        ended = await server.end()
    assert PASSWORD not in ended.out + ended.err
    assert token not in ended.err


async def test_each_start_without_an_admin_makes_the_older_link_void(program: Program) -> None:
    async with FakeUpstream() as upstream:
        async with program.serving("--accounts", OPENAI_BASE_URL=upstream.base_url) as server:
            older = await first_link(server)
            await server.end()
        async with program.serving(DAEHWA_ACCOUNTS="yes", OPENAI_BASE_URL=upstream.base_url) as server:
            newer = await first_link(server)
            assert newer != older
            assert (await post(server, "/auth/link", {"token": older}))[0] == 404
            assert (await post(server, "/auth/link", {"token": newer}))[0] == 200
    alone = await program.run("user", "invite")
    assert alone.code == 2
    assert "No server runs on this data folder" in alone.err


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "::"])  # noqa: S104 - it is refused
def test_where_others_reach_it_people_must_sign_in(host: str) -> None:
    with pytest.raises(Refusal, match="--accounts"):
        refuse_unprotected(Settings(host=host), has_sign_in=False)
    with pytest.raises(Refusal, match="public_url"):
        refuse_unprotected(Settings(host=host, accounts=True), has_sign_in=True)
    refuse_unprotected(Settings(host=host, accounts=True, public_url="https://chat.example"), has_sign_in=True)
    refuse_unprotected(Settings(host=host, allow_unprotected=True), has_sign_in=False)


async def test_a_start_without_accounts_says_who_is_asked_no_more(program: Program) -> None:
    async with FakeUpstream() as upstream:
        where = {"OPENAI_BASE_URL": upstream.base_url}
        async with program.serving("--accounts", **where) as server:
            token = await first_link(server)
            wish = {"token": token, "login": "boss", "password": PASSWORD}
            assert (await post(server, "/auth/link/accept", wish))[0] == 200
        async with program.serving(**where) as server:
            assert server.process.stdout is not None
            said = server.said
            while "ACCOUNTS OFF" not in said:
                line = await asyncio.wait_for(server.process.stdout.readline(), 30)
                assert line, said
                said += line.decode()
            assert await status_of(server, "/api/me") == 200


async def test_what_the_settings_and_the_provider_decide_is_not_decided_at_the_terminal(program: Program) -> None:
    folder = DataFolder(program.data)
    folder.prepare()
    store = await SqliteStore.open(folder.database)
    for number, name in enumerate(("boss", "chef")):
        person = Profile(issuer="https://id.test", subject=name, email=f"{name}@example.com", name="")
        await SqliteAccounts(store).sign_in(person, role="admin", now=number)
    await store.aclose()
    settings = {
        "DAEHWA_SIGN_IN_ISSUER": "https://id.test",
        "DAEHWA_SIGN_IN_CLIENT_ID": "daehwa",
        "DAEHWA_SIGN_IN_ADMIN_EMAILS": "boss@example.com",
        "DAEHWA_SIGN_IN_ALLOWED_EMAILS": "@example.com",
    }
    kept = await program.run("user", "role", "boss@example.com", "member", **settings)
    assert kept.code == 2
    assert "said by the settings: admin_emails or group_roles" in kept.err
    former = await program.run("user", "role", "chef@example.com", "guest", **settings)
    assert former.code == 0, former.err
    reset = await program.run(
        "user", "reset", "chef@example.com", DAEHWA_PUBLIC_URL="https://chat.example.com", **settings
    )
    assert reset.code != 0
    assert "a new one is set there" in reset.err
