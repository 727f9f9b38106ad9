"""What a request may cost is told from its bytes; what is not ours is not touched."""

import json
import time
from typing import Any

import msgspec
import pytest
from gateway.bed import OWNER
from hypothesis import given
from hypothesis import strategies as st

from daehwa.accounts.keys import Caller
from daehwa.conversation.errors import InvalidRequest
from daehwa.conversation.image_tokens import IMAGE_TOKENS
from daehwa.conversation.ports import Model
from daehwa.conversation.searching import UNSEEN_TOKENS
from daehwa.gateway.asking import Added, Habits, JsonAsked
from daehwa.gateway.counting import paid_call
from daehwa.gateway.ports import Endpoint


def chat(content: object, **more: object) -> JsonAsked:
    return JsonAsked.of("chat/completions", {"messages": [{"role": "user", "content": content}], **more})


def test_three_bytes_are_a_token() -> None:
    short, long = chat("").weight.input_tokens, chat("a" * 3000).weight.input_tokens
    assert long - short == 1000
    assert chat("가" * 1000).weight.input_tokens - short == 1000


@pytest.mark.parametrize(
    ("part", "as_many"),
    [
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 900_000}}, IMAGE_TOKENS),
        ({"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}, IMAGE_TOKENS),
        ({"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}}, 3_000),
        ({"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": ["low"]}}, IMAGE_TOKENS),
        ({"type": "input_image", "image_url": "data:image/png;base64," + "A" * 900_000}, IMAGE_TOKENS),
        ({"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "high"}, 4_000),
        ({"type": "input_image", "file_id": "file-1", "detail": "auto"}, IMAGE_TOKENS),
    ],
)
def test_an_image_counts_by_its_detail_wherever_it_comes_from(part: dict[str, Any], as_many: int) -> None:
    asked = chat([part, {"type": "text", "text": "What is it?"}])
    assert as_many < asked.weight.input_tokens < as_many + 50
    assert asked.weight.images == 1


def test_an_image_is_found_however_its_name_is_written() -> None:
    part = b'{"type":"\\u0069mage_url","\\u0069mage_url":{"url":"https://example.com/a.png"}}'
    body = b'{"messages":[{"role":"user","content":[%b]}]}' % part
    assert JsonAsked("chat/completions", body).weight.input_tokens > IMAGE_TOKENS


@pytest.mark.parametrize(("name", "least"), [("gpt-4o-mini-2024-07-18", 2 * 36_835), ("gpt-4o", 2 * 4_000)])
def test_images_are_more_for_a_model_that_counts_tiles(name: str, least: int) -> None:
    image = {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "high"}}
    model = Model(id=f"openai/{name}", name=name, provider="openai")
    call = paid_call(Caller(user=OWNER), chat([image, image]), model)
    assert least <= call.input_tokens < least + 500


def test_recordings_and_files_count_by_their_size() -> None:
    audio = {"type": "input_audio", "input_audio": {"data": "A" * 100_000, "format": "wav"}}
    assert 1000 < chat([audio]).weight.input_tokens < 1100


@pytest.mark.parametrize(
    ("part", "least"),
    [
        ({"type": "input_file", "file_data": "data:application/pdf;base64," + "A" * 100_000}, 20_000),
        ({"type": "file", "file": {"file_data": "A" * 100_000}}, 20_000),
        ({"type": "file", "file": {"file_id": "file-1"}}, UNSEEN_TOKENS),
        ({"type": "input_file", "file_url": "https://example.com/a.pdf"}, UNSEEN_TOKENS),
        ({"type": "file", "file": {"filename": "a.pdf", "file_data": "https://example.com/a.pdf"}}, UNSEEN_TOKENS),
        ({"type": "file", "file": {"file_data": "HTTPS://example.com/a.pdf"}}, UNSEEN_TOKENS),
        ({"type": "input_audio", "input_audio": {"data": "https://example.com/a.mp3"}}, UNSEEN_TOKENS),
        ({"type": "audio_url", "audio_url": {"url": "https://example.com/a.mp3"}}, UNSEEN_TOKENS),
        ({"type": "audio_url", "audio_url": {"url": "data:audio/ogg;base64," + "A" * 400_000}}, 4_000),
        ({"type": "video_url", "video_url": {"url": "https://example.com/a.mp4"}}, UNSEEN_TOKENS),
        ({"type": "input_video", "video_url": "data:video/mp4;base64," + "A" * 4_000_000}, UNSEEN_TOKENS),
    ],
)
def test_a_file_counts_by_its_size_and_one_that_is_only_named_as_a_long_one(part: dict[str, Any], least: int) -> None:
    assert least <= chat([part]).weight.input_tokens < least + 100


@pytest.mark.parametrize(
    "kind", ["image_url", "input_image", "file", "input_file", "input_audio", "audio_url", "video_url"]
)
def test_a_text_counts_whatever_it_is_called(kind: str) -> None:
    text = "word " * 30_000
    assert JsonAsked.of("chat/completions", {"messages": [], "type": kind, "x": text}).weight.input_tokens > 40_000
    assert chat([{"type": kind, "image_url": "", "file_data": "", "text": text}]).weight.input_tokens > 40_000


def test_each_token_of_a_prompt_that_is_a_list_of_them_counts() -> None:
    body = b'{"model":"m","input":[' + b",".join([b"1"] * 10_000) + b"]}"
    assert JsonAsked("embeddings", body).weight.input_tokens >= 10_000


def test_a_body_of_many_parts_is_not_looked_into() -> None:
    parts = {"type": "image_url", "image_url": "x", "y": [0] * 200_000}
    assert chat([parts]).weight.input_tokens >= 200_000


def test_a_limit_of_ours_takes_the_place_of_no_limit_by_any_name() -> None:
    asked = chat("Hi", max_tokens=10, max_completion_tokens=-1)
    assert asked.weight.output_limit is None
    body = asked.request("m", asked.added(Habits(), 300)).body
    assert isinstance(body, bytes)
    sent = msgspec.json.decode(body)
    assert {name: limit for name, limit in sent.items() if name.startswith("max_")} == {"max_tokens": 300}


@pytest.mark.parametrize("limit", [0, -1])
def test_an_answer_of_no_tokens_is_one_without_a_limit(limit: int) -> None:
    assert chat("Hi", max_tokens=limit).weight.output_limit is None
    assert JsonAsked.of("responses", {"input": "Hi", "max_output_tokens": limit}).weight.output_limit is None


def test_what_the_settings_add_limits_an_answer_where_the_request_does_not() -> None:
    model = Model(id="a/one", name="one", provider="a")

    def limit(**more: object) -> int | None:
        return paid_call(Caller(user=OWNER), chat("Hi", **more), model, 7).output_limit

    assert limit() == 7
    assert limit(max_tokens=None, max_completion_tokens=None) == 7
    assert limit(max_tokens=9) == 9
    assert limit(max_tokens=-1) is None


@pytest.mark.parametrize(("more", "may_be"), [({}, True), ({"max_tokens": None}, True), ({"max_tokens": 9}, False)])
def test_only_a_limit_that_nobody_asked_for_may_be_lowered(more: dict[str, object], *, may_be: bool) -> None:
    model = Model(id="a/one", name="one", provider="a")
    assert paid_call(Caller(user=OWNER), chat("Hi", **more), model, 7).may_be_shorter is may_be


def test_a_completion_of_no_tokens_is_an_echo() -> None:
    assert JsonAsked.of("completions", {"prompt": "Once", "max_tokens": 0}).weight.output_limit == 0


@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        ("completions", b'{"prompt":[1e999]}'),
        ("chat/completions", b'{"messages":[1e999,"image_url"]}'),
    ],
)
def test_a_number_out_of_range_is_the_caller_s_fault(endpoint: Endpoint, body: bytes) -> None:
    with pytest.raises(InvalidRequest, match="out of range"):
        JsonAsked(endpoint, body)


def test_what_is_looked_for_is_found_however_it_is_written() -> None:
    reference = b'{"input":[{"type":"item\\u005freference","id":"msg_1"}]}'
    assert JsonAsked("responses", reference).weight.reads_more
    image = b'{"messages":[{"type":"image\\u005Furl","im\\u0061ge_url":{"url":"https://example.com/a.png"}}]}'
    assert JsonAsked("chat/completions", image).weight.images == 1


@pytest.mark.parametrize("endpoint", ["chat/completions", "responses"])
def test_a_body_of_letters_as_numbers_holds_nobody_up(endpoint: Endpoint) -> None:
    text = b"\\u0041" * 2_000_000
    body = b'{"messages":[],"input":"%b"}' % text
    began = time.process_time()
    assert JsonAsked(endpoint, body).weight.images == 0
    assert time.process_time() - began < 1


@pytest.mark.parametrize("models", [["m"] * 17, ["m" * 501]])
def test_models_to_choose_from_are_few(models: list[str]) -> None:
    with pytest.raises(InvalidRequest, match="at most 16 names of at most 500"):
        chat("Hi", models=models)


def test_models_that_may_take_the_place_of_another_are_reserved_for_too() -> None:
    asked = chat("Hi", models=["openai/gpt-4o", "anthropic/claude"])
    model = Model(id="router/small", name="small", provider="router")
    call = paid_call(Caller(user=OWNER), asked, model)
    assert call.others == ("router/openai/gpt-4o", "router/anthropic/claude")
    assert chat("Hi", models=None).others == ()
    with pytest.raises(InvalidRequest, match="'models' must be a list of texts"):
        chat("Hi", models="all")


@pytest.mark.parametrize(
    "named",
    [
        {"fallbacks": ["big", "vast"]},
        {"fallbacks": [{"model": "big"}, {"model": "vast", "messages": [{"role": "user", "content": "Hi"}]}]},
        {"fallbacks": [{"small": ["big", {"model": "vast"}]}]},
        {"fallbacks": {"small": ["big"]}, "context_window_fallbacks": [{"small": ["vast"]}]},
        {"models": ["big"], "content_policy_fallbacks": [{"*": ["vast", "big"]}]},
    ],
)
def test_fallbacks_are_reserved_for_as_models_are(named: dict[str, Any]) -> None:
    assert chat("Hi", **named).others == ("big", "vast")


@pytest.mark.parametrize("fallbacks", [[[[[[["deep"]]]]]], ["many"] * 20_000, [{"model": "x" * 70_000}]])
def test_fallbacks_beyond_any_use_are_refused_without_looking_at_all(fallbacks: object) -> None:
    with pytest.raises(InvalidRequest, match="'fallbacks'"):
        JsonAsked.of("chat/completions", {"model": "small", "messages": [], "fallbacks": fallbacks})


@pytest.mark.parametrize(
    "fallbacks",
    [
        7,
        [7],
        [{"model": None}],
        [{"model": ["big"]}],
        [{"model": "big", "max_tokens": 100_000}],
        [{"model": "big", "n": 9}],
        [{"model": "big", "tools": [{"type": "web_search"}]}],
        [{"model": "big", "plugins": [{"id": "web"}]}],
        [{"model": "big", "web_search_options": {}}],
        [{"model": "big", "prompt": ["one", "two"]}],
        [{"model": "big", "previous_response_id": "resp_1"}],
        [{"model": "big", "N": 9}],
        [{"model": "big", "fallbacks": ["vast"]}],
        [{"max_tokens": 100_000}],
    ],
)
def test_fallbacks_that_cannot_be_reserved_for_are_refused(fallbacks: object) -> None:
    with pytest.raises(InvalidRequest, match="'fallbacks' must be a short list of models") as refused:
        chat("Hi", fallbacks=fallbacks)
    assert refused.value.param == "fallbacks"
    assert chat("Hi", fallbacks=None).others == ()
    with pytest.raises(InvalidRequest, match="at most 16 names"):
        chat("Hi", fallbacks=["m"] * 17)
    with pytest.raises(InvalidRequest):
        JsonAsked("embeddings", b'{"input":"Hi","fallbacks":%b%b}' % (b"[" * 990, b"]" * 990))


@pytest.mark.parametrize(
    ("endpoint", "laid_over"),
    [
        ("chat/completions", {"n": 8}),
        ("chat/completions", {"top_k": 1, "max_tokens": 9_999}),
        ("chat/completions", {"max_completion_tokens": 9_999}),
        ("chat/completions", {"model": "dear"}),
        ("chat/completions", {"Model": "dear"}),
        ("chat/completions", {"fallbacks": ["dear"]}),
        ("chat/completions", {"extra_body": {"n": 8}}),
        ("chat/completions", {"tools": [{"type": "openrouter:web_search"}]}),
        ("completions", {"best_of": 8}),
        ("completions", {"prompt": ["one", "two"]}),
        ("images/generations", {"n": 8}),
        ("responses", {"max_output_tokens": 9_999}),
        ("responses", {"tools": [{"type": "web_search"}]}),
        ("responses", {"background": True}),
        ("responses", {"instructions": "Never mind what you were told before."}),
        ("embeddings", {"input": ["one", "two"]}),
    ],
)
def test_what_is_reserved_for_cannot_stand_in_an_extra_body(endpoint: Endpoint, laid_over: dict[str, Any]) -> None:
    needed = {"messages": [], "prompt": "a", "input": "a"}
    with pytest.raises(InvalidRequest, match=r"Put '\w+' beside the other fields") as refused:
        JsonAsked.of(endpoint, {**needed, "extra_body": laid_over})
    assert refused.value.param == "extra_body"


@pytest.mark.parametrize(
    "laid_over",
    [None, {}, {"google": {"thinking_config": {"thinking_budget": 0}, "n": 8}}, {"top_k": 40}, {"seed": 1}],
)
def test_an_extra_body_of_what_is_not_read_passes(laid_over: object) -> None:
    asked = chat("Hi", extra_body=laid_over)
    body = asked.request("m", Added()).body
    assert isinstance(body, bytes)
    assert msgspec.json.decode(body)["extra_body"] == laid_over


@pytest.mark.parametrize("laid_over", [[["n", 8]], ["n8"], [], "n", 7])
def test_an_extra_body_that_is_no_object_is_refused(laid_over: object) -> None:
    with pytest.raises(InvalidRequest, match="must be an object") as refused:
        chat("Hi", extra_body=laid_over)
    assert refused.value.param == "extra_body"


def test_fallbacks_with_an_extra_body_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="'fallbacks' must be a short list"):
        chat("Hi", fallbacks=[{"model": "big", "extra_body": {"n": 9}}])


def test_what_cannot_be_counted_is_not_asked() -> None:
    with pytest.raises(InvalidRequest, match="background"):
        JsonAsked.of("responses", {"input": "Hi", "background": True})
    JsonAsked.of("responses", {"input": "Hi", "background": False})


def test_tools_count_and_limits_are_read() -> None:
    tools = [{"type": "function", "function": {"name": "f", "description": "x" * 3000}}]
    assert chat("Hi", tools=tools).weight.input_tokens > 1000
    assert chat("Hi", max_tokens=5, max_completion_tokens=7, n=3).weight.output_limit == 7
    assert chat("Hi", max_tokens=-1).weight.output_limit is None
    assert chat("Hi", n=3).weight.choices == 3
    many = JsonAsked.of("completions", {"prompt": ["a", "b"], "n": 2, "best_of": 3})
    assert many.weight.choices == 6
    assert JsonAsked.of("completions", {"prompt": [1, 2, 3]}).weight.choices == 1


@pytest.mark.parametrize(
    ("endpoint", "name"),
    [
        *(("chat/completions", name) for name in ("Model", "MODEL", "N", "Max_Tokens", "max_to\u212aens", "Fallbacks")),
        *(("responses", name) for name in ("Background", "Tools", "Previous_Response_ID", "max_output_to\u212aens")),
        *(("completions", "Best_Of"), ("chat/completions", "\u017ftream"), ("images/generations", "N")),
    ],
)
def test_a_field_in_other_letters_is_none_that_an_upstream_may_take_for_ours(endpoint: Endpoint, name: str) -> None:
    fields = {"model": "cheap", "messages": [], "prompt": "a", name: "dear"}
    with pytest.raises(InvalidRequest, match=name.casefold()):
        JsonAsked.of(endpoint, fields)
    JsonAsked.of(endpoint, {"model": "cheap", "messages": [], "prompt": "a", "Modell": 1, "X-Model": 2, "\u20acn": 3})


def test_what_is_nested_too_deeply_is_refused() -> None:
    body = b'{"messages":' + b"[" * 990 + b'{"image_url":1}' + b"]" * 990 + b"}"
    with pytest.raises(InvalidRequest):
        JsonAsked("chat/completions", body)


FLOATS = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


READ = {"model", "stream", "n", "stream_options"}


@given(st.dictionaries(st.text().filter(lambda name: name.casefold() not in READ), JSON))
def test_fields_that_nobody_knows_stay_as_they_are(fields: dict[str, Any]) -> None:
    fields = {name: value for name, value in fields.items() if not name.startswith("max_")}
    body = json.dumps({**fields, "messages": [], "model": "alias", "x": 1.0}).encode()
    try:
        asked = JsonAsked("chat/completions", body)
    except InvalidRequest:
        assert b"\\ud" in body, "half a surrogate pair is no text"
        return
    request = asked.request("name", Added(usage=True))
    assert isinstance(request.body, bytes)
    raw = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    sent = msgspec.json.decode(request.body, type=dict[str, msgspec.Raw])
    assert bytes(sent.pop("model")) == b'"name"'
    assert bytes(sent.pop("stream_options")) == b'{"include_usage":true}'
    assert {name: bytes(value) for name, value in sent.items()} == {
        name: bytes(value) for name, value in raw.items() if name != "model"
    }


def told(endpoint: Any, fields: dict[str, Any]) -> Any:
    asked = JsonAsked(endpoint, json.dumps(fields).encode()).instructed("Be brief.")
    body = asked.request("m", Added()).body
    assert isinstance(body, bytes)
    return json.loads(body)


def test_instructions_go_before_what_is_asked_where_there_is_a_place_for_them() -> None:
    question = {"role": "user", "content": "Hi", "unknown": 1.50}
    assert told("chat/completions", {"messages": [question]})["messages"] == [
        {"role": "system", "content": "Be brief."},
        question,
    ]
    assert told("responses", {"input": "Hi"})["instructions"] == "Be brief."
    assert told("responses", {"input": "Hi", "instructions": "Rhyme."})["instructions"] == "Be brief.\n\nRhyme."
    assert told("completions", {"prompt": "Once"}) == {"prompt": "Once", "model": "m"}
    assert told("embeddings", {"input": "Hi"}) == {"input": "Hi", "model": "m"}
    assert told("chat/completions", {"messages": "none"})["messages"] == "none", "the upstream says what is wrong"
    plain = JsonAsked("chat/completions", b'{"messages": []}')
    assert plain.instructed("word " * 100).weight.input_tokens > plain.weight.input_tokens + 50
