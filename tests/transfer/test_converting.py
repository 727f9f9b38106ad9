"""What becomes of the conversations of other products: whole, in our shape, with a word for what could not come."""

import copy
import json
import random
import time
import tracemalloc
from typing import Any

import msgspec
import pytest
from transfer.foreign import (
    NOW,
    as_json,
    chatgpt,
    claude,
    librechat,
    nested_text,
    node,
    open_webui,
    research,
    simple,
)

from daehwa.conversation.archive import arriving
from daehwa.conversation.messages import Message, ReasoningPart, TextPart, ToolCallPart
from daehwa.conversation.ports import ConversationRecord
from daehwa.transfer.converting import Converted, Unconverted, converted
from daehwa.transfer.texts import TEXT_CHARACTERS, link


def brought(value: object, owner: str = "me") -> Converted:
    [found] = converted(value if isinstance(value, bytes) else as_json(value), owner=owner, now=NOW)
    assert isinstance(found, Converted), found
    arriving(found.record)  # as a store looks at it
    msgspec.json.encode(found.record)  # as any encoding holds it
    return found


def left_out(value: object) -> Unconverted:
    [found] = converted(value if isinstance(value, bytes) else as_json(value), owner="me", now=NOW)
    assert isinstance(found, Unconverted)
    return found


def shown(record: ConversationRecord) -> list[Message]:
    """The path from the beginning to the leaf."""
    by_id = {message.id: message for message in record.messages}
    path, at = [], record.conversation.leaf
    while at is not None:
        path.append(by_id[at])
        at = by_id[at].parent
    return path[::-1]


def alternates(record: ConversationRecord) -> bool:
    roles = {message.id: message.role for message in record.messages}
    return all(message.parent is None or roles[message.parent] != message.role for message in record.messages)


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


def test_rings_missing_parents_and_ids_that_stand_twice_lose_nothing() -> None:
    nodes = [
        node("a", "c", "user", "in a ring"),
        node("b", "a", "assistant", "of"),
        node("c", "b", "user", "three"),
        node("d", "nowhere", "user", "an orphan"),
        node("e", "e", "user", "its own parent"),
    ]
    texts = {m.text for m in brought(chatgpt("x", nodes)).record.messages}
    assert texts >= {"in a ring", "of", "three", "an orphan", "its own parent"}
    twice = claude()
    twice["chat_messages"].append({**twice["chat_messages"][1], "content": [], "text": "Another with this id"})
    assert "Another with this id" in {m.text for m in brought(twice).record.messages}


def test_whatever_stands_where_something_else_should_is_survived() -> None:
    dice = random.Random(7)  # noqa: S311 - the same each time
    samples: list[dict[str, Any]] = [research(), claude(), open_webui(), librechat(4)]
    strange = [None, True, -1, 1e308, 10**30, "", "\ud800", [], {}, [None], {"a": None}, "x" * 300]

    def spoilt(value: Any) -> Any:
        if dice.random() < 0.04:
            return copy.deepcopy(dice.choice(strange))
        if isinstance(value, dict):
            return {key: spoilt(inner) for key, inner in value.items()}
        return [spoilt(inner) for inner in value] if isinstance(value, list) else value

    outcomes = []
    for _ in range(800):
        text = json.dumps(spoilt(dice.choice(samples))).encode()
        for found in converted(text, owner="me", now=NOW):
            outcomes.append(type(found))
            if isinstance(found, Converted):
                arriving(found.record)
                msgspec.json.encode(found.record)
                assert alternates(found.record)
            else:
                assert found.reason
    assert outcomes.count(Converted) > 300


def test_halves_of_characters_controls_and_numbers_that_are_none_come_to_no_harm() -> None:
    value = simple("x", question="half \ud83d here\x00\x1b[0m\r\nnext", answer="ok")
    value["create_time"] = float("nan")
    value["title"] = "A\ttitle\nof \x07lines " + "x" * 300
    found = brought(json.dumps(value).encode())
    assert found.record.messages[0].text == "half � here[0m\nnext"
    assert found.record.conversation.title.startswith("A title of lines xxx")
    assert len(found.record.conversation.title) == 200


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


def test_a_text_that_is_too_long_is_cut_and_says_so() -> None:
    found = brought(simple("x", answer="y" * (TEXT_CHARACTERS + 1234)))
    assert found.record.messages[1].text.endswith("[1,234 more characters not brought along]")
    assert found.lost == {"text": 1}


def test_what_cannot_be_brought_is_named() -> None:
    assert left_out(chatgpt("x", [node("s", None, "system", "hidden")])).is_empty
    shell = left_out({"title": "Shell", "conversation_id": "x", "default_model_slug": "gpt-5"})
    assert (shell.title, shell.is_empty) == ("Shell", True)
    assert "no conversation as ChatGPT" in left_out({"title": "Notes", "pages": []}).reason
    assert left_out(b'{"mapping": {').reason == "It is no JSON in UTF-8, or was cut off."
    assert left_out(b'"text"').reason == "it is no conversation"
    many = [node(f"{n}", f"{n - 1}" if n else None, "assistant" if n % 2 else "user", "x") for n in range(100_002)]
    assert "more than 100,000 messages" in left_out(chatgpt("x", many)).reason


def test_an_answer_that_forks_at_each_step_is_refused_before_it_fills_the_memory() -> None:
    nodes = [node("q", None, "user", "?")]
    for number in range(5_000):
        nodes.append(node(f"a{number}", f"a{number - 1}" if number else "q", "assistant", "x"))
        nodes.append(node(f"u{number}", f"a{number}", "user", "?"))
    assert "fork too often" in left_out(chatgpt("x", nodes)).reason


def test_fifty_thousand_messages_come() -> None:
    many = [
        node(f"{n}", f"{n - 1}" if n else None, "assistant" if n % 2 else "user", f"text {n}") for n in range(50_000)
    ]
    assert len(brought(chatgpt("x", many)).record.messages) == 50_000


@pytest.mark.parametrize(
    "content",
    [
        '<details type="' + "a" * 1_000_000 + '">x</details>',
        '<details type="reasoning">' + " " * 1_000_000 + "x</details>",
        '<details type="reasoning" ' * 40_000 + ">" * 40_000,
        '<details type="reasoning">x</details>' * 30_000,
    ],
)
def test_no_text_takes_long_to_be_looked_through(content: str) -> None:
    value = open_webui()
    value["chat"]["history"]["messages"]["a"]["content"] = content
    begun = time.process_time()
    brought(value)
    assert time.process_time() - begun < 5


def test_a_long_beginning_is_not_copied_into_a_thousand_versions() -> None:
    nodes = [node("q", None, "user", "?"), node("a", "q", "assistant", "x" * 900_000)]
    nodes += [node(f"v{number}", "a", "assistant", "y") for number in range(1_000)]
    assert "fork too often" in left_out(chatgpt("x", nodes)).reason
    few = brought(chatgpt("x", nodes[:5])).record
    assert [len(message.text) for message in few.messages] == [1, *[900_003] * 3]


def test_few_bytes_of_sources_do_not_become_many_of_links() -> None:
    mark = "\ue200m\ue201"
    items = [{"title": "t", "url": f"https://example.org/{'u' * 1900}"}] * 5
    parts = {"content_type": "text", "parts": [mark * 100_000]}
    value = chatgpt(
        "x", [node("a", None, "assistant", parts, content_references=[{"matched_text": mark, "items": items}])]
    )
    began = time.monotonic()
    given = len(as_json(value))
    found = brought(value)
    assert len(msgspec.json.encode(found.record)) < 5 * given
    assert 0 < found.lost["citation"] < 100_000, "those within the measure are links, the others are counted"
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("name", ["citations", "content_references"])
def test_sources_are_looked_at_once_and_not_for_each_piece_of_a_text(name: str) -> None:
    source = {
        "start_ix": 0,
        "end_ix": 1,
        "metadata": {"title": "t" * 200, "url": "https://example.org"},
        "matched_text": "t",
    }
    parts = {"content_type": "text", "parts": ["x\ue200"] * 20_000}
    began = time.monotonic()
    many: dict[str, Any] = {name: [source] * 5_000}
    brought(chatgpt("x", [node("a", None, "assistant", parts, **many)]))
    assert time.monotonic() - began < 5


def _nodes(name: str, count: int) -> Any:
    rows: list[Any] = [{}] * count
    named: dict[str, Any] = {f"{number}": {} for number in range(count)}
    tree = {"children": rows}
    return {
        "ChatGPT": {"mapping": named},
        "Claude": {"chat_messages": rows},
        "Open WebUI": {"chat": {"history": {"messages": named}}},
        "Open WebUI in a row": {"chat": {"messages": rows}},
        "LibreChat": {"conversationId": "l", "messages": rows},
        "LibreChat as a tree": {"messagesTree": [tree]},
    }[name]


@pytest.mark.parametrize(
    "name",
    ["ChatGPT", "Claude", "Open WebUI", "Open WebUI in a row", "LibreChat", "LibreChat as a tree"],
)
def test_too_many_messages_with_nothing_in_them_are_refused_before_they_fill_the_memory(name: str) -> None:
    value = as_json(_nodes(name, 300_000))
    tracemalloc.start()
    found = left_out(value)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "more than 250,000" in found.reason
    assert not found.is_empty
    assert most < 200_000_000


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
