"""What a request only names, or has its upstream find, counts as all that the model can read."""

from typing import Any

import pytest
from gateway.bed import OWNER

from daehwa.accounts.keys import Caller
from daehwa.conversation.ports import Model
from daehwa.gateway.asking import JsonAsked
from daehwa.gateway.counting import paid_call
from daehwa.gateway.estimates import UNSEEN_TOKENS


@pytest.mark.parametrize(
    ("more", "reads_more"),
    [
        ({"previous_response_id": "resp_1"}, True),
        ({"conversation": {"id": "conv_1"}}, True),
        ({"prompt": {"id": "pmpt_1"}}, True),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, True),
        ({"previous_response_id": None}, False),
        ({"tools": [{"type": "function", "name": "f"}, {"type": "custom", "name": "c"}]}, False),
        ({"tools": [{"type": "local_shell"}, {"type": "apply_patch"}]}, False),
        ({"tools": [{"type": "computer"}, {"type": "computer_use_preview", "environment": "browser"}]}, False),
        ({"tools": [{"type": "namespace", "name": "n", "tools": [{"type": "function"}]}]}, False),
        ({"tools": [{"type": "namespace", "name": "n", "tools": [{"type": "mcp"}]}]}, True),
        ({"tools": [{"type": "shell", "environment": {"type": "container_auto"}}]}, True),
        ({"tools": []}, False),
        ({"tools": None}, False),
        ({"tools": [{"type": "function", "name": "f"}, {"type": "web_search"}]}, True),
        ({"tools": [{"type": "mcp", "server_url": "https://example.com"}]}, True),
        ({"tools": [{"name": "of no type"}]}, True),
        ({"tools": "all"}, True),
        ({}, False),
    ],
)
def test_what_is_kept_at_the_upstream_is_taken_for_all_that_the_model_can_read(
    more: dict[str, Any], *, reads_more: bool
) -> None:
    asked = JsonAsked.of("responses", {"input": "Go on.", **more})
    for window, most in ((None, UNSEEN_TOKENS), (400_000, 400_000)):
        model = Model(id="openai/gpt-9", name="gpt-9", provider="openai", context_window=window)
        counted = paid_call(Caller(user=OWNER), asked, model).input_tokens
        assert (counted == most) is reads_more
        assert reads_more or counted < 100
    assert not JsonAsked.of("completions", {"prompt": "Once"}).weight.reads_more


@pytest.mark.parametrize(
    ("tools", "reads_more"),
    [
        ([{"type": "function", "function": {"name": "f"}}, {"type": "custom", "custom": {"name": "c"}}], False),
        ([{"function": {"name": "f"}}], False),
        ([{"type": "web_search", "function": {"name": "f"}}], True),
        ([{"google_search": {}}], True),
        ([{"type": "openrouter:web_search"}], True),
        ([{"type": "builtin_function", "function": {"name": "$web_search"}}], True),
        (None, False),
    ],
)
def test_a_tool_that_the_upstream_runs_for_a_chat_finds_as_much(tools: object, *, reads_more: bool) -> None:
    chat = JsonAsked.of("chat/completions", {"messages": [], "tools": tools, "prompt": "no field of a chat"})
    assert chat.weight.reads_more is reads_more


@pytest.mark.parametrize(
    ("window", "parts", "room"),
    [
        *((4096, [], 4096 - 128), (None, [], None)),
        (4096, [{"type": "image_url", "image_url": {"url": "a"}}], None),
        (131_072, [{"type": "file", "file": {"file_data": "A" * 840_000}}], None),
        (100_000, [{"type": "video_url", "video_url": {"url": "a"}}], None),
    ],
)
def test_a_model_has_room_for_what_the_prompt_leaves(window: int | None, parts: list[Any], room: int | None) -> None:
    """Of images and files it is not known how much they leave."""
    text = {"type": "text", "text": "word " * 400}
    asked = JsonAsked.of("chat/completions", {"messages": [{"role": "user", "content": [text, *parts]}]})
    model = Model(id="openai/gpt-9", name="gpt-9", provider="openai", context_window=window)
    found = paid_call(Caller(user=OWNER), asked, model).room
    assert found == (None if room is None else pytest.approx(room - 500, abs=40))
