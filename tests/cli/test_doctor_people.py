"""What the doctor says of accounts, people and mail."""

import json

from cli.conftest import Program
from cli.test_doctor import signing_in
from sign_in.issuer import Issuer
from sign_in.test_mail import Box, an_smtp_server
from stores.asking import ask
from upstream import FakeUpstream

from daehwa.accounts.people import NewUser
from daehwa.data_folder import DATABASE
from daehwa.services.local import OWNER
from daehwa.stores.sqlite import SqliteStore
from daehwa.stores.sqlite_accounts import SqliteAccounts


async def people_of(program: Program, *roles: str) -> None:
    program.data.mkdir()
    store = await SqliteStore.open(program.data / DATABASE)
    for number, role in enumerate(roles):
        await SqliteAccounts(store).add_user(NewUser(login=f"person{number}", name="", role=role), now=1)  # type: ignore[arg-type]  # a role
    await store.aclose()


async def test_the_doctor_counts_people_and_greets_the_mail_server(program: Program) -> None:
    await people_of(program, "admin", "member", "guest")
    box = Box()
    async with FakeUpstream() as upstream, an_smtp_server(box) as port:
        mail = {"DAEHWA_SMTP_URL": f"smtp://127.0.0.1:{port}", "DAEHWA_SMTP_SENDER": "daehwa@example.com"}
        ended = await program.run("doctor", OPENAI_BASE_URL=upstream.base_url, DAEHWA_ACCOUNTS="true", **mail)
    assert ended.code == 0, ended.out + ended.err
    assert "accounts    of this server's own" in ended.out
    assert "passkeys: can be used" in ended.out
    assert "people      3 known, 1 admin" in ended.out
    assert f"mail        127.0.0.1:{port}, from daehwa@example.com; answers as it must" in ended.out
    assert "whoever reaches the page is its owner" not in ended.out
    assert box.mails == []


async def test_a_mail_server_that_does_not_answer_is_a_fault(program: Program) -> None:
    mail = {"DAEHWA_SMTP_URL": "smtp://127.0.0.1:9", "DAEHWA_SMTP_SENDER": "daehwa@example.com"}
    async with FakeUpstream() as upstream:
        ended = await program.run("doctor", OPENAI_BASE_URL=upstream.base_url, DAEHWA_ACCOUNTS="true", **mail)
    assert ended.code == 1
    assert "daehwa@example.com; CANNOT BE USED" in ended.out
    assert "mail: The mail server at 127.0.0.1:9 does not answer as it must (ConnectionRefusedError)." in ended.out
    assert "people      0 known, no admin yet: `daehwa serve` prints a link for the first one" in ended.out


async def test_without_a_name_there_are_no_passkeys_and_the_doctor_says_so(program: Program) -> None:
    async with FakeUpstream() as upstream:
        where = {"DAEHWA_ACCOUNTS": "true", "DAEHWA_PUBLIC_URL": "http://127.0.0.1:8000"}
        ended = await program.run("doctor", OPENAI_BASE_URL=upstream.base_url, **where)
    assert ended.code == 0, ended.out
    assert "passkeys: Browsers tie passkeys to a name" in ended.out
    assert "mail        none: links for new passwords are made by an admin" in ended.out


async def test_people_of_a_provider_are_counted_and_nobody_where_nobody_signs_in(program: Program) -> None:
    await people_of(program, "member", "admin", "admin")
    async with FakeUpstream() as upstream, Issuer() as issuer:
        open_to_all = await program.run("doctor", OPENAI_BASE_URL=upstream.base_url)
        (program.folder / "daehwa.toml").write_text(signing_in(issuer.url))
        provided = await program.run("doctor", OPENAI_BASE_URL=upstream.base_url)
        told = await program.run("doctor", "--json", OPENAI_BASE_URL=upstream.base_url)
    assert "people      3 with an account here, and nobody is asked to sign in" in open_to_all.out
    assert "DAEHWA_ACCOUNTS=true" in open_to_all.out
    assert "whoever reaches the page is its owner" in open_to_all.out
    assert "people      3 known, 2 admins" in provided.out
    assert "\n  accounts " not in provided.out
    people = json.loads(told.out)["people"]
    assert (people["accounts"], people["people"], people["admins"], people["mail"]) == (False, 3, 2, None)


async def test_where_nobody_ever_signed_in_there_is_nothing_to_say_of_people(program: Program) -> None:
    async with FakeUpstream() as upstream:
        ended = await program.run("doctor", OPENAI_BASE_URL=upstream.base_url)
    assert "\n  people " not in ended.out


async def test_a_file_that_cannot_be_read_has_uncounted_people(program: Program) -> None:
    program.data.mkdir()
    (program.data / DATABASE).write_bytes(b"This is no database at all. " * 100)
    async with FakeUpstream() as upstream:
        ended = await program.run("doctor", OPENAI_BASE_URL=upstream.base_url, DAEHWA_ACCOUNTS="true")
    assert "people      cannot be counted" in ended.out


async def test_what_is_in_nobodys_list_is_told(program: Program) -> None:
    await people_of(program, "admin")
    async with FakeUpstream() as upstream:
        given = {"OPENAI_BASE_URL": upstream.base_url, "DAEHWA_ACCOUNTS": "true"}
        before = await program.run("doctor", **given)
        store = await SqliteStore.open(program.data / DATABASE)
        await ask(store, "Hello", owner=OWNER)
        await store.aclose()
        after = await program.run("doctor", **given)
    assert "in nobody's list" not in before.out
    assert "what `daehwa ask` or a start without accounts has written is in nobody's list" in after.out
