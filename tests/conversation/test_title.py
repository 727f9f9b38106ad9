import pytest

from daehwa.conversation.messages import title_from
from daehwa.conversation.title import title_from_answer, title_request


@pytest.mark.parametrize(
    ("answer", "title"),
    [
        ("Seoul in spring", "Seoul in spring"),
        ('"Seoul in spring."\n', "Seoul in spring"),
        ("「서울의 봄」", "서울의 봄"),
        ("**Title:  two   spaces**", "Title: two spaces"),
        ("\n\n  \nSecond line wins\nnot this", "Second line wins"),
        ('""', None),
        ("", None),
        ("x" * 500, "x" * 80),
    ],
)
def test_what_is_kept_of_the_models_answer(answer: str, title: str | None) -> None:
    assert title_from_answer(answer) == title


def test_the_request_is_small_whatever_the_exchange() -> None:
    request = title_request("m", "q" * 100_000, "a" * 100_000)
    assert sum(len(message.text) for message in request.messages) < 1600
    assert request.max_output_tokens == 256


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("  Hello,\n\n world ", "Hello, world"),
        ("가" * 70, "가" * 59 + "…"),
        ("", ""),
    ],
)
def test_a_conversation_is_first_named_after_its_question(question: str, title: str) -> None:
    assert title_from(question) == title
