"""The shape that conversations take here, whichever product they come from: branches, ids, times and titles."""

import json
from typing import Any

import pytest
from transfer.conversions import alternates, brought, shown
from transfer.foreign import chatgpt, node, open_webui, research, simple


def test_branches_stay_and_a_question_without_an_answer_has_an_empty_one() -> None:
    record = brought(research()).record
    texts = {message.id: message.text for message in record.messages}
    siblings = [m.text for m in record.messages if m.parent is not None and texts[m.parent] == "Are you sure?"]
    assert siblings == ["Yes.", "On second thought, four."]
    again = next(message for message in record.messages if message.text == "Count them again")
    assert again.parent is None
    [unanswered] = [message for message in record.messages if message.parent == again.id]
    assert (unanswered.role, unanswered.status, unanswered.parts) == ("assistant", "stopped", ())


def test_two_questions_in_a_row_have_an_answer_between_them() -> None:
    nodes = [node("a", None, "user", "one"), node("b", "a", "user", "two"), node("c", "b", "assistant", "three")]
    record = brought(chatgpt("x", nodes)).record
    assert [(m.role, m.text) for m in shown(record)] == [
        ("user", "one"),
        ("assistant", ""),
        ("user", "two"),
        ("assistant", "three"),
    ]


def test_an_answer_that_forks_within_is_two_answers_that_begin_alike() -> None:
    nodes = [
        node("q", None, "user", "?"),
        node("t", "q", "assistant", "Begun."),
        node("x", "t", "assistant", "One end."),
        node("y", "t", "assistant", "Another."),
        node("q2", "t", "user", "And?"),
    ]
    record = brought(chatgpt("x", nodes)).record
    answers = sorted(m.text for m in record.messages if m.role == "assistant" and m.parts)
    assert answers == ["Begun.", "Begun.\n\nAnother.", "Begun.\n\nOne end."]
    assert alternates(record)


def test_the_same_again_has_the_same_ids_and_another_owner_others() -> None:
    mine, again, theirs = brought(research()), brought(research()), brought(research(), owner="them")
    assert mine == again
    ids = {mine.record.conversation.id, *(m.id for m in mine.record.messages)}
    others = {theirs.record.conversation.id, *(m.id for m in theirs.record.messages)}
    assert len(ids) == len(mine.record.messages) + 1
    assert not ids & others


def test_a_later_export_keeps_the_ids_of_what_was_there() -> None:
    later = research()
    more = [
        node("q3", "a2", "user", "And now?", at=1756000050.0),
        node("a3", "q3", "assistant", "Five.", at=1756000051.0),
    ]
    later["mapping"] |= {each["id"]: each for each in more}
    later.update(current_node="a3", update_time=1756000060.0)
    before, after = brought(research()).record, brought(later).record
    assert {m.id for m in before.messages} < {m.id for m in after.messages}
    assert [m.text for m in shown(after)[-2:]] == ["And now?", "Five."]


def test_conversations_without_an_id_are_known_by_how_they_began() -> None:
    def bare(question: str, *more: str) -> dict[str, Any]:
        texts = [question, "Yes.", *more]
        roles = ["user", "assistant"] * 2
        messages = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]
        return {"chat": {"title": "New Chat", "messages": messages}}

    first, other = brought(bare("One?")).record, brought(bare("Two?")).record
    assert first.conversation.id != other.conversation.id
    later = brought(bare("One?", "And?", "Also.")).record
    assert later.conversation.id == first.conversation.id
    assert {message.id for message in first.messages} < {message.id for message in later.messages}
    nameless = [{**simple(name), "conversation_id": None, "mapping": simple(name)["mapping"]} for name in ("a", "b")]
    assert len({brought(each).record.conversation.id for each in nameless}) == 2


def test_links_downwards_are_enough() -> None:
    value = simple("x")
    mapping = value["mapping"]
    for name, below in (("x-root", ["x-q"]), ("x-q", ["x-a"]), ("x-a", [])):
        mapping[name] = {**mapping[name], "children": below, "parent": None}
    assert [message.role for message in shown(brought(value).record)] == ["user", "assistant"]
    chat = open_webui()
    nodes = chat["chat"]["history"]["messages"]
    nodes["u"]["childrenIds"] = ["a", "b"]
    for each in nodes.values():
        each["parentId"] = None
    assert brought(chat) == brought(open_webui())


@pytest.mark.parametrize("time", [None, 0, -5, 32503680000, "3000-01-01", float("inf"), 10**40, True, "", "today"])
def test_a_time_that_is_none_is_taken_from_the_messages(time: object) -> None:
    value = simple("x")
    value.update(create_time=time, update_time=time)
    conversation = brought(json.dumps(value).encode()).record.conversation
    assert (conversation.created, conversation.updated) == (1756000001000, 1756000002000)


def test_without_any_time_it_is_the_beginning_of_time_and_the_same_each_time() -> None:
    value = simple("x")
    value.update(create_time=None, update_time=None)
    for each in value["mapping"].values():
        if each["message"]:
            each["message"]["create_time"] = None
    first, again = brought(value), brought(value)
    assert first == again
    assert first.record.conversation.updated < 10


def test_milliseconds_and_nanoseconds_are_known_as_such() -> None:
    value = open_webui()
    value.update(created_at=1700000000_000_000_000, updated_at=1700000020_000)
    conversation = brought(value).record.conversation
    assert (conversation.created, conversation.updated) == (1700000000_000, 1700000020_000)


def test_a_conversation_without_a_title_has_its_question_for_one() -> None:
    value = simple("x")
    value["title"] = None
    conversation = brought(value).record.conversation
    assert (conversation.title, conversation.title_source) == ("What is a tree?", "question")
