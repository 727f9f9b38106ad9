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


async def test_one_who_gives_up_does_not_disturb_the_others() -> None:
    beat = Beat(0.01)
    leaver = asyncio.ensure_future(beat.wait())
    stayer = asyncio.ensure_future(beat.wait())
    await asyncio.sleep(0)
    leaver.cancel()
    await stayer
    assert leaver.cancelled()
