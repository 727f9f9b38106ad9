"""What a password must be: long, and nothing that anybody would try first. What it is made of is its owner's business.

Rules of composition make people write `Password1!`; length is what guessing runs aground on (NIST SP 800-63B, 3.1.1).
"""

import unicodedata
from collections.abc import Iterable

from daehwa.sign_in.errors import PasswordRefused

LEAST_CHARACTERS = 12
MOST_CHARACTERS = 1024
_LEAST_DIFFERENT = 5
"""Fewer different letters than that are a pattern, such as `aaaaaaaaaaaa` or `121212121212`."""
_RUNS = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890123456789",
    "qwertyuiopasdfghjklzxcvbnm",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/",
    "1q2w3e4r5t6y7u8i9o0p",
    "ㅂㅈㄷㄱㅅㅛㅕㅑㅐㅔㅁㄴㅇㄹㅎㅗㅓㅏㅣㅋㅌㅊㅍㅠㅜㅡ",
)
# The long ones among the passwords that leaks hold most often, written small and without what is put around them.
_MOST_USED_TEXT = """
admin adminadminadmin administrator administratoradmin asdfasdfasdf asdfghasdfgh baseball batman
changemechangeme chelseafootball computercomputer correcthorsebatterystaple daehwadaehwa defaultpassword dragon
dragondragon football footballfootball fuckyoufuckyou godisgoodallthetime godisgreat123 hellohello helloworld
helloworld123 ilovemyfamily ilovemymother ilovemyself iloveyou iloveyouforever iloveyouiloveyou iloveyousomuch
jesuschrist jesusislord jesuslovesme justinbieber leicestercity letmein letmeinletmein linkinpark liverpoolfc
manager manchesterunited masterofpuppets michaeljackson minecraftminecraft monkey monkeymonkey mypassword
mypasswordismypassword newpassword onedirection opensesame passw0rdpassw0rd password passwordispassword
passwordpassword pokemonpokemon princess princessprincess qazwsxedcrfv qwerty qwertypassword qwertyqwerty
qwertyuiop rockyourockyou secretsecret securepassword spongebobsquarepants starwars starwarsstarwars
strongpassword sunshine sunshinesunshine superman superman123456 supervisor temporarypassword temppassword
thisismypassword trustno1 trustnoonetrustno1 unknownunknown welcome welcomewelcome whateverwhatever yourpassword
zxcvbnmzxcvbnm
"""
_MOST_USED = frozenset(_MOST_USED_TEXT.split())
_AROUND = "0123456789!?.,;:@#$%^&*()-_=+~ "


def normalized(text: str) -> str:
    """Return a password as it is hashed, however a keyboard has put it together (NFKC, as NIST asks).

    Raise `PasswordRefused` where it is longer than anybody's, before anything is done with it.
    """
    if len(text) > MOST_CHARACTERS:
        raise PasswordRefused(f"A password has at most {MOST_CHARACTERS:,} characters.")
    text = unicodedata.normalize("NFKC", text)
    if len(text) > MOST_CHARACTERS:  # one sign may stand for eighteen
        raise PasswordRefused(f"A password has at most {MOST_CHARACTERS:,} characters.")
    return text


def checked_password(text: str, own: Iterable[str] = ()) -> str:
    """Return a new password as it is to be hashed. `own` is what its owner is called. Raise `PasswordRefused`."""
    password = normalized(text)
    if len(password) < LEAST_CHARACTERS:
        raise PasswordRefused(f"A password has at least {LEAST_CHARACTERS} characters. A few words make a good one.")
    folded = password.casefold()
    if any(0xD800 <= ord(letter) <= 0xDFFF or ord(letter) < 0x20 for letter in password):  # noqa: PLR2004 - half signs
        raise PasswordRefused("A password is made of letters, digits, signs and spaces.")
    if len(set(folded)) < _LEAST_DIFFERENT or _is_run(folded) or _is_repeated(folded):
        raise PasswordRefused("This password is a pattern that is tried first. A few words make a better one.")
    core = folded.strip(_AROUND)
    if core in _MOST_USED or "".join(core.split()) in _MOST_USED:
        raise PasswordRefused("This password is one of those that everybody tries first. Choose another one.")
    for name in own:
        if _is_mostly(folded, name):
            raise PasswordRefused("A password must not be its owner's own name or address. Choose another one.")
    return password


def _is_run(text: str) -> bool:
    """Whether it walks along the alphabet, the digits or a row of the keyboard, either way."""
    return any(text in run * (len(text) // len(run) + 2) for row in _RUNS for run in (row, row[::-1]))


def _is_repeated(text: str) -> bool:
    """Whether a part that is too short by itself is all there is to it."""
    return any(text == (text[:size] * len(text))[: len(text)] for size in range(1, min(6, len(text) // 2) + 1))


def _is_mostly(folded: str, name: str) -> bool:
    """Whether a password says little more than a name."""
    name = unicodedata.normalize("NFKC", name).casefold().strip()
    parts = {name, name.partition("@")[0], "".join(name.split())}
    return any(len(part) > 2 and folded.replace(part, "").strip(_AROUND) == "" for part in parts if part)  # noqa: PLR2004 - initials are in any word
