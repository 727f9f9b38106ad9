"""What it means that a text holds a query's words, pure: folding, tokens for an index, matches and highlights.

How this works and why. Text and query are folded (NFKC and case). The query falls into runs of letters and digits;
a text matches when it holds every run, at a word's beginning in scripts with spaces, anywhere in those without
(Korean has spaces, but its particles and compounds ask for the same). It holds a run whole where no word goes on after
it: "20" whole in "20, 21" and in "20대", not in "209"; in scripts without spaces a run may end anywhere too. An index
only narrows down the candidates by tokens: whole words, and overlapping pairs of letters in scripts without spaces.
`Query.matches` has the last word, so every store finds the same, and an index with too much in it does no harm.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from unicodedata import is_normalized, normalize

from daehwa.conversation.ports import Segment
from daehwa.stores.records import storable

# Scripts in which a word may begin anywhere in a run: Thai, Lao, Burmese, Khmer, Hangul, Kana, Bopomofo, Han.
_RUNNING = (
    "\u0e01-\u0e4e\u0e81-\u0ede\u1000-\u109f\u1100-\u11ff\u1780-\u17d3\u3005-\u3007\u3031-\u3035\u303b\u3041-\u309f"
    "\u30a1-\u30fa\u30fc-\u30ff\u3105-\u312f\u3131-\u318e\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\ua960-\ua97c\uac00-\ud7fb\uf900-\ufaff\U0001b000-\U0001b16f\U00020000-\U0003ffff"
)
# Marks that belong to the letter before them; Python's \w leaves them out.
_MARKS = (
    "\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670"
    "\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed\u0711\u0730-\u074a\u07a6-\u07b0\u0900-\u0903\u093a-\u094f"
    "\u0951-\u0957\u0962\u0963\u0981-\u0983\u09bc-\u09cd\u09d7\u0a01-\u0a03\u0a3c-\u0a51\u0a70\u0a71\u0a81-\u0a83"
    "\u0abc-\u0acd\u0b01-\u0b03\u0b3c-\u0b57\u0b82\u0bbe-\u0bcd\u0bd7\u0c00-\u0c04\u0c3c-\u0c56\u0c81-\u0c83"
    "\u0cbc-\u0cd6\u0d00-\u0d03\u0d3b-\u0d4d\u0d57\u0d81-\u0d83\u0dca-\u0ddf\u1dc0-\u1dff\u20d0-\u20f0\ufe20-\ufe2f"
)
_WORD_LETTER = rf"(?:[{_MARKS}]|[^\W_{_RUNNING}])"
# What joins with the character before it when it is folded; the rest of the text is folded run by run.
_EXTENDING = f"{_MARKS}\u1160-\u11ff\u3099\u309a\uff9e\uff9f"


# Compiled at the first need: they take 20 ms, which each start of the function on AWS would pay for.
@cache
def _half_typed() -> re.Pattern[str]:
    return re.compile("(?<=[\uac00-\ud7a3])[\u1100-\u11ff\u3131-\u318e\uffa0-\uffdc]+$")


@cache
def _runs() -> re.Pattern[str]:
    return re.compile(rf"[{_RUNNING}]+")


@cache
def _words() -> re.Pattern[str]:
    return re.compile(rf"{_WORD_LETTER}+")


@cache
def _run_or_word() -> re.Pattern[str]:
    return re.compile(rf"([{_RUNNING}]+)|{_WORD_LETTER}+")


@cache
def _chunk() -> re.Pattern[str]:
    return re.compile(rf"(?:[{_RUNNING}]|{_WORD_LETTER})+")


@cache
def _plain_or_cluster() -> re.Pattern[str]:
    return re.compile(
        rf"(?:[\x00-\x7f\u3041-\u3096\u30a1-\u30fa\u30fc\u4e00-\u9fff\uac00-\ud7a3](?![{_EXTENDING}]))+|.[{_EXTENDING}]*",
        re.DOTALL,
    )


_BETWEEN_WORDS = {code: " " for code in range(128) if not chr(code).isalnum()}
"""For text in ASCII: four times as fast as a pattern, and everybody's writes wait for the thread that does this."""
WORD_TOKEN_CHARACTERS = 32
QUERY_CHARACTERS = 200
SNIPPET_CHARACTERS = 120
_SNIPPET_BEFORE = 40
_CUT_SLACK = 12


def folded(text: str) -> str:
    """Return the text as it is compared: compatibility forms, width and case are gone."""
    if text.isascii():
        return text.lower()
    return normalize("NFKC", normalize("NFKC", text).casefold())


def tokens(text: str) -> set[str]:
    """Return what an index holds of a text: its words, and each pair of neighbours (and the end) of its runs."""
    folded_text = folded(text)
    if folded_text.isascii():
        return {word[:WORD_TOKEN_CHARACTERS] for word in set(folded_text.translate(_BETWEEN_WORDS).split())}
    found = {word[:WORD_TOKEN_CHARACTERS] for word in set(_words().findall(folded_text))}
    for run in set(_runs().findall(folded_text)):
        found.update(map("".join, pairwise(run)))
        found.add(run[-1])
    return found


def is_running(token: str) -> bool:
    """Whether a token is of a script in which a word may begin anywhere in a run."""
    return _run_or_word().match(token)[1] is not None  # type: ignore[index]  # a token is letters and digits


class Query:
    """A query as typed, ready to be looked for. `is_always_whole`: whatever matches holds it whole."""

    def __init__(self, text: str) -> None:
        line = folded(storable(text[:QUERY_CHARACTERS]))
        # An input method shows the next syllable's first letter before the syllable is there.
        line = _half_typed().sub("", line)
        self.chunks = tuple(dict.fromkeys(_chunk().findall(line)))
        self.is_always_whole = not any(map(_ends_in_word, self.chunks))

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to look for."""
        return not self.chunks

    def index_terms(self, *, whole: bool = False) -> dict[str, bool]:
        """Return tokens that every matching text has; True where a token that begins so will do."""
        terms: dict[str, bool] = {}
        for chunk in self.chunks:
            for match in _run_or_word().finditer(chunk):
                goes_on = not whole and match.end() == len(chunk)
                _add_terms(terms, match[0], is_run=match[1] is not None, goes_on=goes_on)
        return terms

    def matches(self, folded_text: str, *, whole: bool = False) -> bool:
        """Whether a folded text holds every chunk, `whole` if asked."""
        return all(any(True for _ in _places(chunk, folded_text, whole=whole)) for chunk in self.chunks)

    def spans(self, folded_text: str, *, whole: bool = False) -> list[tuple[int, int]]:
        """Return where chunks stand in a folded text, in order, joined where they touch."""
        found = sorted(
            (at, at + len(chunk)) for chunk in self.chunks for at in _places(chunk, folded_text, whole=whole)
        )
        joined: list[tuple[int, int]] = []
        for start, end in found:
            if joined and start <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
            else:
                joined.append((start, end))
        return joined

    def highlighted(self, text: str) -> tuple[Segment, ...]:
        """Return a whole text in segments."""
        return _segments(text, self._original_spans(_Alignment(text)), 0, len(text))

    def snippet(self, text: str) -> tuple[Segment, ...]:
        """Return about `SNIPPET_CHARACTERS` of a text around where it holds most of the query, whole if it does."""
        alignment = _Alignment(text)
        spans = best = self._original_spans(alignment)
        if len(text) > SNIPPET_CHARACTERS and not self.is_always_whole and self.matches(alignment.folded, whole=True):
            best = self._original_spans(alignment, whole=True)
        start, end = _window(text, best)
        return _segments(text, spans, start, end)

    def _original_spans(self, alignment: "_Alignment", *, whole: bool = False) -> list[tuple[int, int]]:
        return [alignment.original(*span) for span in self.spans(alignment.folded, whole=whole)]


def _places(chunk: str, folded_text: str, *, whole: bool) -> Iterator[int]:
    """Yield where a chunk stands in a text. A pattern would look at what is before each letter, and take as long to be
    compiled for a query as many texts to be looked through.
    """
    begins_word = not _runs().match(chunk)
    ends_word = whole and _ends_in_word(chunk)
    at = folded_text.find(chunk)
    while at >= 0:
        after = at + len(chunk)
        goes_on = ends_word and _words().match(folded_text, after, after + 1)
        if goes_on or (begins_word and at and _words().match(folded_text, at - 1, at)):
            at = folded_text.find(chunk, at + 1)
        else:
            yield at
            at = folded_text.find(chunk, after)


def _ends_in_word(chunk: str) -> bool:
    return _words().match(chunk, len(chunk) - 1) is not None


def _add_terms(terms: dict[str, bool], piece: str, *, is_run: bool, goes_on: bool) -> None:
    if not is_run:
        token = piece[:WORD_TOKEN_CHARACTERS]
        # Typed on, a word may become a longer one; an exact token asks for more than its prefix does.
        is_prefix = goes_on and len(piece) < WORD_TOKEN_CHARACTERS
        terms[token] = is_prefix and terms.get(token, True)
    elif len(piece) == 1:
        terms.setdefault(piece, True)
    else:
        terms.update((first + second, False) for first, second in pairwise(piece))


class _Alignment:
    """A folded text that knows for each of its characters which of the original it came from."""

    def __init__(self, text: str) -> None:
        self._starts: list[int] = []
        self._originals: list[tuple[int, int]] = []
        self.folded = text.lower() if text.isascii() else text.casefold()
        if text.isascii() or (len(self.folded) == len(text) and is_normalized("NFKC", self.folded)):
            return
        pieces, position = [], 0
        for match in _plain_or_cluster().finditer(text):
            piece = folded(match[0])
            self._starts.append(position)
            self._originals.append(match.span())
            pieces.append(piece)
            position += len(piece)
        self.folded = "".join(pieces)

    def original(self, start: int, end: int) -> tuple[int, int]:
        if not self._starts:
            return start, end
        return self._position(start, is_end=False), self._position(end - 1, is_end=True)

    def _position(self, at: int, *, is_end: bool) -> int:
        index = bisect_right(self._starts, at) - 1
        while index > 0 and not self._length(index):
            index -= 1
        first, after = self._originals[index]
        if after - first == self._length(index):
            return first + at - self._starts[index] + is_end
        return after if is_end else first

    def _length(self, index: int) -> int:
        following = self._starts[index + 1] if index + 1 < len(self._starts) else len(self.folded)
        return following - self._starts[index]


def _window(text: str, spans: list[tuple[int, int]]) -> tuple[int, int]:
    if len(text) <= SNIPPET_CHARACTERS:
        return 0, len(text)
    best, most = (spans[0][0] if spans else 0), 0
    for index, (start, _) in enumerate(spans[:50]):
        inside = sum(1 for span in spans[index : index + 10] if span[1] <= start + SNIPPET_CHARACTERS - _SNIPPET_BEFORE)
        if inside > most:
            best, most = start, inside
    start = max(0, min(best - _SNIPPET_BEFORE, len(text) - SNIPPET_CHARACTERS))
    end = min(len(text), start + SNIPPET_CHARACTERS)
    if start:
        start = next((at for at in range(start, min(start + _CUT_SLACK, best)) if text[at - 1].isspace()), start)
    if end < len(text):
        end = next((at for at in range(end, max(end - _CUT_SLACK, best + 1), -1) if text[at].isspace()), end)
    while 0 < start < len(text) and re.match(f"[{_EXTENDING}]", text[start]):
        start -= 1
    return start, end


def _segments(text: str, spans: list[tuple[int, int]], start: int, end: int) -> tuple[Segment, ...]:
    return tuple(_pieces(text, spans, start, end))


def _pieces(text: str, spans: list[tuple[int, int]], start: int, end: int) -> Iterator[Segment]:
    at = start
    for first, after in spans:
        first, after = max(first, at), min(after, end)  # noqa: PLW2901 - cut to what is shown
        if first >= after:
            continue
        if first > at:
            yield Segment(text[at:first])
        yield Segment(text[first:after], match=True)
        at = after
    if at < end:
        yield Segment(text[at:end])
