"""`daehwa usage`: what was used and what it cost, for whoever pays and for their programs."""

import csv
import json
import subprocess
import sys

import pytest
from cli.conftest import PROGRAM, Program

from daehwa.accounts.groups import Group
from daehwa.accounts.ledger import Entry
from daehwa.accounts.people import LOCAL_ISSUER, Profile
from daehwa.cli.terminal import FAULT, MISUSE
from daehwa.conversation.ids import new_id
from daehwa.conversation.messages import Usage
from daehwa.data_folder import DataFolder
from daehwa.stores.sqlite import SqliteStore
from daehwa.stores.sqlite_accounts import SqliteAccounts
from daehwa.stores.sqlite_ledger import SqliteLedger
from daehwa.stores.sqlite_people import SqliteGroups

NOON = 1_795_348_800_000  # 2026-11-22
DAY_MS = 24 * 60 * 60 * 1000
DAYS = ("--since", "2026-11-21", "--until", "2026-11-22")


@pytest.fixture
async def spent(program: Program) -> Program:
    """A home where 소라 and Ann have asked, on two days and long before."""
    folder = DataFolder(program.data)
    folder.prepare()
    store = await SqliteStore.open(folder.database)
    accounts, ledger = SqliteAccounts(store), SqliteLedger(store)
    sora = await accounts.sign_in(Profile(issuer=LOCAL_ISSUER, subject="소라", email=None, name=""), role=None, now=1)
    ann = Profile(issuer="https://id.example", subject="1", email="ann@example.com", name="Ann")
    asked = [(sora.id, NOON, 1_500_000), ((await accounts.sign_in(ann, role=None, now=2)).id, NOON - DAY_MS, 7)]
    for user, at, cost in (*asked, (sora.id, NOON - 99 * DAY_MS, 1)):
        usage = Usage(input=10, output=1_000, cost=cost)
        await ledger.settle(Entry(id=new_id(), created=at, user=user, kind="turn", model="a/b", usage=usage))
    await store.aclose()
    return program


async def test_a_person_reads_a_table_and_its_sum(spent: Program) -> None:
    ran = await spent.run("usage", *DAYS)
    assert ran.code == 0, ran.err
    assert [line.split() for line in ran.out.splitlines()] == [
        ["day", "user", "key", "model", "kind", "calls", "input", "output", "cost"],
        ["2026-11-21", "Ann", "a/b", "turn", "1", "10", "1,000", "$0.000007"],
        ["2026-11-22", "소라", "a/b", "turn", "1", "10", "1,000", "$1.50"],
    ]
    assert ran.err.strip() == "From 2026-11-21 to 2026-11-22 (UTC): 2 calls, $1.500007."
    nothing = await spent.run("usage", "--since", "2020-01-01", "--until", "2020-01-01")
    assert (nothing.code, nothing.out) == (0, "")
    assert "0 calls, $0.00." in nothing.err


async def test_a_program_reads_what_the_page_offers(spent: Program) -> None:
    report = json.loads((await spent.run("usage", *DAYS, "--json")).out)
    assert (report["since"], report["until"], len(report["rows"])) == ("2026-11-21", "2026-11-22", 2)
    assert sorted(report["users"].values()) == ["Ann", "소라"]
    as_csv = await spent.run("usage", *DAYS, "--csv", "--user", "소라")
    assert as_csv.out.startswith("\ufeffday,user,key,")
    (row,) = csv.DictReader(as_csv.out.removeprefix("\ufeff").splitlines())
    assert (row["day"], row["user"], row["cost"]) == ("2026-11-22", "소라", "1.500000")
    assert as_csv.err == ""


async def test_it_is_summed_up_by_what_is_asked(spent: Program) -> None:
    store = await SqliteStore.open(DataFolder(spent.data).database)
    team = Group(id=new_id(), name="The team", created=1)
    await SqliteGroups(store).add_group(team)
    ledger, usage = SqliteLedger(store), Usage(input=10, output=1_000, cost=250_000)
    for groups in ((team.id, "interns"), (team.id,)):
        entry = Entry(id=new_id(), created=NOON, user="u", kind="chat", model="a/c", groups=groups, usage=usage)
        await ledger.settle(entry)
    await store.aclose()

    async def lines(by: str) -> list[list[str]]:
        ran = await spent.run("usage", *DAYS, "--by", by)
        assert (ran.code, "4 calls, $2.000007." in ran.err) == (0, True), ran.err
        return [
            line.replace("(in no group)", "none").replace("The team", "team").split() for line in ran.out.splitlines()
        ]

    assert await lines("group") == [
        ["group", "calls", "input", "output", "cost"],
        ["none", "2", "20", "2,000", "$1.500007"],
        ["team", "2", "20", "2,000", "$0.50"],
        ["interns", "1", "10", "1,000", "$0.25"],
    ]
    assert [line[0] for line in await lines("day")] == ["day", "2026-11-21", "2026-11-22"]
    assert [line[0] for line in await lines("model")] == ["model", "a/b", "a/c"]
    as_csv = await spent.run("usage", *DAYS, "--csv")
    rows = list(csv.DictReader(as_csv.out.removeprefix("\ufeff").splitlines()))
    assert {row["groups"] for row in rows} == {"", "The team", "The team; interns"}


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("--since", "yesterday"), "'yesterday' is no day such as 2027-01-31"),
        (("--until", "2026-02-30"), "'2026-02-30' is no day such as 2027-01-31"),
        (("--since", "2026-02-02", "--until", "2026-02-01"), "The first day is not after the last"),
        (("--since", "2020-01-01", "--until", "2026-01-01"), "At most 400 days"),
        (("--user", "nobody"), "Nobody here is known as 'nobody'. Give --user 소라 or ann@example.com."),
        (("--csv", "--json"), "Give --csv or --json, not both."),
        (("--by", "group", "--csv"), "--by is for the table"),
        (("--data-dir", "typo"), "There is no data in"),
    ],
)
async def test_what_cannot_be_is_said(spent: Program, typed: tuple[str, ...], said: str) -> None:
    ran = await spent.run("usage", *typed)
    assert (ran.code, ran.out) == (MISUSE, "")
    assert said in ran.err
    assert not (spent.folder / "typo").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="it needs a pipe that is closed")
async def test_a_reader_who_leaves_is_no_fault(spent: Program) -> None:
    with subprocess.Popen(  # noqa: S603, ASYNC220 - our own program, whose output nobody reads
        [*PROGRAM, "usage", "--csv"],
        env=spent.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
        assert process.wait() == FAULT
