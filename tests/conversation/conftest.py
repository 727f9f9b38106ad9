from collections.abc import AsyncIterator

import pytest
from cores import Core


@pytest.fixture
async def core() -> AsyncIterator[Core]:
    made = Core()
    yield made
    await made.running.aclose()
