"""The text that Prometheus reads, made of counts when it is asked for; the library is imported then, not before."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import msgspec

from daehwa.conversation.upstreams import UpstreamState
from daehwa.telemetry.counts import SECONDS, CallCounts, Labels, Refused, Tally, Times

if TYPE_CHECKING:
    from prometheus_client.registry import CollectorRegistry

TEXT = "text/plain; version=0.0.4; charset=utf-8"
"""The type of the text."""
_CIRCUITS = ("closed", "half_open", "open")
_TOKENS = ("input", "cached", "output", "reasoning")


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of one moment."""

    version: str
    tallies: Mapping[Labels, Tally]
    refusals: Mapping[Refused, int]
    turns: int
    requests: int
    upstreams: Sequence[UpstreamState]


class Exposition:
    """Tells Prometheus how it goes. `turns` counts the running ones; `upstreams` says how each provider fares."""

    def __init__(
        self,
        counts: CallCounts,
        *,
        version: str,
        turns: Callable[[], int],
        upstreams: Callable[[], Sequence[UpstreamState]],
    ) -> None:
        self._counts = counts
        self._version = version
        self._turns = turns
        self._upstreams = upstreams
        self._process: CollectorRegistry | None = None

    async def text(self, *, requests: int) -> bytes:
        """Return the text; `requests` are being answered now. It is written in a thread: nobody's stream waits."""
        moment = Moment(
            version=self._version,
            tallies=self._counts.snapshot(),
            refusals=self._counts.refusals(),
            turns=self._turns(),
            requests=requests,
            upstreams=tuple(self._upstreams()),
        )
        return await asyncio.to_thread(self._written, moment)

    def _written(self, moment: Moment) -> bytes:
        from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest  # noqa: PLC0415 - 0.1 s

        if self._process is None:
            self._process = CollectorRegistry()
            ProcessCollector(registry=self._process)
        registry = CollectorRegistry()
        registry.register(_Told(moment))
        return bytes(generate_latest(registry)) + bytes(generate_latest(self._process))


class _Told:
    """A collector, as the library calls it, of one moment."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def collect(self) -> Iterator[Any]:
        """Yield every family of numbers."""
        yield from _of_process(self._moment)
        yield from _of_calls(self._moment.tallies)
        yield _of_refusals(self._moment.refusals)
        yield from _of_upstreams(self._moment.upstreams)


def _of_process(moment: Moment) -> Iterator[Any]:
    from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily  # noqa: PLC0415 - see above

    yield InfoMetricFamily("daehwa", "This program.", value={"version": moment.version})
    yield GaugeMetricFamily("daehwa_turns_running", "Answers that are being made in the page.", value=moment.turns)
    yield GaugeMetricFamily(
        "daehwa_requests_open", "HTTP requests that are being answered, streams among them.", value=moment.requests
    )


def _of_calls(tallies: Mapping[Labels, Tally]) -> Iterator[Any]:
    from prometheus_client.core import CounterMetricFamily  # noqa: PLC0415 - see above

    names = Labels._fields
    calls = CounterMetricFamily("daehwa_calls", "Calls of models that have ended.", labels=names)
    tokens = CounterMetricFamily(
        "daehwa_tokens",
        "Tokens of calls: cached is a part of input, reasoning one of output.",
        labels=(*names, "tokens"),
    )
    cost = CounterMetricFamily("daehwa_cost_microdollars", "What calls cost, in millionths of a dollar.", labels=names)
    unpriced = CounterMetricFamily("daehwa_unpriced_calls", "Calls whose price nobody knows.", labels=names)
    for labels, tally in tallies.items():
        calls.add_metric(labels, tally.calls)
        cost.add_metric(labels, tally.cost)
        unpriced.add_metric(labels, tally.unpriced)
        for name in _TOKENS:
            tokens.add_metric((*labels, name), getattr(tally, name))
    yield from (calls, tokens, cost, unpriced)
    durations = ((labels, tally.duration) for labels, tally in tallies.items())
    yield _times("daehwa_call_duration_seconds", "How long calls took.", durations)
    firsts = ((labels, tally.first) for labels, tally in tallies.items() if any(tally.first.classes))
    yield _times("daehwa_call_first_content_seconds", "How long it was until the first content came.", firsts)


def _of_refusals(refusals: Mapping[Refused, int]) -> Any:
    from prometheus_client.core import CounterMetricFamily  # noqa: PLC0415 - see above

    family = CounterMetricFamily("daehwa_refusals", "Calls that were refused, and not made.", labels=Refused._fields)
    for refused, count in refusals.items():
        family.add_metric(refused, count)
    return family


def _times(name: str, meaning: str, of: Iterator[tuple[Labels, Times]]) -> Any:
    from prometheus_client.core import HistogramMetricFamily  # noqa: PLC0415 - see above

    family = HistogramMetricFamily(name, meaning, labels=Labels._fields)
    bounds = [*(str(bound) for bound in SECONDS), "+Inf"]
    for labels, times in of:
        family.add_metric(labels, list(zip(bounds, accumulate(times.classes), strict=True)), times.sum)
    return family


def _of_upstreams(upstreams: Sequence[UpstreamState]) -> Iterator[Any]:
    from prometheus_client.core import GaugeMetricFamily  # noqa: PLC0415 - see above

    circuit = GaugeMetricFamily(
        "daehwa_upstream_circuit", "1 for the state that a provider's circuit is in.", labels=("provider", "state")
    )
    calls = GaugeMetricFamily("daehwa_upstream_calls", "Calls that are under way.", labels=("provider",))
    waiting = GaugeMetricFamily("daehwa_upstream_waiting", "Calls that wait for a place.", labels=("provider",))
    failures = GaugeMetricFamily("daehwa_upstream_failures", "Calls in a row that failed.", labels=("provider",))
    for upstream in upstreams:
        of = (upstream.provider,)
        calls.add_metric(of, upstream.calls)
        waiting.add_metric(of, upstream.waiting)
        failures.add_metric(of, upstream.failures)
        for state in _CIRCUITS:
            circuit.add_metric((*of, state), upstream.circuit == state)
    yield from (circuit, calls, waiting, failures)
