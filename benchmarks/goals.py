"""What daehwa shall reach in a run, and how it is read off the results."""

from collections.abc import Callable
from dataclasses import dataclass

from contestants import BARE, NGINX
from peers import LITELLM, OPEN_WEBUI
from results import Results

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


def part_of(key: str, other: str) -> Reading:
    """Read how many times its own value another's is."""
    return lambda results, name: results.ratio(key, other, name)


GOALS = (
    Goal(title="first token added, ms", read=value("first"), target=0.5, moonshot=0.25),
    Goal(title="… LiteLLM's to it", read=part_of("first", LITELLM), target=40, moonshot=75, digits=0, more=True),
    Goal(title="first token added, p99, ms", read=value("first_p99"), target=1.0, moonshot=0.5),
    Goal(title="CPU a chunk, 200 streams, to nginx", read=times("cpu", NGINX), target=1.8, moonshot=1.4),
    Goal(title="CPU a chunk, 200 streams, to the bare relay", read=times("cpu", BARE), target=1.0, moonshot=0.6),
    Goal(title="CPU a token of a stored turn, to nginx", read=times("turn_cpu", NGINX), target=1.5, moonshot=1.0),
    Goal(
        title="CPU a chunk, 10 streams, LiteLLM's to it",
        read=part_of("cpu_few", LITELLM),
        target=20,
        moonshot=30,
        digits=0,
        more=True,
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
