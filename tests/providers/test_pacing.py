"""The beat that all streams share."""

import asyncio

from daehwa.providers.pacing import Beat


async def test_all_who_wait_are_woken_together_and_no_timer_runs_while_nobody_waits() -> None:
    loop = asyncio.get_running_loop()
    beat = Beat(0.02)
    woken: list[float] = []

    async def wait() -> None:
        await beat.wait()
        woken.append(loop.time())

    began = loop.time()
    first = asyncio.ensure_future(wait())
    await asyncio.sleep(0.01)
    second = asyncio.ensure_future(wait())
    await asyncio.gather(first, second)
    assert woken[1] - woken[0] < 0.005
    assert woken[0] - began >= 0.019
    assert beat._waiting == []


async def test_the_more_wait_the_longer_is_the_next_beat_to_an_end() -> None:
    beat = Beat(0.01, 0.03)
    lengths = []
    for streams in (1, 5, 1000, 1):
        await asyncio.gather(*(beat.wait() for _ in range(streams)))
        lengths.append(round(beat.seconds, 6))
    assert lengths == [0.011, 0.015, 0.03, 0.011]


async def test_a_longer_beat_is_waited_for() -> None:
    beat = Beat(0.001, 0.05)
    await asyncio.gather(*(beat.wait() for _ in range(100)))
    began = asyncio.get_running_loop().time()
    await beat.wait()
    assert asyncio.get_running_loop().time() - began >= 0.049


async def test_one_who_gives_up_does_not_disturb_the_others() -> None:
    beat = Beat(0.01)
    leaver = asyncio.ensure_future(beat.wait())
    stayer = asyncio.ensure_future(beat.wait())
    await asyncio.sleep(0)
    leaver.cancel()
    await stayer
    assert leaver.cancelled()
