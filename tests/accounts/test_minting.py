import hashlib
import re

from daehwa.accounts.minting import digest_of, mint_text


def test_a_key_is_long_and_of_plain_letters_and_never_the_same() -> None:
    made = [mint_text() for _ in range(200)]
    for each in made:
        assert re.fullmatch(r"dh_[0-9A-Za-z]{8}_[0-9A-Za-z]{40}", each.text)
        assert each.prefix == each.text[:11]
        assert each.digest == hashlib.sha256(each.text.encode()).hexdigest() == digest_of(each.text)
    assert len({each.text for each in made}) == len({each.prefix for each in made}) == 200


def test_whatever_somebody_sends_has_a_digest() -> None:
    assert len(digest_of("\udcff")) == 64
