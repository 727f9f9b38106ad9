"""What accounts in a file promise beyond the contract."""

import sqlite3
from pathlib import Path

from daehwa.accounts.people import NewUser
from daehwa.stores.sqlite import SqliteStore
from daehwa.stores.sqlite_people import sqlite_people

PEOPLE = 300


async def test_a_login_that_somebody_has_takes_as_many_steps_as_one_that_nobody_has(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "daehwa.db")
    accounts = sqlite_people(store).accounts
    for number in range(PEOPLE):
        await accounts.add_user(NewUser(login=f"p{number}", email=f"p{number}@example.com"), now=number)
    steps = [0]

    def counting(database: sqlite3.Connection) -> None:
        database.set_progress_handler(lambda: steps.append(steps.pop() + 1), 1)

    await store.reader.run(counting)
    taken: list[int] = []
    for login, is_there in (("p7", True), ("nobody", False), ("p7@example.com", True)):
        steps[:] = [0]
        assert (await accounts.find_user(login) is not None) is is_there
        taken.append(steps[0])
    await store.aclose()
    assert min(taken) > PEOPLE
    assert max(taken) < 1.05 * min(taken)
