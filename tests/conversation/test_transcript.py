import random

from daehwa.conversation.ids import new_id
from daehwa.conversation.messages import Message, ReasoningPart, Role, Status, TextPart
from daehwa.conversation.ports import PromptMessage
from daehwa.conversation.transcript import CONTINUE, build_transcript, end_within, estimated_tokens


def message(role: Role, text: str, status: Status = "complete") -> Message:
    parts = (TextPart(text),) if text else ()
    return Message(id=new_id(), conversation="c", parent=None, role=role, parts=parts, status=status, created=1)


def build(
    path: list[Message], *, window: int | None = None, continue_reply: bool = False, continues: bool = False
) -> list[tuple[str, str]]:
    transcript = build_transcript(
        path, context_window=window, continue_reply=continue_reply, continues_replies=continues
    )
    return [(each.role, each.text) for each in transcript]


def test_the_path_is_the_transcript() -> None:
    path = [message("user", "Hi"), message("assistant", "Hello"), message("user", "How are you?")]
    assert build(path) == [("user", "Hi"), ("assistant", "Hello"), ("user", "How are you?")]


def test_a_reply_and_its_continuation_are_one_message() -> None:
    path = [message("user", "Count"), message("assistant", "one, tw", "interrupted"), message("assistant", "o, three")]
    assert build([*path, message("user", "More")]) == [
        ("user", "Count"),
        ("assistant", "one, two, three"),
        ("user", "More"),
    ]


def test_a_failed_reply_without_text_leaves_two_questions_as_one() -> None:
    path = [message("user", "Hi"), message("assistant", "", "failed"), message("user", "Are you there?")]
    assert build(path) == [("user", "Hi\n\nAre you there?")]


def test_reasoning_is_not_sent_back() -> None:
    reply = Message(
        id="r",
        conversation="c",
        parent="q",
        role="assistant",
        parts=(ReasoningPart("secret"), TextPart("4")),
        created=1,
    )
    assert build([message("user", "2+2"), reply, message("user", "+1")])[1] == ("assistant", "4")


def test_continue_adds_an_instruction_where_the_provider_does_not_go_on_by_itself() -> None:
    path = [message("user", "Count"), message("assistant", "one, tw", "interrupted")]
    assert build(path, continue_reply=True)[-1] == ("user", CONTINUE)
    assert build(path, continue_reply=True, continues=True)[-1] == ("assistant", "one, tw")


def test_a_small_window_drops_the_oldest_rounds_and_keeps_system_and_last_question() -> None:
    path = [message("system", "Be brief.")]
    for number in range(20):
        path += [message("user", f"question {number} " * 20), message("assistant", f"answer {number} " * 20)]
    path.append(message("user", "the last question"))
    transcript = build(path, window=600)
    assert transcript[0] == ("system", "Be brief.")
    assert transcript[1][0] == "user", "what is kept begins with a question"
    assert transcript[-1] == ("user", "the last question")
    assert sum(estimated_tokens(text) for _, text in transcript) <= 450
    assert len(transcript) > 3


def test_a_question_larger_than_the_window_still_goes_out() -> None:
    assert build([message("user", "가" * 5000)], window=2048) == [("user", "가" * 5000)]


def test_continuing_in_a_small_window_keeps_the_reply_that_is_continued() -> None:
    path = [message("user", "old " * 900), message("assistant", "old answer")]
    path += [message("user", "Count"), message("assistant", "one, tw", "interrupted")]
    assert build(path, window=600, continue_reply=True) == [
        ("user", "Count"),
        ("assistant", "one, tw"),
        ("user", CONTINUE),
    ]


def test_what_is_read_of_a_path_is_all_that_its_transcript_needs() -> None:
    chance = random.Random(7)  # noqa: S311 - the same paths in every run
    texts = ("", "Hi", "가" * 30, "word " * 40, "a longer line of text, with 한국어 in it. " * 10, CONTINUE)
    roles: tuple[Role, ...] = ("user", "assistant")
    for _ in range(3_000):
        path = [message(chance.choice(roles), chance.choice(texts)) for _ in range(chance.randrange(1, 14))]
        window = chance.randrange(1, 900)
        end = end_within(reversed(path), window)
        assert end == tuple(path[-len(end) :])
        for continues in (False, True):
            assert build(list(end), window=window, continue_reply=continues) == build(
                path, window=window, continue_reply=continues
            )


def test_no_more_of_a_path_is_read_than_fits() -> None:
    newest_first = iter([message("user", "Hi"), *[message("assistant", "word " * 100)] * 50])
    assert len(end_within(newest_first, 600)) == 5
    assert len(list(newest_first)) == 46
    whole = [message("user", "Hi"), message("assistant", "Hello")] * 50
    assert end_within(reversed(whole), None) == tuple(whole)


def test_estimates_count_korean_by_the_letter() -> None:
    assert estimated_tokens("안녕하세요") == 5 + 4
    assert estimated_tokens("hello world!") == 3 + 4


def test_prompt_messages_are_values() -> None:
    assert PromptMessage("user", "a") == PromptMessage("user", "a")
