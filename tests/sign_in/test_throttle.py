import asyncio

import pytest

from daehwa.sign_in.challenges import Challenges
from daehwa.sign_in.errors import TooManyAttempts
from daehwa.sign_in.known_browsers import known_as
from daehwa.sign_in.passwords import HashCost, Passwords
from daehwa.sign_in.throttle import Pace, Throttle
from daehwa.sign_in.visitors import Visitor

PACE = Pace(tries=3, seconds=10)


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000_000

    def __call__(self) -> int:
        return self.now


def test_tries_come_back_slowly() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    for _ in range(3):
        throttle.take("x", PACE)
    with pytest.raises(TooManyAttempts) as refused:
        throttle.take("x", PACE)
    assert 10 <= refused.value.retry_after <= 11
    throttle.take("y", PACE)
    clock.now += 10_000
    throttle.take("x", PACE)
    with pytest.raises(TooManyAttempts):
        throttle.take("x", PACE)
    throttle.give_back("x")
    throttle.take("x", PACE)
    throttle.give_back("unknown")


def _guessed_at(clock: Clock) -> Throttle:
    """Return one with a full bucket, "x", and one that is used up, "guessed at"."""
    throttle = Throttle(clock)
    throttle.take("x", PACE)
    throttle.give_back("x")
    for _ in range(3):
        throttle.take("guessed at", PACE)
    return throttle


def test_a_clock_that_is_put_back_locks_nobody_out() -> None:
    clock = Clock()
    throttle = _guessed_at(clock)
    clock.now -= 3_600_000
    for name in ("x", "guessed at"):
        for _ in range(3):
            throttle.take(name, PACE)
        with pytest.raises(TooManyAttempts) as refused:
            throttle.take(name, PACE)
        assert 10 <= refused.value.retry_after <= 11


def test_a_clock_that_is_put_back_a_little_gives_no_tries() -> None:
    clock = Clock()
    throttle = _guessed_at(clock)
    for _ in range(5):
        clock.now -= 2_000
        with pytest.raises(TooManyAttempts) as refused:
            throttle.take("guessed at", PACE)
        assert 10 <= refused.value.retry_after <= 11
    for _ in range(3):
        throttle.take("x", PACE)
    clock.now += 10_000
    throttle.take("guessed at", PACE)
    with pytest.raises(TooManyAttempts):
        throttle.take("guessed at", PACE)


def test_it_remembers_no_more_than_it_may() -> None:
    clock = Clock()
    throttle = Throttle(clock, most=100)
    for number in range(1000):
        throttle.take(f"{number}", PACE)
    for _ in range(3):
        throttle.take("guessed at", PACE)
    assert len(throttle._buckets) <= 101
    clock.now += 100_000
    for number in range(1000):
        throttle.take(f"{number}", PACE)
    assert len(throttle._buckets) <= 101


def test_a_challenge_is_sealed_and_counts_once() -> None:
    clock = Clock()
    challenges = Challenges(clock)
    text, challenge = challenges.new("use")
    assert challenges.open("use", text) == challenge
    assert challenges.open("make", text) != challenge
    assert Challenges(clock).open("use", text) != challenge
    for strange in (None, "", ".", "x.y", "-1.a", f"{10**30:x}.a", f"{clock.now:x}.a"):
        assert challenges.open("use", strange) is None
    assert challenges.use_up(text)
    assert not challenges.use_up(text)
    assert challenges.open("use", text) is None


@pytest.mark.parametrize(
    ("address", "network"),
    [
        (None, "nowhere"),
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("not one", "not one"),
    ],
)
def test_one_customer_s_addresses_count_together(address: str | None, network: str) -> None:
    assert Visitor(address=address).network == network


async def test_hashes_wait_in_a_line_that_has_an_end() -> None:
    passwords = Passwords(HashCost(passes=1, memory_kib=64))
    results = await asyncio.gather(*(passwords.hashed("x") for _ in range(50)), return_exceptions=True)
    assert sum(isinstance(result, TooManyAttempts) for result in results) == 50 - Passwords.MOST_WAITING
    kept = await passwords.hashed("a password")
    assert kept.startswith("$argon2id$v=19$m=64,t=1,p=1$")
    assert (await passwords.check(kept, "a password")).is_right
    assert not (await passwords.check(kept, "another")).is_right
    assert not (await passwords.check(None, "")).is_right
    assert not (await passwords.check("nonsense", "x")).is_right
    assert known_as("x.y", None) is None
    await passwords.aclose()
