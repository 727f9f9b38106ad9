"""`daehwa announce`: one line for everybody, from the terminal."""

import pytest
from cli.conftest import Program

from daehwa.accounts.people import Profile
from daehwa.cli.terminal import MISUSE
from daehwa.data_folder import DataFolder
from daehwa.stores.sqlite import SqliteStore
from daehwa.stores.sqlite_accounts import SqliteAccounts
from daehwa.stores.sqlite_audit import SqliteAudit


@pytest.fixture
async def home(program: Program) -> Program:
    """A home where somebody has signed in."""
    folder = DataFolder(program.data)
    folder.prepare()
    store = await SqliteStore.open(folder.database)
    ann = Profile(issuer="https://id.example", subject="1", email="ann@example.com", name="Ann")
    await SqliteAccounts(store).sign_in(ann, role=None, now=2)
    await store.aclose()
    return program


async def test_it_is_announced_told_and_taken_down(home: Program) -> None:
    nothing = await home.run("announce")
    assert (nothing.code, nothing.out, nothing.err.strip()) == (0, "", "Nothing is announced.")
    made = await home.run(
        "announce", "Maintenance  on Friday", "--ko", "금요일에 점검해요", "--until", "2099-01-31T18:00Z"
    )
    assert (made.code, made.out.splitlines()) == (0, ["Maintenance on Friday", "금요일에 점검해요"]), made.err
    assert "Everybody sees it now at the top of the page until 2099-01-31" in made.err
    told = await home.run("announce")
    assert (told.code, told.out) == (0, made.out)
    down = await home.run("announce", "--take-down")
    assert (down.code, down.out, down.err.strip()) == (0, "", "Nothing is announced.")
    store = await SqliteStore.open(DataFolder(home.data).database)
    events = [event async for event in SqliteAudit(store).events()]
    await store.aclose()
    assert [(event.action, event.actor_name, event.details) for event in events] == [
        (
            *("installation.changed", "terminal"),
            {"announcement": "Maintenance on Friday", "until": "2099-01-31 18:00 UTC"},
        ),
        ("installation.changed", "terminal", {"announcement": False}),
    ]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("Friday", "--take-down"), "Give a text, or --take-down, not both."),
        (("--until", "2099-01-01"), "--until says when a text is over."),
        (("Friday", "--until", "on Friday"), "'on Friday' is no moment such as '2027-01-31 18:00'"),
        (("Friday", "--until", "2001-01-01"), "It ends at a time to come, before the year 2100."),
        (("x" * 201,), "An announcement is one line of at most 200 characters."),
        ((" ",), "An announcement has a text."),
        (("Friday", "--data-dir", "typo"), "There is no data in"),
    ],
)
async def test_what_cannot_be_is_said(home: Program, typed: tuple[str, ...], said: str) -> None:
    ran = await home.run("announce", *typed)
    assert ran.code == MISUSE, ran.err
    assert said in ran.err
    assert (await home.run("announce")).err.strip() == "Nothing is announced."


async def test_where_nobody_signs_in_nobody_can_be_told(program: Program) -> None:
    folder = DataFolder(program.data)
    folder.prepare()
    await (await SqliteStore.open(folder.database)).aclose()
    ran = await program.run("announce", "Friday")
    assert (ran.code, "Nobody signs in here" in ran.err) == (MISUSE, True), ran.err
