import pytest

from daehwa.sign_in.errors import PasswordRefused
from daehwa.sign_in.password_rules import checked_password, normalized


@pytest.mark.parametrize(
    "password",
    [
        *("correct horse", "battery staple 1", "비밀번호는길어야한다고", "ein langer satz", "xkcd9-2plum-trees"),
        *("    spaces count too    ", "thirteen-owls!", "긴 비밀번호 하나 둘 셋"),
    ],
)
def test_long_ones_are_taken_whatever_they_are_made_of(password: str) -> None:
    if len(password) < 12:
        password += " 그리고"
    assert checked_password(password, ("mina", "Mina Kim")) == normalized(password)


@pytest.mark.parametrize(
    "password",
    [
        *("", "short", "elevenchars", "x" * 1025, "ﷺ" * 100),
        *("aaaaaaaaaaaaaa", "121212121212", "abcabcabcabcabc", "123456789012", "210987654321", "qwertyuiopasdf"),
        *("abcdefghijklmnop", "1q2w3e4r5t6y", "passwordpassword", "Password1234567", "iloveyou!!!!!!", "!!!letmein!!!"),
        *(
            "correcthorsebatterystaple",
            "correct horse battery staple",
            "MinaKim2026!",
            "mina@example.com",
            "minaminamina",
        ),
        *("minaminamina", "mina kim 1987", "a\ud800bcdefghijkl", "with\nnewlines here"),
    ],
)
def test_short_ones_and_what_is_tried_first_are_refused(password: str) -> None:
    with pytest.raises(PasswordRefused):
        checked_password(password, ("mina@example.com", "Mina Kim", "mina"))


def test_however_it_is_typed_it_is_the_same() -> None:
    assert checked_password("café au lait, please") == checked_password("café au lait, please")
    assert checked_password("\uff46\uff55\uff4c\uff4c width letters") == "full width letters"
