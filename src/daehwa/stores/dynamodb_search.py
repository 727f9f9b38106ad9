"""Search in DynamoDB, with no other service.

How this works and why. Each conversation has a signature (`search_signature.py`, about 2 KB for sixteen messages), and
those of one owner stand in one partition: a few queries side by side read them all, and it is decided here which
conversations may match. Those are read, newest first, and their text has the last word, until there are enough. Titles
come from the index that lists conversations. Whole words come before beginnings, among all titles, and among the texts
that were read: a signature does not tell the one from the other, and older texts are not read for a better match.

A signature also says which replies it covers, and the conversation counts its replies. Where the numbers differ (a
reply that grows, a function that died) the conversation is read as if it matched, and where it has been still for a
while, its signature is completed. So nothing here has to be in one transaction with the text, and a signature that is
lost, or of an older version, costs time and no result.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Final

import msgspec

from daehwa.conversation.errors import StoreError
from daehwa.conversation.ids import now_ms
from daehwa.conversation.ports import SearchHit
from daehwa.stores.dynamodb_client import DynamoTable, gathered
from daehwa.stores.dynamodb_conversation import read_conversation
from daehwa.stores.dynamodb_reading import ListedItem, TextItem, by_sort, read_texts
from daehwa.stores.dynamodb_signatures import NO_SIGNATURE, DynamoSignatures, Signature
from daehwa.stores.search_signature import wanted
from daehwa.stores.search_text import Query, folded

_READ_AT_ONCE: Final = 32
_READ_SIDE_BY_SIDE: Final = 12
"""Connections that one search keeps busy; a new one costs more than waiting for another."""
_READ_AT_MOST: Final = 320
"""Conversations read for one search. A bound for words that are frequent, yet never in one message together."""
_KNOWN_BYTES: Final = 8_000_000
"""Of compressed text; in memory it is about six times as much."""
_STILL_AFTER: Final = 60 * 60 * 1000
"""Milliseconds after which nobody makes a reply in a conversation any more."""


class _Candidate(msgspec.Struct, frozen=True):
    """A conversation that may match; `is_covered` says whether its signature is complete."""

    listed: ListedItem
    signature: Signature
    is_covered: bool


class _Said:
    """What was said in a message, decoded when it is asked for, and then kept."""

    def __init__(self, head: TextItem, items: Mapping[str, TextItem]) -> None:
        self.moment = head.moment
        self._head = head
        self._items = items

    @cached_property
    def text(self) -> str:
        """The text."""
        return self._head.text(self._items)

    @cached_property
    def folded(self) -> str:
        """The text as it is compared."""
        return folded(self.text)


class _KnownTexts:
    """Conversations that were read a short while ago: as long as their signatures are the same values, which is as long
    as those are known.
    """

    def __init__(self) -> None:
        self._of: OrderedDict[str, tuple[Signature, int, list[_Said]]] = OrderedDict()
        self._bytes = 0

    def of(self, candidate: _Candidate) -> list[_Said] | None:
        """Return what is known to have been said, the newest first."""
        signature, _, said = self._of.get(candidate.listed.id, (None, 0, None))
        return said if signature is candidate.signature else None

    def keep(self, candidate: _Candidate, size: int, said: list[_Said]) -> None:
        """Keep what was said, where nobody is saying more."""
        _, before, _ = self._of.pop(candidate.listed.id, (None, 0, None))
        self._bytes -= before
        if candidate.is_covered and candidate.signature.held:
            self._of[candidate.listed.id] = candidate.signature, size, said
            self._bytes += size
        while self._bytes > _KNOWN_BYTES:
            _, (_, oldest, _) = self._of.popitem(last=False)
            self._bytes -= oldest


class _Match(msgspec.Struct, frozen=True):
    """A conversation and the newest of its messages that matches best: when it was made, whether it is a reply, its
    id, and whether it holds the words whole.
    """

    listed: ListedItem
    moment: tuple[int, bool, str]
    text: str
    is_whole: bool


class DynamoSearch:
    """The search over what a `DynamoStore` keeps."""

    def __init__(self, table: DynamoTable, signatures: DynamoSignatures) -> None:
        self._table = table
        self._signatures = signatures
        self._known = _KnownTexts()
        self._free = asyncio.Semaphore(_READ_SIDE_BY_SIDE)

    async def search(self, owner: str, words: str, *, limit: int) -> tuple[SearchHit, ...]:
        """Return what is found, title matches first; of each, those with whole words first, then the newest."""
        query = Query(words)
        if query.is_empty:
            return ()
        listed, signatures = await self._signatures.read(owner)
        listed.sort(key=lambda at: (at.updated, at.id), reverse=True)
        may_match = [*_candidates(query, listed, signatures)]
        titled = _titled(query, listed)[:limit]
        by_title = {at.id for at in titled}
        of_titled = await self._read(query, (at for at in may_match if at.listed.id in by_title))
        texts = {match.listed.id: match for match in of_titled}
        others = [at for at in may_match if at.listed.id not in by_title]
        matches = await self._newest_matches(query, others, limit - len(titled))
        hits = [_hit(query, at, texts.get(at.id)) for at in titled]
        return (*hits, *(_hit(query, match.listed, match) for match in matches))

    async def _newest_matches(self, query: Query, candidates: Sequence[_Candidate], room: int) -> list[_Match]:
        """Read candidates until no other can have a newer match than those that there is room for."""
        found: list[_Match] = []
        for start in range(0, min(len(candidates), _READ_AT_MOST), _READ_AT_ONCE):
            next_one = candidates[start].listed
            if room <= 0 or (len(found) >= room and found[room - 1].moment[0] >= next_one.updated):
                break
            found += await self._read(query, candidates[start : start + _READ_AT_ONCE])
            found.sort(key=lambda match: match.moment, reverse=True)
        found.sort(key=lambda match: not match.is_whole)
        return found[:room]

    async def _read(self, query: Query, candidates: Iterable[_Candidate]) -> list[_Match]:
        found = await gathered(self._match(query, at) for at in candidates)
        return [match for match in found if match is not None]

    async def _match(self, query: Query, candidate: _Candidate) -> _Match | None:
        at = candidate.listed
        if not candidate.is_covered and at.updated < now_ms() - _STILL_AFTER:
            stored = await read_conversation(self._table, at.id)
            await self._signatures.index_messages(at.owner.value, stored.messages())
        all_said = self._known.of(candidate) or await self._said(candidate)
        for whole in (False,) if query.is_always_whole else (True, False):
            for said in all_said:
                with suppress(StoreError):  # it is being removed while it is read
                    if query.matches(said.folded, whole=whole):
                        return _Match(at, said.moment, said.text, whole)
        return None

    async def _said(self, candidate: _Candidate) -> list[_Said]:
        async with self._free:
            items = by_sort(await read_texts(self._table, candidate.listed.id))
        said = [_Said(item, items) for item in items.values() if item.is_head]
        said.sort(key=lambda one: one.moment, reverse=True)
        self._known.keep(candidate, sum(item.size for item in items.values()), said)
        return said


def _titled(query: Query, listed: Iterable[ListedItem]) -> list[ListedItem]:
    """Return those whose titles match, whole words first, else in their order."""
    titled = [at for at in listed if query.matches(folded(at.title))]
    return sorted(titled, key=lambda at: not query.matches(folded(at.title), whole=True))


def _candidates(
    query: Query, listed: Iterable[ListedItem], signatures: Mapping[str, Signature]
) -> Iterable[_Candidate]:
    hashes = wanted(query)
    for at in listed:
        signature = signatures.get(at.id, NO_SIGNATURE)
        is_covered = signature.covered >= at.turns
        if not is_covered or all(map(signature.may_hold, hashes)):
            yield _Candidate(at, signature, is_covered)


def _hit(query: Query, listed: ListedItem, match: _Match | None) -> SearchHit:
    title = query.highlighted(listed.title)
    if match is None:
        return SearchHit(conversation=listed.conversation, title=title)
    message, snippet = match.moment[-1], query.snippet(match.text)
    return SearchHit(conversation=listed.conversation, title=title, message=message, snippet=snippet)
