"""What is spoken: how long it may be, what it costs, and that sound passes as it comes."""

from itertools import product

import msgspec
import pytest
from gateway.bed import OWNER, RememberingMeter

from daehwa.accounts.answer_lengths import unasked_output
from daehwa.accounts.keys import Caller
from daehwa.accounts.price_list import PricedUpstream, PriceList
from daehwa.accounts.prices import Price, cost, dearest, spoken
from daehwa.conversation.errors import InvalidRequest
from daehwa.conversation.image_tokens import IMAGE_TOKENS
from daehwa.conversation.messages import Usage
from daehwa.conversation.ports import Model
from daehwa.gateway.asking import JsonAsked
from daehwa.gateway.counting import Counted, paid_call
from daehwa.gateway.tap import PassingTap, UsageTap

NOW = 1_795_305_600_000  # 2026-11-22
PRICES = PriceList({"openai": PricedUpstream(base_url="https://api.openai.com/v1")})
PAGE = "The sea was quiet. " * 215
"""4,085 letters; a text of 4,096 was spoken in 268 seconds, for about 5,260 tokens."""


def speech(text: object, **fields: object) -> JsonAsked:
    return JsonAsked.of("audio/speech", {"model": "gpt-4o-mini-tts", "voice": "coral", "input": text, **fields})


def price_of(name: str) -> Price:
    price = PRICES.price_of(f"openai/{name}", now=NOW)
    assert price is not None
    return price


def test_a_page_counts_as_what_it_takes_and_reserves_seven_times_that() -> None:
    said = speech(PAGE).weight.speech
    assert said.characters == len(PAGE)
    assert said.likely_tokens == pytest.approx(5260, rel=0.1)
    assert said.most_tokens == pytest.approx(7 * said.likely_tokens, rel=0.1)


def test_slow_speech_is_longer_and_quick_one_reserves_no_less() -> None:
    usual = speech(PAGE).weight.speech
    assert speech(PAGE, speed=0.25).weight.speech.most_tokens == 4 * usual.most_tokens
    assert speech(PAGE, speed=4).weight.speech == usual
    assert speech(PAGE, speed=None).weight.speech == usual
    assert speech("안녕하세요").weight.speech.characters == 5


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        *(({"speed": speed}, "speed") for speed in (0, -1, 0.24, 4.1, 10**400, "1", True, [1])),
        *(({"input": text}, "input") for text in (None, 7, ["a"], {"text": "a"})),
        ({"Speed": 1}, "speed"),
        ({"extra_body": {"input": "a"}}, "extra_body"),
        ({"extra_body": {"speed": 0.25}}, "extra_body"),
    ],
)
def test_what_cannot_be_spoken_is_refused(fields: dict[str, object], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        speech("Hi", **fields) if "input" not in fields else speech(fields["input"])
    assert refused.value.param == param


@pytest.mark.parametrize(("name", "dollars"), [("tts-1", 15), ("tts-1-hd", 30)])
def test_some_are_paid_by_the_letter(name: str, dollars: int) -> None:
    model = Model(id=f"openai/{name}", name=name, provider="openai")
    call = paid_call(Caller(user=OWNER), speech(PAGE), model)
    assert (call.kind, call.characters) == ("speech", len(PAGE))
    assert spoken(price_of(name), len(PAGE)) == len(PAGE) * dollars
    assert dearest(call, unasked_output(call), price_of(name)) == len(PAGE) * dollars
    assert not price_of(name).is_free


async def test_others_by_the_token_of_sound_which_is_reserved_and_else_estimated() -> None:
    price, meter = price_of("gpt-4o-mini-tts"), RememberingMeter()
    model = Model(id="openai/gpt-4o-mini-tts", name="gpt-4o-mini-tts", provider="openai")
    asked = speech(PAGE)
    call = paid_call(Caller(user=OWNER), asked, model)
    most = dearest(call, unasked_output(call), price)
    one = Counted(await meter.open(call), asked, call, None)
    tap = PassingTap()
    assert tap.feed(b"ID3 \n\ndata: {") == b"ID3 \n\ndata: {"
    await one.end_stream(tap)
    usage = meter.outcomes[0].usage
    assert usage is not None
    assert usage.estimated
    assert cost(usage, price, kind="speech") == pytest.approx(63_000, rel=0.15)  # 268 seconds, 1.5 cents a minute
    assert cost(usage, price, kind="speech") * 6 < most


async def test_events_say_what_was_used_and_an_error_after_sound_is_paid() -> None:
    meter, asked = RememberingMeter(), speech("Hi", stream_format="sse")
    call = paid_call(Caller(user=OWNER), asked, Model(id="a/b", name="b", provider="a"))
    sound = {"type": "speech.audio.delta", "audio": "UklG" * 99}
    done = {"type": "speech.audio.done", "usage": {"input_tokens": 3, "output_tokens": 40, "total_tokens": 43}}
    for last, usage in ((done, Usage(input=3, output=40)), ({"error": {"message": "Oh."}}, None)):
        tap = UsageTap(strip=False)
        tap.feed(b"data: " + msgspec.json.encode(sound) + b"\n\n")
        tap.feed(b"data: " + msgspec.json.encode(last) + b"\n\n")
        await Counted(await meter.open(call), asked, call, None).end_stream(tap)
        counted = meter.outcomes[-1].usage
        assert counted is not None
        assert counted == (usage or counted)
        assert counted.output > 0
        assert counted.estimated is (usage is None)


def test_pictures_that_are_sent_have_a_price_of_their_own() -> None:
    price = price_of("gpt-image-1")  # $5 a million tokens of text, $10 of pictures, $40 of what is drawn
    usage = Usage(input=310, output=100)
    assert cost(usage, price, kind="image", shown=300) == 10 * 5 + 300 * 10 + 100 * 40
    assert cost(usage, price, kind="image") == 310 * 5 + 100 * 40
    assert cost(usage, price, kind="response", shown=300) == 310 * 5 + 100 * 40
    assert cost(Usage(input=10), price, kind="image", shown=99) == 100


@pytest.mark.parametrize("usage", [None, {}, {"input_tokens": 0, "output_tokens": 0}])
async def test_pictures_keep_their_price_where_nobody_counts_them(usage: object) -> None:
    meter, asked = RememberingMeter(), JsonAsked.of("images/generations", {"prompt": "A sea", "image": "a"})
    call = paid_call(Caller(user=OWNER), asked, Model(id="openai/gpt-image-1", name="gpt-image-1", provider="openai"))
    body = msgspec.json.encode({"data": [{"b64_json": "x"}], "usage": usage})
    await Counted(await meter.open(call), asked, call, None).end_whole(body)
    (outcome,) = meter.outcomes
    assert outcome.usage is not None
    assert (outcome.usage.estimated, outcome.shown) == (True, IMAGE_TOKENS)


@pytest.mark.parametrize(
    ("fields", "pictures"),
    [
        ({"image": "https://a.example/1.png"}, 1),
        ({"images": [{"file_id": "file-1"}, "https://a.example/2.png"], "mask": "a"}, 3),
        ({"image": None}, 0),
        ({}, 0),
    ],
)
def test_pictures_to_draw_from_are_reserved_in_json_too(fields: dict[str, object], pictures: int) -> None:
    weight = JsonAsked.of("images/generations", {"prompt": "A sea", **fields}).weight
    assert weight.shown_tokens == pictures * IMAGE_TOKENS
    assert 0 < weight.input_tokens - weight.shown_tokens < 60


@pytest.mark.parametrize("fields", [{"extra_body": {"image": ["https://a.example/1.png"]}}, {"Image": "a"}])
def test_pictures_that_would_be_found_after_the_reservation_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest, match="image"):
        JsonAsked.of("images/generations", {"prompt": "A sea", **fields})
    JsonAsked.of("chat/completions", {"messages": [], **fields})  # where no pictures are looked for by these names


@pytest.mark.parametrize(("partial", "n"), [*product((0, 3), (1, 2))])
def test_partial_images_are_reserved(partial: int, n: int) -> None:
    asked = JsonAsked.of("images/generations", {"prompt": "A sea", "n": n, "partial_images": partial})
    call = paid_call(Caller(user=OWNER), asked, Model(id="openai/gpt-image-1", name="gpt-image-1", provider="openai"))
    most = dearest(call, unasked_output(call), price_of("gpt-image-1"))
    assert most >= n * (6_240 + 100 * partial) * 40
    for wrong in (-1, 101, 1.5, "3"):
        with pytest.raises(InvalidRequest, match="'partial_images' must be a whole number"):
            JsonAsked.of("images/generations", {"prompt": "A sea", "partial_images": wrong})


def test_openais_moderation_is_free_and_others_are_not_known() -> None:
    assert price_of("omni-moderation-latest").is_free
    assert price_of("text-moderation-stable").is_free
    assert PRICES.price_of("openai/gpt-9-mystery", now=NOW) is None
    tuned = "ft:gpt-4.1-2025-04-14:acme:content-moderation-v2:abc"  # its price is in no table, and it has one
    assert PRICES.price_of(f"openai/{tuned}", now=NOW) is None
    others = PriceList({"work": PricedUpstream(base_url="https://llm.example.com/v1")})
    assert others.price_of("work/omni-moderation-latest", now=NOW) is None
