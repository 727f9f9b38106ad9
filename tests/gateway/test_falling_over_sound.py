"""A speech that one upstream cannot give, over real sockets: who gives it, and where sound has no place."""

import asyncio

import msgspec
import pytest
from gateway.bed import OWNER
from gateway.two import GOOD, OVERLOADED, SLOW, Two, whole
from upstream import CUT, Answer, FakeUpstream, error

from daehwa.accounts.keys import Caller
from daehwa.conversation.errors import (
    ProviderMalformedError,
)
from daehwa.gateway.answers import StreamedAnswer
from daehwa.gateway.asking import JsonAsked
from daehwa.gateway.undecided import UndecidedAnswer

SOUND = {"content-type": "audio/mpeg"}
SPEECH = msgspec.json.encode({"model": "fast", "input": "Hello", "voice": "coral"})


@pytest.mark.parametrize(
    "bad",
    [
        error(503),
        error(402),
        Answer([CUT], 200, SOUND),
        Answer([5.0], 200, SOUND),
        Answer([b'{"error": {"message": "Overloaded."}}'], 200, {"content-type": "application/json"}),
    ],
    ids=["503", "402", "cut before it began", "silent", "answers by an error"],
)
async def test_who_cannot_speak_is_followed_by_who_can(bad: Answer) -> None:
    good = Answer([b"ID3", 0.02, b"\n\ndata: sound"], 200, SOUND)
    async with FakeUpstream(bad) as first, FakeUpstream(good) as second, Two(first, second) as two:
        answer = await two.gateway.ask(Caller(user=OWNER), JsonAsked("audio/speech", SPEECH))
        assert await whole(answer) == b"ID3\n\ndata: sound"
        assert [call.model for call in two.meter.calls] == ["one/gpt-test", "two/gpt-test"]
        assert two.meter.outcomes[-1].usage is not None


async def test_sound_is_handed_on_with_its_first_byte() -> None:
    never = asyncio.Event()
    said = Answer([b"I", never], 200, SOUND)
    async with FakeUpstream(said) as first, FakeUpstream(GOOD) as second, Two(first, second) as two:
        answer = await two.gateway.ask(Caller(user=OWNER), JsonAsked("audio/speech", SPEECH))
        assert isinstance(answer, StreamedAnswer)
        assert await answer.read() == b"I"
        await answer.aclose()
        assert second.turns == []
        (outcome,) = two.meter.outcomes
        assert outcome.usage is not None
        assert (outcome.usage.estimated, outcome.usage.output) == (True, 7)


async def test_sound_does_not_go_on_in_a_stream_of_events() -> None:
    never = asyncio.Event()
    async with (
        FakeUpstream(Answer([*SLOW, OVERLOADED])) as first,
        FakeUpstream(Answer([b"ID3", never], 200, SOUND)) as second,
        Two(first, second) as two,
    ):
        answer = await two.gateway.ask(Caller(user=OWNER), JsonAsked("audio/speech", SPEECH))
        assert isinstance(answer, UndecidedAnswer)
        with pytest.raises(ProviderMalformedError, match="no stream of events"):
            await whole(answer)
        assert [state.calls for state in two.catalogue.upstreams()] == [0, 0]
        assert two.meter.outcomes[-1].usage is not None  # it was at work
