"""Exports that are broken, strange or meant to do harm: nothing is lost, and no time or memory taken without end."""

import base64
import copy
import json
import random
import time
import tracemalloc
from typing import Any

import msgspec
import pytest
from images import PNG
from transfer.conversions import alternates, brought, left_out
from transfer.foreign import NOW, as_json, chatgpt, claude, librechat, node, open_webui, research, simple, with_images

from daehwa.conversation.archive import arriving
from daehwa.transfer.converting import Converted, converted
from daehwa.transfer.texts import TEXT_CHARACTERS


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
    image = base64.b64encode(PNG).decode()
    inline = open_webui()
    inline["chat"]["history"]["messages"]["u"]["files"][0]["url"] = f"data:image/png;base64,{image}"
    beside = with_images("x", "file-service://file-1", "sediment://file_2", images={"file-1": image, "file_2": image})
    samples: list[dict[str, Any]] = [research(), claude(), open_webui(), librechat(4), inline, beside]
    strange = [None, True, -1, 1e308, 10**30, "", "\ud800", [], {}, [None], {"a": None}, "x" * 300]

    def spoilt(value: Any) -> Any:
        if dice.random() < 0.04:
            return copy.deepcopy(dice.choice(strange))
        if isinstance(value, dict):
            return {key: spoilt(inner) for key, inner in value.items()}
        return [spoilt(inner) for inner in value] if isinstance(value, list) else value

    outcomes = []
    for _ in range(1_200):
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


def test_what_cannot_be_brought_is_named() -> None:
    assert left_out(chatgpt("x", [node("s", None, "system", "hidden")])).is_empty
    shell = left_out({"title": "Shell", "conversation_id": "x", "default_model_slug": "gpt-5"})
    assert (shell.title, shell.is_empty) == ("Shell", True)
    assert "no conversation as ChatGPT" in left_out({"title": "Notes", "pages": []}).reason
    assert left_out(b'{"mapping": {').reason == "It is no JSON in UTF-8, or was cut off."
    assert left_out(b'"text"').reason == "it is no conversation"
    many = [node(f"{n}", f"{n - 1}" if n else None, "assistant" if n % 2 else "user", "x") for n in range(100_002)]
    assert "more than 100,000 messages" in left_out(chatgpt("x", many)).reason


def test_a_text_that_is_too_long_is_cut_and_says_so() -> None:
    found = brought(simple("x", answer="y" * (TEXT_CHARACTERS + 1234)))
    assert found.record.messages[1].text.endswith("[1,234 more characters not brought along]")
    assert found.lost == {"text": 1}


def test_an_answer_that_forks_at_each_step_is_refused_before_it_fills_the_memory() -> None:
    nodes = [node("q", None, "user", "?")]
    for number in range(5_000):
        nodes.append(node(f"a{number}", f"a{number - 1}" if number else "q", "assistant", "x"))
        nodes.append(node(f"u{number}", f"a{number}", "user", "?"))
    assert "fork too often" in left_out(chatgpt("x", nodes)).reason


def test_a_long_beginning_is_not_copied_into_a_thousand_versions() -> None:
    nodes = [node("q", None, "user", "?"), node("a", "q", "assistant", "x" * 900_000)]
    nodes += [node(f"v{number}", "a", "assistant", "y") for number in range(1_000)]
    assert "fork too often" in left_out(chatgpt("x", nodes)).reason
    few = brought(chatgpt("x", nodes[:5])).record
    assert [len(message.text) for message in few.messages] == [1, *[900_003] * 3]


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
