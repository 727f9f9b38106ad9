"""`daehwa key`, as a person types it, beside a running server and alone."""

import contextlib
import json
import re
import unicodedata
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cli.conftest import Program

from daehwa.accounts.people import LOCAL_ISSUER, Profile
from daehwa.cli.terminal import MISUSE
from daehwa.data_folder import DataFolder
from daehwa.stores.sqlite import SqliteStore
from daehwa.stores.sqlite_accounts import SqliteAccounts
from daehwa.stores.sqlite_audit import SqliteAudit

KEY = re.compile(r"dh_[0-9A-Za-z]{8}_[0-9A-Za-z]{40}\n")


@contextlib.asynccontextmanager
async def _store(program: Program) -> AsyncIterator[SqliteStore]:
    folder = DataFolder(program.data)
    folder.prepare()
    store = await SqliteStore.open(folder.database)
    yield store
    await store.aclose()


async def _people(program: Program, *emails: str) -> None:
    async with _store(program) as store:
        for number, email in enumerate(emails):
            person = Profile(issuer="https://issuer.example", subject=str(number), email=email, name="")
            await SqliteAccounts(store).sign_in(person, role=None, now=number)


async def _listed(program: Program, *options: str) -> list[dict[str, Any]]:
    ran = await program.run("key", "list", "--json", *options)
    assert ran.code == 0, ran.err
    keys: list[dict[str, Any]] = json.loads(ran.out)["keys"]
    return keys


async def test_a_keys_text_is_all_that_is_on_standard_output(program: Program) -> None:
    made = await program.run("key", "create", "laptop")
    assert made.code == 0, made.err
    assert KEY.fullmatch(made.out)
    assert "told this one time" in made.err
    assert made.out.strip() not in made.err
    (key,) = await _listed(program)
    assert made.out.startswith(key["prefix"])
    assert (key["name"], key["user"], key["models"], key["expires"]) == ("laptop", "owner", [], None)
    shown = await program.run("key", "list")
    assert key["prefix"] in shown.out
    assert made.out.strip() not in shown.out


async def test_a_key_has_the_limits_that_were_typed(program: Program) -> None:
    made = await program.run(
        *("key", "create", "ci", "--model", "gpt-*", "--model", "work/parrot", "--day", "2.50", "--month", "$10"),
        *("--total", "0.000001", "--requests-per-minute", "60", "--tokens-per-minute", "1000"),
        *("--expires", "2090-01-31", "--json"),
    )
    assert made.code == 0, made.err
    answer = json.loads(made.out)
    assert KEY.fullmatch(answer["secret"] + "\n")
    assert (
        answer["key"]
        | {
            "models": ["gpt-*", "work/parrot"],
            "day": 2_500_000,
            "month": 10_000_000,
            "total": 1,
            "requests_per_minute": 60,
            "tokens_per_minute": 1_000,
            "expires": int(datetime(2090, 2, 1, tzinfo=UTC).timestamp()) * 1000,
        }
        == answer["key"]
    )
    table = (await program.run("key", "list")).out
    assert "gpt-*, work/parrot  $2.50 a day, $10.00 a month, $0.000001 in all, 60 requests a minute" in table
    assert "live until 2090-02-01" in table


async def test_json_is_json_where_the_encoding_lacks_a_letter(program: Program) -> None:
    await program.run("key", "create", "열쇠 👍")
    for encoding in ("cp949", "ascii", "utf-8"):
        listed = await program.run("key", "list", "--json", PYTHONIOENCODING=encoding)
        assert [key["name"] for key in json.loads(listed.out)["keys"]] == ["열쇠 👍"], encoding


async def test_one_request_a_minute_is_one(program: Program) -> None:
    await program.run("key", "create", "slow", "--requests-per-minute", "1", "--tokens-per-minute", "1000")
    assert "1 request a minute, 1,000 tokens a minute" in (await program.run("key", "list")).out


async def test_what_the_settings_let_each_key_spend_stands_beside_its_own_limits(program: Program) -> None:
    await program.run("key", "create", "ci", "--day", "2.50")
    await program.run("key", "create", "laptop")
    settings = {"DAEHWA_BUDGETS": "key month 10,key total 99.5,user day 1"}
    table = (await program.run("key", "list", **settings)).out
    assert "$2.50 a day, $10.00 a month (each key), $99.50 in all (each key)" in table
    assert "every   $10.00 a month (each key), $99.50 in all (each key)  " in table
    listed = json.loads((await program.run("key", "list", "--json", **settings)).out)
    assert listed["each"] == {"month": 10_000_000, "total": 99_500_000}
    assert [key["spent"]["total"] for key in listed["keys"]] == [0, 0]
    assert json.loads((await program.run("key", "list", "--json")).out)["each"] == {}


@pytest.mark.parametrize(
    "typed", [("key", "list"), ("key", "list", "--json"), ("key", "revoke", "x"), ("user", "list")]
)
async def test_a_folder_without_data_is_named_and_not_made(program: Program, typed: tuple[str, ...]) -> None:
    ran = await program.run(*typed)
    assert (ran.code, ran.out) == (MISUSE, "")
    assert f"There is no data in {program.data}. Name the folder that has some with --data-dir" in ran.err
    assert not program.data.exists()


async def test_a_span_is_counted_from_now(program: Program) -> None:
    before = datetime.now(UTC).timestamp() * 1000
    await program.run("key", "create", "short", "--expires", "90d")
    (key,) = await _listed(program)
    assert 0 <= key["expires"] - before - 90 * 86_400_000 < 60_000


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("create", "x", "--day", "-1"), "no amount of dollars"),
        (("create", "x", "--day", "1,5"), "no amount of dollars"),
        (("create", "x", "--day", "0.0000001"), "no amount of dollars"),
        (("create", "x", "--expires", "soon"), "neither a span such as 90d"),
        (("create", "x", "--expires", "2020-01-01"), "expires at a time to come"),
        (("create", "x", "--requests-per-minute", "0"), "0 is not in the range 1<=x<=1000000"),
        (("create", "x" * 101), "1 to 100 characters"),
        (("create", "x", "--month", "1000001"), "A key may spend $1,000,000.00 at most"),
        (("create", "x", "--model", ""), "each with 1 to 200 characters"),
        (("create", " "), "1 to 100 characters"),
        (("create", ""), "1 to 100 characters"),
        (("create", "x", "--user", "nobody@example.com"), "Nobody here is known"),
        (("revoke", "nothing"), "There is no key 'nothing'"),
    ],
)
async def test_what_cannot_be_is_said_in_one_paragraph(program: Program, typed: tuple[str, ...], said: str) -> None:
    async with _store(program):
        pass
    ran = await program.run("key", *typed)
    assert ran.code == MISUSE
    assert said in ran.err
    assert "Traceback" not in ran.err
    assert not ran.out
    assert await _listed(program) == []


@pytest.mark.parametrize("by", ["prefix", "id", "name", "text"])
async def test_a_key_is_revoked_by_what_is_known_of_it(program: Program, by: str) -> None:
    text = (await program.run("key", "create", "laptop")).out.strip()
    (key,) = await _listed(program)
    ran = await program.run("key", "revoke", {"text": text, **key}[by])
    assert (ran.code, ran.out) == (0, ""), ran.err
    assert "opens nothing from now on" in ran.err
    assert await _listed(program) == []
    (old,) = await _listed(program, "--all")
    assert old["revoked"] is not None
    assert "revoked" in (await program.run("key", "list", "--all")).out
    again = await program.run("key", "revoke", {"text": text, **key}[by])
    assert again.code == MISUSE
    assert f"The key “laptop”, {key['prefix']}…, was revoked already, " in again.err


async def test_names_of_two_columns_a_letter_keep_the_table_straight(program: Program) -> None:
    names = ("연구실", unicodedata.normalize("NFD", "노트북"), "laptop")
    for name in names:
        assert (await program.run("key", "create", name)).code == 0
    lines = (await program.run("key", "list")).out.splitlines()[1:]
    assert len(lines) == len(names)
    before = [unicodedata.normalize("NFC", line.partition("  owner")[0]) for line in lines]
    assert {sum(2 if letter in "연구실노트북" else 1 for letter in text) for text in before} == {
        len("dh_12345678  laptop")
    }


async def test_a_name_is_the_same_however_a_keyboard_has_put_it_together(program: Program) -> None:
    async with _store(program) as store:
        for login in ("소라", "mina"):
            await SqliteAccounts(store).sign_in(
                Profile(issuer=LOCAL_ISSUER, subject=login, email=None, name=""), role=None, now=9
            )
    in_parts = unicodedata.normalize("NFD", "소라")
    assert (await program.run("key", "create", "노트북", "--user", in_parts)).code == 0
    assert (await program.run("user", "sign-out", in_parts)).code == 0
    assert (await program.run("key", "revoke", unicodedata.normalize("NFD", "노트북"))).code == 0
    assert len(await _listed(program, "--all", "--user", "소라")) == 1


async def test_that_there_are_no_keys_is_said_of_whom_and_of_which(program: Program) -> None:
    await _people(program, "ann@example.com", "bob@example.com")
    await program.run("key", "create", "laptop", "--user", "ann@example.com")
    ran = await program.run("key", "list", "--user", "bob@example.com")
    assert ran.err.startswith("There are no keys of bob@example.com; --all lists those too that were revoked")
    assert "--all" not in (await program.run("key", "list", "--all", "--user", "bob@example.com")).err


async def test_more_people_than_are_named_are_told_of(program: Program) -> None:
    await _people(program, *(f"p{number}@example.com" for number in range(11)))
    ran = await program.run("key", "create", "laptop")
    assert "p8@example.com or p9@example.com …." in ran.err


@pytest.mark.parametrize("option", ["--name", "--region", "--profile"])
async def test_an_installation_on_aws_is_not_mistaken_for_this_machine(program: Program, option: str) -> None:
    ran = await program.run("key", "create", "laptop", option, "prod")
    assert (ran.code, ran.out) == (MISUSE, "")
    assert f"{option} says which installation on AWS is meant. Give --aws as well, or leave it out." in ran.err
    assert not program.data.exists()


async def test_an_empty_name_of_a_folder_is_not_the_one_we_are_in(program: Program) -> None:
    for typed in (("key", "create", "x", "--data-dir", ""), ("key", "list", "--config", ""), ("backup", "")):
        ran = await program.run(*typed)
        assert (ran.code, ran.out) == (MISUSE, "")
        assert "the name is empty" in ran.err
    assert list(program.folder.iterdir()) == []


async def test_a_name_that_two_keys_have_names_none(program: Program) -> None:
    for _ in range(2):
        await program.run("key", "create", "laptop")
    ran = await program.run("key", "revoke", "laptop")
    assert ran.code == MISUSE
    assert all(key["prefix"] in ran.err for key in await _listed(program))


async def test_where_people_sign_in_it_is_said_whose(program: Program) -> None:
    await _people(program, "ann@example.com", "bob@example.com")
    ran = await program.run("key", "create", "laptop")
    assert ran.code == MISUSE
    assert "--user ann@example.com or bob@example.com" in ran.err
    ran = await program.run("key", "create", "laptop", "--user", "bob@example.com")
    assert ran.code == 0, ran.err
    assert "of bob@example.com" in ran.err
    assert len(await _listed(program, "--user", "bob@example.com")) == 1
    assert await _listed(program, "--user", "ann@example.com") == []
    assert "bob@example.com" in (await program.run("key", "list")).out


async def test_who_has_no_address_is_named_by_what_they_sign_in_with(program: Program) -> None:
    await _people(program, "ann@example.com")
    sora = Profile(issuer=LOCAL_ISSUER, subject="소라", email=None, name="")
    async with _store(program) as store:
        await SqliteAccounts(store).sign_in(sora, role=None, now=9)
    unsaid = await program.run("key", "create", "laptop")
    assert "--user ann@example.com or 소라" in unsaid.err
    ran = await program.run("key", "create", "laptop", "--user", "소라")
    assert "of 소라" in ran.err
    assert len(await _listed(program, "--user", "소라")) == 1
    assert "소라" in (await program.run("key", "list")).out
    assert (await program.run("export", "-", "--owner", "소라")).code == 0


async def test_a_person_is_named_in_any_case_of_letters_and_never_guessed(program: Program) -> None:
    await _people(program, "Ann@Example.com", "bob@example.com")
    namesake = Profile(issuer=LOCAL_ISSUER, subject="bob@example.com", email=None, name="")
    async with _store(program) as store:
        await SqliteAccounts(store).sign_in(namesake, role=None, now=9)
    ran = await program.run("key", "create", "laptop", "--user", "ann@example.com")
    assert "of Ann@Example.com" in ran.err
    ran = await program.run("key", "create", "laptop", "--user", "bob@example.com")
    assert ran.code == MISUSE
    async with _store(program) as store:
        users = await SqliteAccounts(store).list_users()
    by_login, by_email = (next(user.id for user in users if user.subject == name) for name in ("bob@example.com", "1"))
    told = f"bob@example.com is the login of {by_login} here, and the address of {by_email}, whoever came first"
    assert told in ran.err
    assert f"by the id: --user {by_login}." in ran.err or f"by the id: --user {by_email}." in ran.err
    for act in (("disable",), ("role", "admin"), ("sign-out",)):
        ran = await program.run("user", act[0], "bob@example.com", *act[1:])
        assert ran.code == MISUSE
        assert told in ran.err
    assert (await program.run("user", "disable", by_email)).code == 0
    async with _store(program) as store:
        users = await SqliteAccounts(store).list_users()
    assert [user.id for user in users if user.disabled is not None] == [by_email]


async def test_an_empty_name_means_nobody(program: Program) -> None:
    await _people(program, "ann@example.com")
    sora = Profile(issuer=LOCAL_ISSUER, subject="소라", email=None, name="")
    async with _store(program) as store:
        await SqliteAccounts(store).sign_in(sora, role=None, now=9)
    ran = await program.run("key", "create", "laptop", "--user", "")
    assert ran.code == MISUSE
    assert "Nobody here is known as ''" in ran.err
    assert await _listed(program) == []


async def test_where_people_sign_in_the_audit_log_says_what_was_done_about_keys(program: Program) -> None:
    await program.run("key", "create", "before anybody came")
    await _people(program, "ann@example.com")
    await program.run("key", "create", "laptop", "--user", "ann@example.com")
    await program.run("key", "revoke", "laptop")
    (key,) = await _listed(program, "--all", "--user", "ann@example.com")
    async with _store(program) as store:
        events = [event async for event in SqliteAudit(store).events()]
    facts = {"key": key["id"], "name": "laptop", "prefix": key["prefix"]}
    assert [(event.action, event.actor_name, event.subject, event.details) for event in events] == [
        (action, "terminal", key["user"], facts) for action in ("key.made", "key.revoked")
    ]


async def test_a_running_server_knows_at_once(program: Program, tmp_path: Path) -> None:
    del tmp_path
    async with program.serving("--no-open", DAEHWA_REQUIRE_KEYS="true") as server:
        address = server.address.rstrip("/")
        async with aiohttp.ClientSession() as client:

            async def asked(text: str) -> int:
                headers = {"authorization": f"Bearer {text}"}
                async with client.get(f"{address}/v1/models", headers=headers) as answer:
                    return answer.status

            assert await asked("dh_abcdefgh_nonsense") == 401
            text = (await program.run("key", "create", "laptop")).out.strip()
            assert await asked(text) == 200
            await program.run("key", "revoke", "laptop")
            assert await asked(text) == 401
