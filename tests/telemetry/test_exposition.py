import subprocess
import sys
from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from telemetry.calls import a_call

from daehwa.conversation.messages import Usage
from daehwa.conversation.upstreams import UpstreamState
from daehwa.telemetry.counts import MOST_SETS, CallCounts
from daehwa.telemetry.exposition import Exposition

UPSTREAM = UpstreamState(
    provider="openai", circuit="open", failures=3, since=0, again=2.5, calls=7, waiting=1, max_concurrent=8
)


def _exposition(counts: CallCounts) -> Exposition:
    return Exposition(counts, version="1.2.3", turns=lambda: 2, upstreams=lambda: [UPSTREAM])


async def _told(counts: CallCounts) -> dict[tuple[str, ...], float]:
    """Read the text as Prometheus does: by name and labels."""
    text = (await _exposition(counts).text(requests=4)).decode()
    families: Any = text_string_to_metric_families(text)
    return {
        (sample.name, *(f"{name}={value}" for name, value in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


async def test_calls_are_told_by_model_kind_and_outcome() -> None:
    counts = CallCounts()
    for _ in range(3):
        counts(a_call())
    counts(a_call(error="provider_timeout", usage=None, kind="turn"))
    counts(a_call(usage=Usage(input=7, output=1)))

    told = await _told(counts)

    ok = ("kind=chat", "model=openai/gpt-5", "outcome=ok")
    failed = ("kind=turn", "model=openai/gpt-5", "outcome=provider_timeout")
    assert told["daehwa_calls_total", *ok] == 4
    assert told["daehwa_calls_total", *failed] == 1
    assert told["daehwa_tokens_total", *ok, "tokens=input"] == 307
    assert told["daehwa_tokens_total", *ok, "tokens=cached"] == 120
    assert told["daehwa_tokens_total", *ok, "tokens=output"] == 61
    assert told["daehwa_tokens_total", *ok, "tokens=reasoning"] == 15
    assert told["daehwa_cost_microdollars_total", *ok] == 4_500
    assert told["daehwa_unpriced_calls_total", *ok] == 1
    assert told["daehwa_unpriced_calls_total", *failed] == 0


async def test_refusals_are_told_by_who_asked_and_why() -> None:
    counts = CallCounts()
    for _ in range(2):
        counts.refused("program", "budget_exceeded")
    counts.refused("page", "circuit_open")

    told = await _told(counts)

    assert told["daehwa_refusals_total", "asked_by=program", "reason=budget_exceeded"] == 2
    assert told["daehwa_refusals_total", "asked_by=page", "reason=circuit_open"] == 1


async def test_times_are_told_in_classes_that_add_up() -> None:
    counts = CallCounts()
    counts(a_call())
    counts(a_call())

    told = await _told(counts)

    of = ("kind=chat", "le=1.28", "model=openai/gpt-5", "outcome=ok")
    assert told["daehwa_call_duration_seconds_bucket", *of] == 0
    of = ("kind=chat", "le=2.56", "model=openai/gpt-5", "outcome=ok")
    assert told["daehwa_call_duration_seconds_bucket", *of] == 2
    whole = ("kind=chat", "model=openai/gpt-5", "outcome=ok")
    assert told["daehwa_call_duration_seconds_sum", *whole] == 3.0
    assert told["daehwa_call_duration_seconds_count", *whole] == 2
    assert told["daehwa_call_first_content_seconds_sum", *whole] == 0.4


async def test_what_runs_now_is_told() -> None:
    told = await _told(CallCounts())

    assert told["daehwa_info", "version=1.2.3"] == 1
    assert told["daehwa_turns_running",] == 2
    assert told["daehwa_requests_open",] == 4
    assert told["daehwa_upstream_circuit", "provider=openai", "state=open"] == 1
    assert told["daehwa_upstream_circuit", "provider=openai", "state=closed"] == 0
    assert told["daehwa_upstream_calls", "provider=openai"] == 7
    assert told["daehwa_upstream_waiting", "provider=openai"] == 1
    assert told["daehwa_upstream_failures", "provider=openai"] == 3
    if sys.platform == "linux":
        assert told["process_resident_memory_bytes",] > 1_000_000


async def test_who_asked_is_never_told_and_a_name_breaks_no_line() -> None:
    counts = CallCounts()
    counts(a_call(model='work/odd"name\nmodel'))

    text = (await _exposition(counts).text(requests=0)).decode()

    assert "somebody" not in text
    assert "their-key" not in text
    told = await _told(counts)
    assert told["daehwa_calls_total", "kind=chat", 'model=work/odd"name\nmodel', "outcome=ok"] == 1


async def test_names_without_end_are_told_as_others() -> None:
    counts = CallCounts()
    for number in range(MOST_SETS + 100):
        counts(a_call(model=f"work/{number}"))

    told = await _told(counts)

    assert told["daehwa_calls_total", "kind=other", "model=other", "outcome=other"] == 100
    assert sum(value for name, value in told.items() if name[0] == "daehwa_calls_total") == MOST_SETS + 100
    assert len(counts.snapshot()) == MOST_SETS + 1


def test_the_library_is_imported_when_somebody_asks() -> None:
    code = (
        "import sys, daehwa.telemetry.exposition, daehwa.telemetry.counts, daehwa.telemetry.otel\n"
        "print([name for name in sys.modules if name.startswith(('prometheus', 'opentelemetry'))])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - ours
    assert ran.stdout.strip() == "[]"
