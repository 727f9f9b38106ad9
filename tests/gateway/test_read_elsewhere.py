"""What a request only names, or has its upstream find, counts as all that the model can read."""

from typing import Any

import pytest
from gateway.bed import OWNER, RememberingMeter

from daehwa.accounts.keys import Caller
from daehwa.conversation.errors import InvalidRequest
from daehwa.conversation.metering import PaidCall
from daehwa.conversation.paid_answer import PaidAnswer
from daehwa.conversation.ports import GenerationRequest, Model, PromptMessage, ResolvedModel
from daehwa.conversation.searching import UNSEEN_TOKENS
from daehwa.gateway.asking import JsonAsked
from daehwa.gateway.counting import paid_call
from daehwa.gateway.ports import Endpoint
from daehwa.providers.openai_wire import OpenAIWireProvider
from daehwa.providers.upstream import Upstream


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


SEARCHES: list[tuple[dict[str, Any], bool]] = [
    ({"web_search_options": {}}, True),
    ({"web_search_options": {"search_context_size": "low"}}, True),
    ({"web_search_options": None}, False),
    ({"plugins": [{"id": "web"}]}, True),
    ({"plugins": [{"id": "web", "enabled": False}]}, False),
    ({"plugins": [{"id": "response-healing"}]}, False),
    ({"plugins": [{"id": "response-healing"}, {"id": "of tomorrow"}]}, True),
    ({"plugins": [7]}, True),
    ({"plugins": "web"}, True),
    ({"plugins": []}, False),
    ({"search_parameters": {}}, True),
    ({"search_parameters": {"mode": "auto"}}, True),
    ({"search_parameters": {"mode": "off"}}, False),
    ({"enable_search": True}, True),
    ({"enable_search": False}, False),
    ({"data_sources": [{"type": "azure_search"}]}, True),
    ({"data_sources": [{"type": "x" * 300_000}]}, True),
]


@pytest.mark.parametrize(("more", "reads_more"), SEARCHES)
@pytest.mark.parametrize("endpoint", ["chat/completions", "completions", "responses"])
def test_a_search_that_is_no_tool_finds_as_much(endpoint: Endpoint, more: dict[str, Any], *, reads_more: bool) -> None:
    assert JsonAsked.of(endpoint, {"messages": [], **more}).weight.reads_more is reads_more
    (field,) = more
    with pytest.raises(InvalidRequest, match=f"Put '{field}' beside the other fields"):
        JsonAsked.of(endpoint, {"messages": [], "extra_body": more})
    with pytest.raises(InvalidRequest, match="in small letters"):
        JsonAsked.of(endpoint, {"messages": [], field.upper(): more[field]})


@pytest.mark.parametrize(
    ("google", "reads_more"),
    [
        ({"cached_content": "cachedContents/1"}, True),
        ({"cachedContent": "cachedContents/1"}, True),
        ({"tools": [{"google_search": {}}]}, True),
        ({"thinking_config": {"thinking_budget": 0}}, False),
    ],
)
def test_what_gemini_keeps_is_read_too(google: dict[str, Any], *, reads_more: bool) -> None:
    assert chat(extra_body={"google": google}).weight.reads_more is reads_more
    assert chat(google=google).weight.reads_more is reads_more


def test_a_search_that_cannot_be_read_is_taken_for_one() -> None:
    asked = JsonAsked("chat/completions", b'{"messages":[],"search_parameters":1e999}')
    assert asked.weight.reads_more


@pytest.mark.parametrize(
    ("name", "searches"),
    [
        *(("gpt-4o-search-preview", True), ("gpt-4o-mini-search-preview-2025-03-11", True), ("gpt-5-search-api", True)),
        *(("openai/gpt-5.1:online:nitro", True), ("a/b:ONLINE ", True), ("a/b:onlineish", False)),
        *(("openai/gpt-5.1:online", True), ("sonar-deep-research", True), ("perplexity/sonar-pro-search", True)),
        *(("groq/compound", True), ("compound-mini", True)),
        *(("sonar", False), ("sonar-pro", False), ("sonar-reasoning-pro", False)),  # by the request, in their price
        *(("gpt-4o", False), ("gpt-5-mini", False), ("compoundv2", False), ("research", False)),
    ],
)
def test_a_model_that_searches_by_itself_reads_what_it_finds(name: str, *, searches: bool) -> None:
    assert Upstream(name="a", base_url="https://a.example/v1").searches(name) is searches
    model = Model(id="a/b", name="b", provider="a", context_window=200_000)
    assert (_input_of(chat(), model, searches=searches) == 200_000) is searches
    assert (_input_of(chat(models=["cheap", name]), model, searches=False) == 200_000) is searches
    assert _input_of(JsonAsked.of("embeddings", {"input": "a"}), model, searches=searches) < 100


def _input_of(asked: JsonAsked, model: Model, *, searches: bool) -> int:
    return paid_call(Caller(user=OWNER), asked, model, searches=searches).input_tokens


@pytest.mark.parametrize(
    ("extra", "searches"),
    [({"plugins": [{"id": "web"}]}, True), ({"tools": [{"type": "web_search"}]}, True), ({"temperature": 0}, False)],
)
async def test_settings_that_let_a_model_search_are_reserved_for(extra: dict[str, Any], *, searches: bool) -> None:
    provider = OpenAIWireProvider(Upstream(name="a", base_url="https://a.example/v1", extra_body=extra))
    model = Model(id="a/b", name="b", provider="a")
    assert provider.wire_target(model, "b").searches is searches
    resolved = ResolvedModel(model=model, provider=provider, upstream_name="b")
    meter = RememberingMeter()
    call = PaidCall(id="1", kind="turn", user="me", model="a/b", input_tokens=0)
    request = GenerationRequest(model="b", messages=(PromptMessage("user", "Hi"),))
    await PaidAnswer(meter, call).opened(request, resolved)
    assert (meter.calls[0].input_tokens == UNSEEN_TOKENS) is searches
    await provider.aclose()


def chat(**fields: Any) -> JsonAsked:
    return JsonAsked.of("chat/completions", {"messages": [], **fields})


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
