"""What counts for the circuit of an upstream asked in OpenAI's own dialect: streams that end too early do."""

import asyncio

import pytest
from providers.conftest import Connect
from providers.test_wire_target import Full, asked, target_of, whole
from upstream import CUT, Answer, FakeUpstream, error, stream

from daehwa.conversation.errors import ProviderCutError, ProviderUnavailableError
from daehwa.providers.gate import FAILURES


async def test_a_probe_whose_head_is_an_error_lets_nobody_in(connect: Connect) -> None:
    said = asyncio.Event()
    down = error(503, "Down.")
    async with FakeUpstream(*[down] * FAILURES, Answer([b"{", said, b"}"], 503, down.headers)) as upstream:
        provider = connect(upstream.base_url)
        target = await target_of(provider)
        for _ in range(FAILURES):
            (await target.send(asked())).close()
        gate = provider.upstream_gate
        since, failures = gate.state().since, gate.state().failures
        await asyncio.sleep(gate.state().again or 0)
        probe = asyncio.ensure_future(target.send(asked()))
        async with asyncio.timeout(30):
            while len(upstream.turns) <= FAILURES:  # noqa: ASYNC110 - what has come sets no event
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)  # its head comes, and of its body no end
        assert (gate.state().circuit, gate.state().failures) == ("half_open", failures)
        with pytest.raises(ProviderUnavailableError):
            await target.send(asked())
        said.set()
        assert (await probe).status == 503
        assert (gate.state().circuit, gate.state().since, len(upstream.turns)) == ("open", since, FAILURES + 1)


NOTHING = [Answer([]), Answer([], framing="close"), Answer([CUT])]


@pytest.mark.parametrize("nothing", NOTHING, ids=["empty", "closed", "cut"])
@pytest.mark.parametrize("forwards", [False, True])
async def test_an_upstream_whose_streams_end_before_they_begin_is_not_asked_for_a_while(
    connect: Connect, nothing: Answer, *, forwards: bool
) -> None:
    async with FakeUpstream(nothing) as upstream:
        provider = connect(upstream.base_url)
        target = await target_of(provider)
        for _ in range(FAILURES):
            assert not provider.upstream_gate.is_open
            answer = await target.send(asked())
            with pytest.raises(ProviderCutError):
                await (answer.forward(Full()) if forwards else answer.read())
            answer.close()
        assert provider.upstream_gate.is_open


@pytest.mark.parametrize("forwards", [False, True])
async def test_an_answer_that_breaks_off_later_has_come_to_something(connect: Connect, *, forwards: bool) -> None:
    async with FakeUpstream(Answer([*stream("Hello")[:2], 0.01, CUT])) as upstream:
        provider = connect(upstream.base_url)
        target = await target_of(provider)
        for _ in range(FAILURES + 1):
            answer = await target.send(asked())
            with pytest.raises(ProviderCutError):
                await (answer.forward(Full()) if forwards else whole(answer))
            answer.close()
        assert provider.upstream_gate.state().failures == 0


async def test_an_empty_answer_that_is_no_stream_is_one(connect: Connect) -> None:
    async with FakeUpstream(Answer([], headers={"content-type": "text/plain"})) as upstream:
        provider = connect(upstream.base_url)
        for _ in range(FAILURES + 1):
            assert await whole(await (await target_of(provider)).send(asked())) == b""
        assert provider.upstream_gate.state().failures == 0


@pytest.mark.parametrize("status", [409, 424, 498])
async def test_what_a_caller_can_bring_about_keeps_nobody_else_from_asking(connect: Connect, status: int) -> None:
    async with FakeUpstream(error(status, "The server of your tool is not there.")) as upstream:
        provider = connect(upstream.base_url)
        target = await target_of(provider)
        for _ in range(FAILURES + 1):
            assert (await target.send(asked())).status == status
        assert not provider.upstream_gate.is_open
