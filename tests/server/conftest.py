from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cores import Core
from server.entrance import Entrance, an_entrance
from server.serving import Site, serving


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with serving(Core(), tmp_path) as made:
        yield made


@pytest.fixture
async def entrance(tmp_path: Path) -> AsyncIterator[Entrance]:
    async with an_entrance(tmp_path) as made:
        yield made
