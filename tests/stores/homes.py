"""All stores of people, for each home that keeps them: a further one joins the contracts by one line in `HOMES`."""

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TypeAlias

from daehwa.accounts.people_ports import PeopleStores
from daehwa.stores.memory_people import memory_people

Opener: TypeAlias = Callable[[Path], AbstractAsyncContextManager[PeopleStores]]


@contextlib.asynccontextmanager
async def open_memory(_folder: Path) -> AsyncIterator[PeopleStores]:
    yield memory_people()


HOMES: dict[str, Opener] = {"memory": open_memory}
