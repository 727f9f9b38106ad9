from collections.abc import Iterator

import pytest
from telemetry.calls import a_call
from telemetry.collector import Collector, collecting, values_of

from daehwa.conversation.messages import Usage
from daehwa.conversation.tracing import TRACE_PARENT
from daehwa.settings import SettingsError
from daehwa.settings.telemetry import TelemetrySettings, load_telemetry
from daehwa.telemetry.otel import TOKENS, OpenTelemetry

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collecting() as made:
        monkeypatch.setenv(ENDPOINT, made.address)
        yield made


async def test_a_call_is_a_span_of_the_conventions(collector: Collector) -> None:
    telemetry = OpenTelemetry(version="1.2.3", traces=True, metrics=False)
    telemetry(a_call())
    telemetry(a_call(error="provider_timeout", usage=None, kind="embedding"))
    await telemetry.aclose()

    answered, failed = collector.spans
    assert (answered.name, failed.name) == ("chat gpt-5", "embeddings gpt-5")
    assert answered.kind == 3  # CLIENT
    assert answered.end_time_unix_nano - answered.start_time_unix_nano == 1_500_000_000
    assert values_of(answered.attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-5",
        "gen_ai.response.model": "gpt-5",
        "gen_ai.response.time_to_first_chunk": 0.2,
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 20,
        "gen_ai.usage.cache_read.input_tokens": 40,
        "gen_ai.usage.reasoning.output_tokens": 5,
        "daehwa.call.kind": "chat",
        "daehwa.usage.estimated": False,
        "daehwa.usage.cost_microdollars": 1_500,
    }
    assert failed.status.code == 2  # ERROR
    assert values_of(failed.attributes)["error.type"] == "provider_timeout"
    assert "gen_ai.response.model" not in values_of(failed.attributes)
    assert collector.resources[0]["service.name"] == "daehwa"
    assert collector.resources[0]["service.version"] == "1.2.3"


async def test_a_call_is_measured_by_the_conventions(collector: Collector) -> None:
    telemetry = OpenTelemetry(version="1", traces=False, metrics=True)
    telemetry(a_call())
    telemetry(a_call(usage=Usage(input=9, output=9, estimated=True)))
    await telemetry.aclose()

    assert not collector.spans
    (duration,) = collector.metrics["gen_ai.client.operation.duration"].histogram.data_points
    assert (duration.count, duration.sum) == (2, 3.0)
    assert list(duration.explicit_bounds)[:2] == [0.01, 0.02]
    (first,) = collector.metrics["gen_ai.client.operation.time_to_first_chunk"].histogram.data_points
    assert (first.count, first.sum) == (2, 0.4)
    tokens = {
        values_of(point.attributes)["gen_ai.token.type"]: point
        for point in collector.metrics["gen_ai.client.token.usage"].histogram.data_points
    }
    assert {name: (point.count, point.sum) for name, point in tokens.items()} == {"input": (1, 100), "output": (1, 20)}
    assert tuple(tokens["input"].explicit_bounds) == TOKENS
    assert TOKENS[-1] == 67_108_864


async def test_a_refusal_is_counted_and_is_no_span(collector: Collector) -> None:
    telemetry = OpenTelemetry(version="1", traces=True, metrics=True)
    for _ in range(2):
        telemetry.refused("program", "key_unknown")
    await telemetry.aclose()

    assert not collector.spans
    (point,) = collector.metrics["daehwa.refusals"].sum.data_points
    assert values_of(point.attributes) == {"daehwa.asked_by": "program", "error.type": "key_unknown"}
    assert point.as_int == 2


async def test_a_request_with_a_trace_of_its_own_goes_on_in_it(collector: Collector) -> None:
    telemetry = OpenTelemetry(version="1", traces=True, metrics=False)
    token = TRACE_PARENT.set("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    telemetry(a_call())
    TRACE_PARENT.set("nonsense")
    telemetry(a_call())
    TRACE_PARENT.reset(token)
    await telemetry.aclose()

    within, alone = collector.spans
    assert within.trace_id.hex() == "0af7651916cd43dd8448eb211c80319c"
    assert within.parent_span_id.hex() == "b7ad6b7169203331"
    assert alone.trace_id != within.trace_id
    assert not alone.parent_span_id


async def test_nobody_is_named(collector: Collector) -> None:
    telemetry = OpenTelemetry(version="1", traces=True, metrics=True)
    telemetry(a_call())
    await telemetry.aclose()

    assert collector.bodies
    assert not any(b"somebody" in body or b"their-key" in body for body in collector.bodies)


async def test_the_name_of_the_service_is_the_environments(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "our-chat")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    telemetry = OpenTelemetry(version="1", traces=True, metrics=False)
    telemetry(a_call())
    await telemetry.aclose()

    assert collector.resources[0]["service.name"] == "our-chat"
    assert collector.resources[0]["deployment.environment.name"] == "test"


@pytest.mark.parametrize(
    ("environment", "traces", "metrics"),
    [
        ({}, False, False),
        ({ENDPOINT: "http://127.0.0.1:4318"}, True, True),
        ({ENDPOINT: "http://127.0.0.1:4318", "OTEL_METRICS_EXPORTER": "none"}, True, False),
        ({ENDPOINT: "http://127.0.0.1:4318", "OTEL_SDK_DISABLED": "true"}, False, False),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True, False),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://127.0.0.1:4318/v1/metrics"}, False, True),
    ],
)
def test_the_standard_variables_ask_for_it(environment: dict[str, str], *, traces: bool, metrics: bool) -> None:
    assert load_telemetry(environment) == TelemetrySettings(traces=traces, metrics=metrics)


@pytest.mark.parametrize(
    "environment",
    [
        {"OTEL_TRACES_EXPORTER": "zipkin"},
        {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
        {ENDPOINT: "http://127.0.0.1:4318", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "http/json"},
    ],
)
def test_what_cannot_be_done_is_said(environment: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="OTEL_"):
        load_telemetry(environment)
