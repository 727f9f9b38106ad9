"""Codes of authenticator apps, held to the vectors of RFC 4226 (appendix D) and RFC 6238 (appendix B)."""

import pytest

from daehwa.sign_in.one_time_codes import (
    code_at,
    is_code,
    new_recovery_codes,
    new_secret,
    provisioning_uri,
    recovery_text,
    step_of,
    written,
)

SECRET = b"12345678901234567890"
COUNTED = ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"]
TIMED = {
    59: "94287082",
    1111111109: "07081804",
    1111111111: "14050471",
    1234567890: "89005924",
    2000000000: "69279037",
    20000000000: "65353130",
}


def test_counted_codes_are_those_of_the_standard() -> None:
    assert [code_at(SECRET, count) for count in range(10)] == COUNTED


@pytest.mark.parametrize("second", TIMED)
def test_timed_codes_are_those_of_the_standard(second: int) -> None:
    assert code_at(SECRET, second // 30, digits=8) == TIMED[second]
    assert step_of(SECRET, TIMED[second][2:], now=second * 1000) == second // 30


def test_a_step_before_and_after_counts_and_none_twice() -> None:
    now, step = 1_700_000_000_000, 1_700_000_000 // 30
    for near in (step - 1, step, step + 1):
        assert step_of(SECRET, code_at(SECRET, near), now=now) == near
        assert step_of(SECRET, code_at(SECRET, near), now=now, after=near) is None
        assert step_of(SECRET, code_at(SECRET, near), now=now, after=near - 1) == near
    for far in (step - 2, step + 2):
        assert step_of(SECRET, code_at(SECRET, far), now=now) is None
    assert step_of(SECRET, code_at(SECRET, 0), now=0) == 0


@pytest.mark.parametrize("text", ["", "12345", "1234567", "12345a", "١٢٣٤٥٦", "12 456"])
def test_what_is_no_code_is_known(text: str) -> None:
    assert not is_code(text)


def test_what_an_app_is_told_is_whole() -> None:
    secret = new_secret()
    assert len(secret) == 20
    uri = provisioning_uri(secret, "mina@example.com", "daehwa")
    assert uri == (
        f"otpauth://totp/daehwa%3Amina%40example.com?secret={written(secret)}&issuer=daehwa"
        "&algorithm=SHA1&digits=6&period=30"
    )


def test_recovery_codes_are_read_however_they_are_typed() -> None:
    codes = new_recovery_codes()
    assert len(set(codes)) == 10
    for code in codes:
        assert recovery_text(code) == recovery_text(f" {code.upper().replace('-', ' ')} ") == code.replace("-", "")
