"""What does the Lambda Web Adapter add to an answer, and how much memory does it take?

The real adapter (cargo builds it the first time) before a small application under uvicorn, in the tests' double of
Lambda. The same application is asked directly in the same run. Then how late the chunks of a stream arrive.
`python benchmarks/lambda_hop.py [requests]`.
"""

import asyncio
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from statistics import median, quantiles

import aiohttp

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from lambda_bed.deployed import ADAPTER, VERSION, built_layer, lay_out_echo  # noqa: E402 - found by the path set above
from lambda_bed.environment import Code  # noqa: E402 - found by the path set above
from lambda_bed.events import event, request  # noqa: E402 - found by the path set above
from lambda_bed.function import Function  # noqa: E402 - found by the path set above
from lambda_bed.runtime_api import RuntimeApi  # noqa: E402 - found by the path set above

PAUSE_S = 0.01
PACES_S = (0.005, 0.02, 0.05)
CHUNKS = 60


async def through_adapter(function: Function, requests: int) -> list[float]:
    """Return milliseconds from the event to the first payload of its answer."""
    taken = []
    for _ in range(requests):
        invocation = await function.invoke(event(request("GET", "/hello")))
        await invocation.body()
        taken.append((invocation.chunks[0].at - invocation.began) * 1000)
        await asyncio.sleep(PAUSE_S)
    return taken


async def direct(function: Function, requests: int) -> list[float]:
    """Return milliseconds of the same, asked without the adapter over a kept connection."""
    environment = function.environments[-1]
    environment.thaw()
    taken = []
    async with aiohttp.ClientSession(f"http://127.0.0.1:{environment.port}") as client:
        for _ in range(requests):
            began = time.monotonic()
            async with client.get("/hello") as answer:
                await answer.content.readany()
            taken.append((time.monotonic() - began) * 1000)
            await asyncio.sleep(PAUSE_S)
    environment.freeze()
    return taken


async def lateness(function: Function, pace: float) -> float:
    """Return how many milliseconds more than the pace lie between two chunks, in the median."""
    invocation = await function.invoke(event(request("GET", f"/stream?pieces={CHUNKS}&pause={pace}&size=100")))
    await invocation.body()
    times = [chunk.at for chunk in invocation.chunks]
    return (median(later - earlier for earlier, later in pairwise(times)) - pace) * 1000


def show(name: str, taken: list[float]) -> None:
    """Print one line of figures."""
    print(f"{name:<46} median {median(taken):6.1f} ms   p99 {quantiles(taken, n=100)[98]:6.1f} ms")


async def main(requests: int) -> None:
    """Measure and print."""
    print(f"Lambda Web Adapter {VERSION}, {requests} requests each")
    found: dict[str, float] = {}
    for at_once in (False, True):
        RuntimeApi.acknowledges_at_once = at_once
        with tempfile.TemporaryDirectory() as folder:
            task = lay_out_echo(Path(folder) / "task")
            async with Function(Code(task, built_layer(), ADAPTER), Path(folder)) as function:
                await through_adapter(function, 10)
                if not at_once:
                    show("asked directly", await direct(function, requests))
                receiver = "acknowledges at once" if at_once else "acknowledges as Linux does"
                show(f"by the adapter, Lambda {receiver}", await through_adapter(function, requests))
                for pace in PACES_S:
                    late = await lateness(function, pace)
                    print(f"  a chunk each {pace * 1000:.0f} ms: {late:.1f} ms more between two of them")
                found = function.environments[-1].memory_mb()
    print("memory at its peak: " + ", ".join(f"{name} {mb:.1f} MB" for name, mb in found.items()))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 200))
