"""What every store of rates does, held to the same contract: a further one joins by one line in `PLACES`."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from stores.places import PLACES, Place

from daehwa.accounts.ports import RateStore, RateTaken

NOW = 1_795_305_600_000  # the beginning of a minute
MINUTE = 60_000


@pytest.fixture(params=list(PLACES))
async def rates(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[RateStore]:
    async with PLACES[request.param](tmp_path) as opened:
        place: Place = opened
        yield (await place.process()).rates


async def waits(rates: RateStore, scope: str, amount: int, limit: int, *, now: int) -> float | None:
    return (await rates.take(scope, amount, limit, now=now)).wait


async def test_what_the_minute_has_left_is_told(rates: RateStore) -> None:
    assert [(await rates.take("a", 4, 10, now=NOW)).left for _ in range(2)] == [6, 2]
    assert await rates.take("a", 4, 10, now=NOW + 30_000) == RateTaken(0, 30)
    assert await rates.take("a", 2, 10, now=NOW) == RateTaken(0)
    assert await rates.take("b", 50, 10, now=NOW) == RateTaken(0)
    assert await rates.take("a", 4, 10, now=NOW + MINUTE) == RateTaken(6)


async def test_so_much_and_no_more_in_a_minute(rates: RateStore) -> None:
    assert [await waits(rates, "a", 1, 3, now=NOW + at) for at in range(3)] == [None] * 3
    assert await waits(rates, "a", 1, 3, now=NOW + 15_000) == 45
    assert await waits(rates, "b", 1, 3, now=NOW + 15_000) is None
    assert await waits(rates, "a", 1, 4, now=NOW + 59_999) is None
    assert await waits(rates, "a", 1, 4, now=NOW + 59_999) == 0.001
    assert await waits(rates, "a", 3, 3, now=NOW + MINUTE) is None


async def test_what_is_refused_is_not_counted(rates: RateStore) -> None:
    assert await waits(rates, "a", 5, 10, now=NOW) is None
    assert await waits(rates, "a", 6, 10, now=NOW) == 60
    assert await waits(rates, "a", 5, 10, now=NOW) is None


async def test_more_than_the_limit_counts_where_it_is_alone(rates: RateStore) -> None:
    assert await waits(rates, "a", 50, 10, now=NOW) is None
    assert await waits(rates, "a", 1, 10, now=NOW) == 60
    assert await waits(rates, "b", 1, 10, now=NOW) is None
    assert await waits(rates, "b", 50, 10, now=NOW) == 60


async def test_an_estimate_is_corrected(rates: RateStore) -> None:
    await waits(rates, "a", 9, 10, now=NOW)
    await rates.adjust("a", -4, now=NOW + 1)
    assert await waits(rates, "a", 6, 10, now=NOW) == 60
    assert await waits(rates, "a", 5, 10, now=NOW) is None
    await rates.adjust("a", 5, now=NOW + 1)
    assert await waits(rates, "a", 1, 15, now=NOW) == 60


async def test_a_count_is_never_less_than_nothing(rates: RateStore) -> None:
    await waits(rates, "a", 3, 10, now=NOW)
    await rates.adjust("a", -8, now=NOW)
    assert await waits(rates, "a", 50, 10, now=NOW) is None, "it is alone"
    assert await waits(rates, "a", 1, 50, now=NOW) == 60


async def test_a_minute_that_is_over_is_let_be(rates: RateStore) -> None:
    await waits(rates, "a", 5, 10, now=NOW)
    await waits(rates, "a", 5, 10, now=NOW + MINUTE)
    await rates.adjust("a", 5, now=NOW + 1)
    await rates.adjust("a", -5, now=NOW + 1)
    assert await waits(rates, "a", 6, 10, now=NOW + MINUTE) == 60
    assert await waits(rates, "a", 5, 10, now=NOW + MINUTE) is None


async def test_many_at_once_are_no_more_than_the_limit(rates: RateStore) -> None:
    done = await asyncio.gather(*(waits(rates, "a", 1, 7, now=NOW) for _ in range(50)))
    assert done.count(None) == 7
