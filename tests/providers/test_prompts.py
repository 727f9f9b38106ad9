"""Models that go on with a prompt: the transcript as a prompt, and turns over a real socket."""

import pytest
from providers.conftest import Connect
from providers.contract import all_events, question, said
from upstream import DONE, Answer, FakeUpstream, error, frame, usage

from daehwa.conversation.events import Finished, TextDelta, UsageReported
from daehwa.conversation.messages import Usage
from daehwa.conversation.ports import GenerationRequest, PromptMessage
from daehwa.conversation.transcript import CONTINUE
from daehwa.providers.prompts import MOST_TOKENS, STOPS, UNKNOWN_WINDOW_TOKENS, output_limit, prompt_of, trim_of
from daehwa.providers.upstream import ServedModel

INSTRUCT = "gpt-3.5-turbo-instruct"


def said_by(*messages: tuple[str, str]) -> tuple[PromptMessage, ...]:
    return tuple(PromptMessage(role, words) for role, words in messages)  # type: ignore[arg-type]  # what a test gives it, by its names


def piece(words: str, finish: str | None = None) -> bytes:
    return frame({"object": "text_completion", "choices": [{"index": 0, "text": words, "finish_reason": finish}]})


def test_a_transcript_is_paragraphs_that_begin_with_who_speaks() -> None:
    messages = said_by(("system", "Be brief."), ("user", "Hi\n"), ("assistant", "Hello."), ("user", "Who are you?"))
    assert prompt_of(messages) == (
        "Instructions: Be brief.\n\nUser: Hi\n\nAssistant: Hello.\n\nUser: Who are you?\n\nAssistant:"
    )
    assert trim_of(messages).isspace()
    assert prompt_of(()) == "Assistant:"


@pytest.mark.parametrize("instruction", [(), (("user", CONTINUE),)])
def test_a_reply_is_gone_on_with_where_it_stops(instruction: tuple[tuple[str, str], ...]) -> None:
    asked = ("user", "Count.")
    assert prompt_of(said_by(asked, ("assistant", "One, two,"), *instruction)).endswith("\n\nAssistant: One, two,")
    assert trim_of(said_by(asked, ("assistant", "One, two,"), *instruction)) == ""
    assert prompt_of(said_by(asked, ("assistant", "One, "), *instruction)).endswith("\n\nAssistant: One,")
    assert trim_of(said_by(asked, ("assistant", "One, "), *instruction)) == " "
    assert prompt_of(said_by(asked, ("assistant", "- One\n"), *instruction)).endswith("Assistant: - One\n")


def test_the_limit_fits_into_the_window() -> None:
    assert output_limit("x", None) == UNKNOWN_WINDOW_TOKENS
    assert output_limit("x", 100_000) == MOST_TOKENS
    assert output_limit("x" * 4000, 2000) == 996
    assert output_limit("x" * 40_000, 2000) == 16


async def test_a_turn(connect: Connect) -> None:
    answer = Answer([piece("\n"), piece("\n Hello"), piece(" there."), piece("", "stop"), usage(), DONE])
    async with FakeUpstream(answer, models=[INSTRUCT]) as upstream:
        provider = connect(upstream.base_url)
        (model,) = await provider.models()
        assert (model.kind, model.titles) == ("completion", False)
        events = await all_events(provider, question("Say hello.", INSTRUCT))
        assert said(events) == "Hello there."
        assert Finished("stop") in events
        assert UsageReported(Usage(input=9, output=3)) in events
        (request,) = [each for each in upstream.requests if each.method == "POST"]
        assert request.path == "/v1/completions"
        assert request.json == {
            "model": INSTRUCT,
            "prompt": "User: Say hello.\n\nAssistant:",
            "stop": list(STOPS),
            "max_tokens": 4096 - 11,
            "stream": True,
            "stream_options": {"include_usage": True},
        }


async def test_what_the_settings_mark_and_what_the_upstream_does_not_know(connect: Connect) -> None:
    refusal = error(400, "Unknown field: stream_options.")
    async with FakeUpstream(refusal, Answer([piece(" One", "length"), DONE])) as upstream:
        provider = connect(upstream.base_url, models=(ServedModel(name="base"),), completion_models=("base",))
        request = GenerationRequest(
            model="base", messages=said_by(("user", "Count."), ("assistant", "Zero,")), max_output_tokens=7
        )
        assert await all_events(provider, request) == [TextDelta(" One"), Finished("length")]
        first, second = (each.json for each in upstream.requests)
        assert first["max_tokens"] == 7
        assert "stream_options" not in second


@pytest.mark.parametrize(("asked", "sent"), [(None, 3000), (7, 7), (4096, 3000)])
async def test_a_limit_of_the_settings_is_the_most_that_is_asked_for(
    connect: Connect, asked: int | None, sent: int
) -> None:
    async with FakeUpstream(Answer([piece(" One", "length"), DONE])) as upstream:
        provider = connect(upstream.base_url, completion_models=("base",), extra_body={"max_tokens": 3000})
        messages = said_by(("user", "Count."))
        await all_events(provider, GenerationRequest(model="base", messages=messages, max_output_tokens=asked))
        (request,) = upstream.requests
    assert request.json["max_tokens"] == sent


async def test_an_answer_that_is_not_streamed(connect: Connect) -> None:
    whole = b'{"choices":[{"text":" Hi.","finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}'
    async with FakeUpstream(Answer([whole], headers={"content-type": "application/json"})) as upstream:
        events = await all_events(connect(upstream.base_url), question("Hi", "davinci-002"))
    assert said(events) == "Hi."
