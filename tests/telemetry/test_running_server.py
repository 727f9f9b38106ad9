"""A server that runs, as whoever watches over it sees it: Prometheus, and a collector of OpenTelemetry's."""

from pathlib import Path

import aiohttp
import pytest
from cli.conftest import Program
from telemetry.collector import collecting, values_of
from upstream import Answer, FakeUpstream, stream

from daehwa.conversation.ids import new_id

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


async def _ask_both_ways(address: str) -> str:
    """Ask in the page and by /v1; return what Prometheus is told then."""
    message = {"id": new_id(), "parent": None, "parts": [{"type": "text", "text": "a secret question"}]}
    turn = {"conversation": new_id(), "reply": new_id(), "message": message}
    call = {"model": "gpt-test", "messages": [{"role": "user", "content": "a secret question"}], "stream": True}
    headers = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
    async with aiohttp.ClientSession(address, headers=headers) as client:
        for path, body in (("/api/turns", turn), ("/v1/chat/completions", call)):
            async with client.post(path, json=body) as answer:
                assert answer.status == 200, await answer.text()
                await answer.read()
        async with client.get("/metrics") as told:
            assert told.status == 200
            return await told.text()


async def test_calls_of_the_page_and_of_programs_are_told(program: Program) -> None:
    with collecting() as collector:
        said = stream("a secret answer")
        answers = [Answer(said) for _ in range(4)]
        environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.address, "DAEHWA_TITLES": "false"}
        async with (
            FakeUpstream(*answers) as upstream,
            program.serving("--no-open", OPENAI_BASE_URL=upstream.base_url, **environment) as server,
        ):
            text = await _ask_both_ways(server.address.rstrip("/"))
            ended = await server.end()

    assert ended.code == 0, ended.err
    for kind in ("turn", "chat"):
        labels = f'kind="{kind}",model="openai/gpt-test",outcome="ok"'
        assert f"daehwa_calls_total{{{labels}}} 1.0" in text, text
    assert 'daehwa_upstream_circuit{provider="openai",state="closed"} 1.0' in text
    assert sorted(values_of(span.attributes)["daehwa.call.kind"] for span in collector.spans) == ["chat", "turn"]
    assert {span.trace_id.hex() for span in collector.spans} == {TRACE}
    assert "gen_ai.client.operation.duration" in collector.metrics
    assert not any(b"secret" in body for body in collector.bodies)
    assert "secret" not in text
