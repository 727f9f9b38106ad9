"""What daehwa shall reach in a run, and how it is read off the results."""

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass

from contestants import BARE, BARE_UVLOOP, DAEHWA, DAEHWA_UVLOOP, NGINX
from lambda_start import USUAL_NAME
from peers import LITELLM, OPEN_WEBUI
from results import Results
from store_acks import AIOSQLITE, RAW

Reading = Callable[[Results, str], float | None]


@dataclass(frozen=True, kw_only=True)
class Goal:
    """One figure that daehwa shall stay below, or above where `more` is better. `read` takes it off for one name."""

    title: str
    read: Reading
    target: float
    moonshot: float | None
    digits: int = 2
    more: bool = False

    def is_reached(self, measured: float, bound: float) -> bool:
        """Whether this is as good as that."""
        return measured >= bound if self.more else measured <= bound

    def verdict(self, measured: float) -> str:
        """Say whether it was reached."""
        if self.moonshot is not None and self.is_reached(measured, self.moonshot):
            return "moonshot"
        return "reached" if self.is_reached(measured, self.target) else "**missed**"

    def bound(self, value: float | None) -> str:
        """Return a bound as it is written."""
        return "–" if value is None else f"{'≥' if self.more else '≤'} {value:,g}"


def value(key: str) -> Reading:
    """Read a median."""
    return lambda results, name: results.median(key, name)


def times(key: str, other: str) -> Reading:
    """Read how many times another's value its own is."""
    return lambda results, name: results.ratio(key, name, other)


def to_relay(key: str) -> Reading:
    """Read how many times the value of the bare relay on the same loop its own is."""
    return lambda results, name: results.ratio(key, name, BARE_UVLOOP if name == DAEHWA_UVLOOP else BARE)


def part_of(key: str, other: str) -> Reading:
    """Read how many times its own value another's is."""
    return lambda results, name: results.ratio(key, other, name)


def least_of(*readings: Reading) -> Reading:
    """Read the least of several that there are: what holds of all of them."""

    def read(results: Results, name: str) -> float | None:
        found = (reading(results, name) for reading in readings)
        return min((value for value in found if value is not None), default=None)

    return read


def last_of(key: str) -> Reading:
    """Read the median at the largest size of a curve."""

    def read(results: Results, name: str) -> float | None:
        points = results.curves[key].points.get(name) if key in results.curves else None
        return statistics.median(points[max(points)]) if points else None

    return read


def growth_of(key: str) -> Reading:
    """Read how many times the median at the smallest size that at the largest is."""

    def read(results: Results, name: str) -> float | None:
        points = results.curves[key].points.get(name) if key in results.curves else None
        return statistics.median(points[max(points)]) / statistics.median(points[min(points)]) if points else None

    return read


def power_of(key: str) -> Reading:
    """Read with which power of the size a curve grows from its smallest to its largest: 0 is flat, 1 linear."""

    def read(results: Results, name: str) -> float | None:
        points, growth = results.curves[key].points.get(name) if key in results.curves else None, growth_of(key)
        grown = growth(results, name)
        return math.log(grown) / math.log(max(points) / min(points)) if points and grown and len(points) > 1 else None

    return read


def _sub_linear(title: str, key: str) -> Goal:
    return Goal(title=title, read=power_of(key), target=0.9, moonshot=0.1)


GOALS = (
    Goal(title="first token added, ms", read=value("first"), target=0.5, moonshot=0.25),
    Goal(title="… LiteLLM's to it", read=part_of("first", LITELLM), target=40, moonshot=75, digits=0, more=True),
    Goal(title="first token added, p99, ms", read=value("first_p99"), target=1.0, moonshot=0.5),
    Goal(title="CPU a chunk, 200 streams, to nginx", read=times("cpu", NGINX), target=1.8, moonshot=1.4),
    Goal(title="CPU a chunk, 200 streams, to the bare relay", read=to_relay("cpu"), target=1.0, moonshot=0.6),
    Goal(title="first token of a stored turn added, ms", read=value("turn_first"), target=2.0, moonshot=None),
    Goal(title="CPU a token of a stored turn, to nginx", read=times("turn_cpu", NGINX), target=1.5, moonshot=1.0),
    Goal(
        title="server's CPU a token of one answer in the page, Open WebUI's to it",
        read=part_of("page_server", OPEN_WEBUI),
        target=40,
        moonshot=None,
        digits=0,
        more=True,
    ),
    Goal(
        title="whole answers a second, to the bare relay",
        read=to_relay("whole"),
        target=0.5,
        moonshot=None,
        more=True,
    ),
    Goal(
        title="CPU a chunk, 10 streams, LiteLLM's to it",
        read=part_of("cpu_few", LITELLM),
        target=20,
        moonshot=30,
        digits=0,
        more=True,
    ),
    Goal(title="checkpoints, CPU a streamed token, µs", read=value("checkpoint_cpu"), target=3, moonshot=1),
    Goal(
        title="durable acknowledgements, to aiosqlite",
        read=times("acks", AIOSQLITE),
        target=10,
        moonshot=None,
        more=True,
    ),
    Goal(title="… to sqlite3, 256 a transaction", read=times("acks", RAW), target=0.5, moonshot=0.9, more=True),
    Goal(
        title="CPU a chunk, 1,000 streams, which fill a processor, to 10",
        read=growth_of("streams_cpu"),
        target=1.2,
        moonshot=1.0,
    ),
    Goal(
        title="search in 100,000 conversations, p95, ms", read=last_of("search_p95"), target=50, moonshot=None, digits=0
    ),
    _sub_linear("the power of their number with which listing conversations grows", "list"),
    _sub_linear("… opening one of them", "open"),
    _sub_linear("… searching them, p95", "search_p95"),
    _sub_linear("the power of its messages' number with which opening a conversation grows", "open_end"),
    Goal(
        title="start on Lambda, alone or with a first request, the usual function's to it",
        read=least_of(part_of("lambda_clock", USUAL_NAME), part_of("lambda_asked_clock", USUAL_NAME)),
        target=5,
        moonshot=9,
        more=True,
        digits=1,
    ),
    Goal(title="first visit, requests", read=value("requests"), target=6, moonshot=None, digits=0),
    Goal(title="… compressed, KB", read=value("weight"), target=80, moonshot=None, digits=0),
    Goal(title="… usable box, ms", read=value("usable"), target=400, moonshot=None, digits=0),
    Goal(
        title="… with the processor slowed 4 times, ms",
        read=value("usable_slowed"),
        target=1000,
        moonshot=None,
        digits=0,
    ),
    Goal(title="streams held", read=value("held"), target=500, moonshot=750, digits=0, more=True),
    Goal(title="memory a stream, KB", read=value("per_stream"), target=20, moonshot=9, digits=1),
    Goal(title="memory idle, MB", read=value("idle"), target=35, moonshot=25, digits=1),
    Goal(title="start to the first 200, ms", read=value("ready"), target=220, moonshot=120, digits=0),
    Goal(
        title="… Open WebUI's to it", read=part_of("ready", OPEN_WEBUI), target=100, moonshot=180, digits=0, more=True
    ),
    Goal(title="installed, MB", read=value("size"), target=20, moonshot=8, digits=1),
)


@dataclass(frozen=True, kw_only=True)
class Limit:
    """What CI holds daehwa to: how many times the bare relay's value its own may be, both of one run."""

    title: str
    key: str
    bound: float
    more: bool = False

    def fault(self, results: Results) -> str | None:
        """Return what is wrong; None where the limit is kept. What was not measured is a fault."""
        ratio = results.ratio(self.key, DAEHWA, BARE)
        if ratio is None:
            return f"{self.title}: not measured"
        is_kept = ratio >= self.bound if self.more else ratio <= self.bound
        wanted = f"{'at least' if self.more else 'at most'} {self.bound:g} is wanted"
        return None if is_kept else f"{self.title}: {ratio:.2f} times the bare relay's, and {wanted}"


# Wide: two to four times of what is measured on a quiet machine, so that only a real loss breaks them.
LIMITS = (
    Limit(title="first token, added to the direct call", key="first", bound=3.0),
    Limit(title="CPU a chunk, 200 streams", key="cpu", bound=2.0),
    Limit(title="whole answers a second", key="whole", bound=0.2, more=True),
)


def faults(results: Results) -> list[str]:
    """Return which limits are broken."""
    return [fault for limit in LIMITS if (fault := limit.fault(results)) is not None]
