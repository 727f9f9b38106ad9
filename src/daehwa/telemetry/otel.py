"""Sends traces and metrics by OTLP over HTTP, under the names of OpenTelemetry's conventions for generative AI.

A call is told of once it has ended, with the times that it had: nothing is done while it runs. What is told is numbers,
names of models and types of errors; no text, no user, no key.
"""

import asyncio
import logging
from typing import Any

from daehwa.conversation.metering import AskedBy, CallEnded, CallKind
from daehwa.conversation.tracing import TRACE_PARENT
from daehwa.telemetry.counts import SECONDS

SCOPE = "daehwa"
TOKENS = tuple(4**power for power in range(14))
"""The conventions' classes of numbers of tokens: 1 to 67,108,864."""
OPERATIONS: dict[CallKind, str] = {
    "turn": "chat",
    "title": "chat",
    "chat": "chat",
    "response": "chat",
    "completion": "text_completion",
    "embedding": "embeddings",
    "audio": "transcription",
    "image": "image_generation",
    "speech": "speech",
    "moderation": "moderation",
}
"""What the conventions call a kind of call; the last four are not among their words yet."""
FLUSH_SECONDS = 3.0
"""How long the end of the program waits for what is still to be sent."""


class OpenTelemetry:
    """An observer of the meter's, that hands on each call to OpenTelemetry. Raises `ImportError` without the extra."""

    def __init__(self, *, version: str, traces: bool, metrics: bool) -> None:
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - of an extra, and slow to import

        # What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say comes before what is said here.
        resource = Resource({"service.name": "daehwa", "service.version": version}).merge(_said())
        self._closing: list[Any] = []
        self._spans = _Spans(resource, self._closing, version) if traces else None
        self._numbers = _Numbers(resource, self._closing, version) if metrics else None
        logging.getLogger("opentelemetry").setLevel(logging.ERROR)

    def __call__(self, ended: CallEnded) -> None:
        """Tell of a call that has ended."""
        attributes = _attributes(ended)
        if self._spans is not None:
            self._spans.add(ended, attributes)
        if self._numbers is not None:
            self._numbers.add(ended, attributes)

    def refused(self, by: AskedBy, reason: str) -> None:
        """Tell of a call that was not made. There is no span: nothing was asked, and anybody may ask without end."""
        if self._numbers is not None:
            self._numbers.add_refusal(by, reason)

    async def aclose(self) -> None:
        """Send what is left, within a few seconds."""
        await asyncio.gather(*(asyncio.to_thread(self._close, provider) for provider in self._closing))

    @staticmethod
    def _close(provider: Any) -> None:
        provider.force_flush(int(FLUSH_SECONDS * 1000))
        provider.shutdown()


class _Spans:
    def __init__(self, resource: Any, closing: list[Any], version: str) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - see above
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - see above
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - see above
        from opentelemetry.trace import SpanKind, Status, StatusCode  # noqa: PLC0415 - see above
        from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415 - see above
            TraceContextTextMapPropagator,
        )

        provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        closing.append(provider)
        self._tracer = provider.get_tracer(SCOPE, version)
        self._client = SpanKind.CLIENT
        self._failed = Status(StatusCode.ERROR)
        self._propagator = TraceContextTextMapPropagator()

    def add(self, ended: CallEnded, attributes: dict[str, Any]) -> None:
        parent = TRACE_PARENT.get()
        span = self._tracer.start_span(
            f"{attributes['gen_ai.operation.name']} {attributes['gen_ai.request.model']}",
            context=None if parent is None else self._propagator.extract({"traceparent": parent}),
            kind=self._client,
            attributes=attributes | _counted(ended),
            start_time=ended.began * 1_000_000,
        )
        if ended.outcome.error is not None:
            span.set_status(self._failed)
        span.end(max(ended.began, ended.ended) * 1_000_000)


class _Numbers:
    def __init__(self, resource: Any, closing: list[Any], version: str) -> None:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import (  # noqa: PLC0415 - see above
            OTLPMetricExporter,
        )
        from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415 - see above
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader  # noqa: PLC0415 - see above

        reader = PeriodicExportingMetricReader(OTLPMetricExporter())
        provider = MeterProvider([reader], resource=resource, shutdown_on_exit=False)
        closing.append(provider)
        meter = provider.get_meter(SCOPE, version)
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            unit="{token}",
            description="Number of input and output tokens used.",
            explicit_bucket_boundaries_advisory=TOKENS,
        )
        self._duration, self._first = (
            meter.create_histogram(name, unit="s", description=description, explicit_bucket_boundaries_advisory=SECONDS)
            for name, description in (
                ("gen_ai.client.operation.duration", "GenAI operation duration."),
                ("gen_ai.client.operation.time_to_first_chunk", "Time to receive the first chunk."),
            )
        )

        self._refusals = meter.create_counter(
            "daehwa.refusals", unit="{call}", description="Calls that were refused, and not made."
        )

    def add_refusal(self, by: AskedBy, reason: str) -> None:
        self._refusals.add(1, {"daehwa.asked_by": by, "error.type": reason})

    def add(self, ended: CallEnded, attributes: dict[str, Any]) -> None:
        self._duration.record(max(0, ended.ended - ended.began) / 1000, attributes)
        if ended.outcome.first_ms is not None:
            self._first.record(max(0.0, ended.outcome.first_ms) / 1000, attributes)
        # The conventions want those numbers alone that somebody has counted.
        if ended.usage is not None and not ended.usage.estimated:
            self._tokens.record(ended.usage.input, attributes | {"gen_ai.token.type": "input"})
            self._tokens.record(ended.usage.output, attributes | {"gen_ai.token.type": "output"})


def _said() -> Any:
    """Return what the environment says of this program, and the library of itself."""
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - see above

    said = Resource.create()
    if not str(said.attributes.get("service.name", "")).startswith("unknown_service"):
        return said
    return Resource({name: value for name, value in said.attributes.items() if name != "service.name"})


def _attributes(ended: CallEnded) -> dict[str, Any]:
    """Return what both spans and numbers are told apart by."""
    call, outcome = ended.call, ended.outcome
    _, _, asked = call.model.partition("/")
    provider, _, answered = (outcome.model or call.model).partition("/")
    attributes = {
        "gen_ai.operation.name": OPERATIONS[call.kind],
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": asked,
    }
    if outcome.error is not None:
        attributes["error.type"] = outcome.error
    else:
        attributes["gen_ai.response.model"] = answered
    return attributes


def _counted(ended: CallEnded) -> dict[str, Any]:
    """Return what only a span is told: the numbers of one call."""
    usage, first = ended.usage, ended.outcome.first_ms
    told: dict[str, Any] = {"daehwa.call.kind": ended.call.kind}
    if first is not None:
        told["gen_ai.response.time_to_first_chunk"] = first / 1000
    if usage is not None:
        told["gen_ai.usage.input_tokens"] = usage.input
        told["gen_ai.usage.output_tokens"] = usage.output
        told["gen_ai.usage.cache_read.input_tokens"] = usage.cached
        told["gen_ai.usage.reasoning.output_tokens"] = usage.reasoning
        told["daehwa.usage.estimated"] = usage.estimated
        if usage.cost is not None:
            told["daehwa.usage.cost_microdollars"] = usage.cost
    return told
