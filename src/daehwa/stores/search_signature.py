"""A signature: which tokens a conversation may hold, one byte for each. Pure.

How this works and why. A token is hashed to 16 bits. The upper eight choose one of 256 buckets, the lower eight are
kept in it: first the sizes of all buckets, then their bytes. So a signature grows with what it holds, can be added to
without the text, and a token is looked for in about a microsecond. It never says "no" of a token that it holds; of
another it says "perhaps" as often as it is full: 4 in 100 where it holds 2,600 of the 65,536. The text has the last
word.

What is kept of a text: every pair of neighbouring letters of scripts without spaces, and each letter; of words in
scripts with spaces their beginnings of certain lengths, which is enough because a candidate is read anyway. Who changes
what is kept changes the digit in `dynamodb_table.SIGNATURE_SORT`: signatures are then made anew from the texts.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final
from zlib import crc32

from daehwa.stores.search_text import Query, is_running, tokens

BUCKETS: Final = 256
PREFIXES: Final = (1, 2, 3, 5, 8)
_MOST_IN_BUCKET: Final = 255


def hashes_of(texts: Iterable[str]) -> set[int]:
    """Return the hashes of what is kept of texts."""
    kept: set[str] = set()
    for text in texts:
        for token in tokens(text):
            if is_running(token):
                kept.update((token, *token))
            else:
                kept.update(token[:length] for length in PREFIXES if length <= len(token))
    return set(map(_hash, kept))


def wanted(query: Query) -> tuple[int, ...]:
    """Return hashes that the signature of every conversation with a matching text holds, the rarest first."""
    pairs: list[str] = []
    others: list[str] = []
    for term in query.index_terms():
        if is_running(term):
            pairs.append(term)
            others += term if len(term) > 1 else ()
        else:
            others += (term[:length] for length in reversed(PREFIXES) if length <= len(term))
    kept = dict.fromkeys((*pairs, *sorted(others, key=len, reverse=True)))
    return tuple(dict.fromkeys(map(_hash, kept)))


def _hash(token: str) -> int:
    return crc32(token.encode()) & 0xFFFF


def encode(hashes: Iterable[int]) -> bytes:
    """Return hashes as a signature."""
    buckets: defaultdict[int, list[int]] = defaultdict(list)
    for value in sorted(hashes):
        buckets[value >> 8].append(value & 0xFF)
    kept = [bytes(buckets[number][:_MOST_IN_BUCKET]) for number in range(BUCKETS)]
    return bytes(map(len, kept)) + b"".join(kept)


def decode(signature: bytes) -> set[int]:
    """Return the hashes in a signature."""
    hashes: set[int] = set()
    at = BUCKETS
    for number in range(BUCKETS):
        size = signature[number]
        hashes.update(number << 8 | value for value in signature[at : at + size])
        at += size
    return hashes


def holds(signature: bytes, value: int) -> bool:
    """Whether a hash is in a signature, or may have been too much for it."""
    number = value >> 8
    size = signature[number]
    if size in {0, _MOST_IN_BUCKET}:
        return size > 0
    start = BUCKETS + sum(signature[:number])
    return signature.find(value & 0xFF, start, start + size) >= 0
