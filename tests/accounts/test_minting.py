import hashlib
import re

from daehwa.accounts.minting import digest_of, mint_key


def test_a_key_is_long_and_of_plain_letters_and_never_the_same() -> None:
    made = [mint_key("me", "laptop", now=5) for _ in range(200)]
    for key, text in made:
        assert re.fullmatch(r"dh_[0-9A-Za-z]{8}_[0-9A-Za-z]{40}", text)
        assert key.prefix == text[:11]
        assert key.digest == hashlib.sha256(text.encode()).hexdigest() == digest_of(text)
        assert text not in repr(key)
        assert key.digest not in repr(key)
    assert len({text for _, text in made}) == len({key.prefix for key, _ in made}) == 200


def test_whatever_somebody_sends_has_a_digest() -> None:
    assert len(digest_of("\udcff")) == 64
