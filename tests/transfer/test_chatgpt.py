"""What becomes of the conversations of ChatGPT: whole, with a word for what could not come."""

import json
from typing import Any

from transfer.conversions import alternates, brought, shown
from transfer.foreign import chatgpt, node, research, simple

from daehwa.conversation.messages import ReasoningPart, TextPart, ToolCallPart
from daehwa.transfer.texts import link


def test_a_simple_conversation_of_chatgpt_comes_whole() -> None:
    found = brought(simple("s"))
    conversation = found.record.conversation
    assert (conversation.title, conversation.title_source, conversation.owner) == ("About s", "user", "me")
    assert (conversation.created, conversation.updated) == (1756000000250, 1756000400500)
    question, answer = found.record.messages
    assert (question.role, question.text, question.created) == ("user", "What is a tree?", 1756000001000)
    assert (answer.role, answer.text, answer.model, answer.usage) == ("assistant", "A plant, 나무.", "gpt-5", None)
    assert (answer.status, answer.finish, answer.parent) == ("complete", "stop", question.id)
    assert conversation.leaf == answer.id
    assert not found.lost


def test_a_run_of_nodes_is_one_answer_with_its_thoughts_code_and_sources() -> None:
    found = brought(research())
    question, answer, second, last = shown(found.record)
    assert question.text == (
        "[Image not brought along: wood.png]\n\nSpoken words\n\nCount these trees\n\n"
        "[File not brought along: list .pdf]"
    )
    reasoning, search, text = answer.parts
    assert reasoning == ReasoningPart("**Looking**\n\nWhere do trees grow?\n\nThought for 8s")
    assert isinstance(search, ToolCallPart)
    assert (search.name, search.arguments) == ("web.run", "search('trees')")
    assert isinstance(text, TextPart)
    assert text.text == (
        "```python\nprint(3)\n```\n\n```text\n3\n```\n\n"
        "There are three. ([Trees (of all)](https://example.org/trees)) Seoul"
    )
    assert (answer.model, answer.created) == ("gpt-5-thinking", 1756000002000)
    assert (second.text, last.text) == ("Are you sure?", "Yes.")
    assert found.lost == {"image": 1, "file": 1, "tool_result": 1, "citation": 1, "instructions": 1}
    assert found.record.conversation.archived
    assert found.record.conversation.pinned
    assert alternates(found.record)


def test_old_citations_become_links_where_they_stand() -> None:
    source = {"title": "Trees", "url": "https://example.org/a", "type": "webpage"}
    cited = {"start_ix": 6, "end_ix": 16, "metadata": source}
    broken: list[Any] = [{"start_ix": 5, "end_ix": "x"}, None, {"start_ix": 99, "end_ix": 100, "metadata": source}]
    nodes = [
        node("q", None, "user", "?"),
        node("a", "q", "assistant", "Trees.【0†source】 End", citations=[cited, *broken]),
    ]
    assert shown(brought(chatgpt("x", nodes)).record)[-1].text == "Trees. ([Trees](https://example.org/a)) End"


def test_an_address_that_is_none_of_the_web_is_no_link() -> None:
    mark = "\ue200cite\ue202a\ue201"
    reference = {"matched_text": mark, "items": [{"title": "x", "url": "javascript:alert(1)"}]}
    nodes = [node("q", None, "user", "?"), node("a", "q", "assistant", f"T{mark}", content_references=[reference])]
    found = brought(chatgpt("x", nodes))
    assert shown(found.record)[-1].text == "T"
    assert found.lost["citation"] == 1


def test_a_title_in_a_link_is_no_formula_and_no_markup() -> None:
    assert link("a \\(b\\) [c] *d* $5 $6", "https://example.org/") == (
        r"[a (b) (c) \*d\* \$5 \$6](https://example.org/)"
    )


def test_a_canvas_comes_with_its_text() -> None:
    told = json.dumps({"name": "essay", "type": "document", "content": "# Trees\n```\ncode\n```"})
    content = {"content_type": "code", "text": told}
    nodes = [node("q", None, "user", "?"), node("a", "q", "assistant", content, recipient="canmore.create_textdoc")]
    assert (
        "**essay**\n\n````markdown\n# Trees\n```\ncode\n```\n````"
        in shown(brought(chatgpt("x", nodes)).record)[-1].text
    )


def test_what_is_said_in_a_role_that_is_not_known_is_counted() -> None:
    nodes = [node("q", None, "user", "?"), node("c", "q", "critic", "Say it shorter"), node("a", "c", "assistant", "!")]
    nodes += [node("s", "a", "system", "Set up"), node("e", "s", "critic", "")]
    found = brought(chatgpt("x", nodes))
    assert [message.text for message in shown(found.record)] == ["?", "!"]
    assert found.lost == {"unknown": 1}
