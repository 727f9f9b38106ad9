"""What becomes of the conversations of Claude, Open WebUI and LibreChat: whole, with a word for what could not come."""

from typing import Any

import pytest
from transfer.conversions import brought, shown
from transfer.foreign import claude, librechat, nested_text, open_webui

from daehwa.conversation.archive_ports import ConversationRecord
from daehwa.conversation.messages import ReasoningPart, TextPart, ToolCallPart


def test_claude_comes_with_thoughts_artifacts_pasted_text_and_versions() -> None:
    found = brought(claude())
    question, *answers = found.record.messages
    assert question.text == (
        "What is in these?\n\n**notes.txt**\n\n````\nNote ```one```\n````\n\n"
        "[Image not brought along: photo.JPG]\n\n[File not brought along: plan.pdf]"
    )
    assert [answer.parent for answer in answers] == [question.id, question.id]
    reasoning, use, text = answers[0].parts
    assert reasoning == ReasoningPart("A tree has a trunk.")
    assert isinstance(use, ToolCallPart)
    assert (use.id, use.name) == ("toolu_1", "artifacts")
    assert isinstance(text, TextPart)
    assert text.text == "**tree.py**\n\n```\nx = 1\n```\n\nA trunk."
    assert answers[1].text == "Leaves."
    assert found.record.conversation.leaf == answers[1].id
    assert found.record.conversation.created == 1735787045000
    assert found.lost == {"image": 1, "file": 1, "tool_result": 1}
    assert [m.role for m in brought(claude(linked=False)).record.messages] == ["user", "assistant"]


def test_open_webui_comes_with_thoughts_calls_and_versions() -> None:
    found = brought(open_webui())
    question, first, second = found.record.messages
    assert question.text == "Rain?\n\n[Image not brought along: sky.png]"
    reasoning, tool, text = first.parts
    assert reasoning == ReasoningPart("a < b")
    assert isinstance(tool, ToolCallPart)
    assert (tool.name, tool.arguments, tool.id) == ("weather", '"{}"', "call_1")
    assert (text, first.model) == (TextPart("No rain."), "llama3")
    assert (second.text, second.model, second.status, second.parent) == ("Some.", "qwen", "stopped", question.id)
    assert found.record.conversation.leaf == first.id
    assert found.record.conversation.pinned
    bare = brought(open_webui()["chat"])
    assert [m.text for m in bare.record.messages] == [m.text for m in found.record.messages]


@pytest.mark.parametrize("error", ["No such\nmodel.", {"content": "No such\nmodel."}, {"message": "No such\nmodel."}])
def test_open_webui_comes_with_the_sentence_by_which_an_answer_failed(error: Any) -> None:
    exported = open_webui()
    exported["chat"]["history"]["messages"]["a"] |= {"content": "", "error": error}
    exported["chat"]["history"]["messages"]["b"] |= {"error": error}
    _, first, second = brought(exported).record.messages
    assert first.text == "> No such\n> model."
    assert second.text == "Some.\n\n> No such\n> model."
    exported["chat"]["history"]["messages"]["b"]["error"] = True
    assert brought(exported).record.messages[2].text == "Some."


@pytest.mark.parametrize("is_recursive", [True, False])
def test_librechat_comes_from_a_list_and_from_a_tree(*, is_recursive: bool) -> None:
    record = brought(librechat(4, is_recursive=is_recursive)).record
    assert [(m.role, m.text) for m in shown(record)] == [
        ("user", "Words 0"),
        ("assistant", "Said 1"),
        ("user", "Words 2"),
        ("assistant", "Said 3"),
    ]
    assert shown(record)[1].parts[0] == ReasoningPart("hm")
    assert shown(record)[1].model == "gpt-4"


def test_a_tree_of_librechat_may_be_as_deep_as_it_likes() -> None:
    record = brought(nested_text(librechat(3_000))).record
    assert len(shown(record)) == 3_000


def _message(record: ConversationRecord) -> str:
    return next(message.text for message in record.messages if message.role == "assistant")


def test_sources_of_claude_and_open_webui_are_links() -> None:
    cited = [{"details": {"type": "web_search_citation", "url": "https://example.org/rain"}}, {"details": {}}]
    answer = {"uuid": "a", "sender": "assistant", "content": [{"type": "text", "text": "Rain.", "citations": cited}]}
    found = brought({"uuid": "u", "chat_messages": [answer]})
    assert _message(found.record) == "Rain. ([https://example.org/rain](https://example.org/rain))"
    sources = [{"source": {"name": "W", "url": "https://example.org/w"}}, {"source": {"name": "my.pdf"}}]
    node = {"id": "a", "role": "assistant", "content": "Rain [1].", "sources": sources}
    found = brought({"id": "o", "chat": {"history": {"messages": {"a": node}}}})
    assert _message(found.record) == "Rain [1].\n\n([W](https://example.org/w))"
    assert found.lost == {"citation": 1}


def test_marks_and_findings_of_a_search_in_librechat_are_counted_and_no_files() -> None:
    text = "Sunny \ue202turn0search0 today \ue200\ue202turn0search0\ue202turn1news1\ue201."
    search: list[object] = [{"type": "web_search", "web_search": {"organic": []}}, {"filename": "a.pdf"}]
    value = {"conversationId": "l", "messages": [{"messageId": "1", "text": text, "attachments": search}]}
    found = brought(value)
    assert _message(found.record) == "Sunny today.\n\n[File not brought along: a.pdf]"
    assert found.lost == {"citation": 2, "tool_result": 1, "file": 1}
