"""What a call costs, counted by hand and by rules that hold for every price."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daehwa.accounts.prices import FREE, Price, Rates, cost, dearest
from daehwa.conversation.messages import Usage
from daehwa.conversation.metering import PaidCall

GPT_4O = Price(rates=(Rates(0, 2_500_000, 10_000_000, 1_250_000),))
TIERED = Price(rates=(Rates(0, 1_000_000, 4_000_000, 100_000), Rates(200_000, 2_000_000, 6_000_000, 200_000)))
SONAR = Price(rates=(Rates(0, 1_000_000, 1_000_000),), request=12_000)
WHISPER = Price(hour=360_000)
TRANSCRIBE = Price(rates=(Rates(0, 2_500_000, 10_000_000, audio=6_000_000),))
IMAGES = Price(rates=(Rates(0, 5_000_000, 10_000_000, 1_250_000, image=32_000_000),))
DRAWN = Price(image=40_000)


@pytest.mark.parametrize(
    ("usage", "price", "micro_dollars"),
    [
        # 1,000 × $2.50 and 500 × $10 a million.
        (Usage(input=1000, output=500), GPT_4O, 2_500 + 5_000),
        # 600 of the 1,000 were cached: 400 × $2.50 + 600 × $1.25.
        (Usage(input=1000, output=500, cached=600), GPT_4O, 1_000 + 750 + 5_000),
        # One token is two and a half micro-dollars: rounded up.
        (Usage(input=1), GPT_4O, 3),
        (Usage(), GPT_4O, 0),
        # Reasoning is output, and costs what output costs.
        (Usage(input=10, output=100, reasoning=80), GPT_4O, 25 + 1_000),
        # Exactly 200,000 tokens are below the step, one more is above it, and then all of them cost more.
        (Usage(input=200_000, output=10), TIERED, 200_000 + 40),
        (Usage(input=200_001, output=10), TIERED, 400_002 + 60),
        (Usage(input=200_001, cached=200_001), TIERED, 40_001),
        # What is paid for a request is paid without a token, too.
        (Usage(input=100, output=100), SONAR, 12_000 + 200),
        (Usage(), SONAR, 12_000),
        # An upstream that counts more cached tokens than tokens does not make it cheaper than all cached.
        (Usage(input=1000, cached=5000), GPT_4O, 1_250),
        (Usage(input=1_000_000_000, output=1_000_000_000), FREE, 0),
    ],
)
def test_tokens_cost_what_they_cost_by_hand(usage: Usage, price: Price, micro_dollars: int) -> None:
    assert cost(usage, price) == micro_dollars


def test_audio_is_paid_by_the_second_or_by_its_own_tokens() -> None:
    assert cost(Usage(), WHISPER, kind="audio", seconds=60) == 6_000  # $0.006 a minute
    assert cost(Usage(), WHISPER, kind="audio", seconds=0.001) == 1
    assert cost(Usage(input=1000, output=100), TRANSCRIBE, kind="audio") == 6_000 + 1_000
    assert cost(Usage(input=1000, output=100), TRANSCRIBE, kind="chat") == 2_500 + 1_000


def test_images_are_paid_one_by_one_or_by_their_own_tokens() -> None:
    assert cost(Usage(), DRAWN, kind="image", images=3) == 120_000
    assert cost(Usage(input=100, output=1000), IMAGES, kind="image") == 500 + 32_000


def test_the_dearest_has_nothing_cached_and_every_answer_at_its_longest() -> None:
    call = PaidCall(id="1", kind="chat", user="me", model="a/b", input_tokens=1000, choices=3)
    assert dearest(call, 500, GPT_4O) == 2_500 + 15_000
    # Where what is cached, or thought, costs more than the rest, that is the dearest.
    odd = Price(rates=(Rates(0, 1_000_000, 1_000_000, 3_000_000, 5_000_000),))
    assert dearest(call, 500, odd) == 3_000 + 7_500


def test_only_what_never_costs_anything_is_free() -> None:
    assert FREE.is_free
    assert Price(rates=(Rates(0, 0, 0, 0), Rates(1000, 0, 0))).is_free
    assert not any(price.is_free for price in (GPT_4O, SONAR, WHISPER, DRAWN))


AMOUNTS = st.integers(0, 10**8)
RATES = st.integers(0, 10**9)
USAGES = st.builds(Usage, input=AMOUNTS, output=AMOUNTS, cached=AMOUNTS, reasoning=AMOUNTS)
PRICES = st.builds(
    lambda rates, request, hour, image: Price(rates=(Rates(0, *rates),), request=request, hour=hour, image=image),
    st.tuples(RATES, RATES, st.none() | RATES, st.none() | RATES),
    RATES,
    RATES,
    RATES,
)


@given(USAGES, PRICES, st.floats(0, 10**6), st.integers(0, 100))
def test_a_cost_is_a_whole_number_and_never_negative(usage: Usage, price: Price, seconds: float, images: int) -> None:
    found = cost(usage, price, kind="audio", seconds=seconds, images=images)
    assert type(found) is int
    assert found >= 0


@given(USAGES, PRICES, AMOUNTS, st.sampled_from(["input", "output"]))
def test_more_tokens_never_cost_less(usage: Usage, price: Price, more: int, field: str) -> None:
    usage = Usage(input=usage.input, output=usage.output)
    larger = msgspec.structs.replace(usage, **{field: getattr(usage, field) + more})
    assert cost(larger, price) >= cost(usage, price)


@given(USAGES, USAGES, PRICES)
def test_two_calls_cost_what_both_together_do_but_for_rounding(one: Usage, two: Usage, price: Price) -> None:
    price = msgspec.structs.replace(price, request=0)
    one, two = (msgspec.structs.replace(u, cached=min(u.cached, u.input), reasoning=0) for u in (one, two))
    both = Usage(input=one.input + two.input, output=one.output + two.output, cached=one.cached + two.cached)
    assert 0 <= cost(one, price) + cost(two, price) - cost(both, price) <= 1


@given(USAGES, PRICES, st.integers(1, 4))
def test_nothing_within_the_limits_costs_more_than_the_dearest(usage: Usage, price: Price, choices: int) -> None:
    call = PaidCall(id="1", kind="chat", user="me", model="a/b", input_tokens=usage.input, choices=choices)
    assert cost(usage, price) <= dearest(call, -(-usage.output // choices), price)
