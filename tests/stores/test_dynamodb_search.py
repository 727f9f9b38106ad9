"""What the signatures of the search in DynamoDB promise beside the contract: no reading in vain, and nothing lost."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
from aiodynamo.expressions import HashKey, RangeKey
from aiodynamo.http.types import Request, Response
from dynamodb_local import CREDENTIALS, REGION, shared_server
from hypothesis import given, settings
from hypothesis import strategies as st
from stores.asking import ME, ask, ended, found, grown, make_turn

from daehwa.conversation.ids import now_ms
from daehwa.http_client.client import HttpClient
from daehwa.stores import dynamodb_table as names
from daehwa.stores.dynamodb import DynamoStore
from daehwa.stores.dynamodb_client import DynamoTable, Item, Transport
from daehwa.stores.search_signature import decode, encode, hashes_of, holds, wanted
from daehwa.stores.search_text import Query, folded

_HOUR = 60 * 60 * 1000


class CountingTransport:
    """Sends requests, and counts by their action which conversations they read."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.actions: Counter[str] = Counter()
        self.read: list[str] = []

    async def __call__(self, request: Request) -> Response:
        headers = request.headers or {}
        action = headers["X-Amz-Target"].rpartition(".")[2]
        self.actions[action] += 1
        body = (request.body or b"").decode()
        if action == "Query" and '"C#' in body:
            self.read.append(body.partition('"C#')[2].partition('"')[0])
        return await self._transport(request)


class Bed:
    """A store, and what it asks the table."""

    def __init__(self, store: DynamoStore, sent: CountingTransport) -> None:
        self.store = store
        self.sent = sent

    async def signatures(self) -> list[Item]:
        is_signature = RangeKey(names.SORT_KEY).begins_with(names.SIGNATURE_SORT)
        return await self.store.table.query(HashKey(names.PARTITION_KEY, names.owner_partition(ME)) & is_signature)

    async def drop_signatures(self) -> None:
        keys = [(item[names.PARTITION_KEY], item[names.SORT_KEY]) for item in await self.signatures()]
        await self.store.table.write_many(deletes=keys)


@pytest.fixture
async def bed() -> AsyncIterator[Bed]:
    server = shared_server()
    http = HttpClient()
    sent = CountingTransport(Transport(http, seconds=30))
    table = DynamoTable.connect(
        table=await server.new_table(),
        region=REGION,
        endpoint=server.endpoint,
        http=sent,
        credentials=CREDENTIALS,
        retry_seconds=20,
    )
    store = DynamoStore(table)
    yield Bed(store, sent)
    await store.aclose()
    await http.aclose()


async def test_conversations_that_cannot_match_are_not_read(bed: Bed) -> None:
    for words in ("나무와 숲", "tree and forest", "강물"):
        await ask(bed.store, words, f"answer to {words}", title=words)
    bed.sent.read.clear()
    bed.sent.actions.clear()
    assert await found(bed.store, "없는말") == []
    assert await found(bed.store, "nowhere") == []
    assert bed.sent.read == []
    assert await found(bed.store, "숲") == ["나무와 숲"]
    assert len(bed.sent.read) == 1
    assert set(bed.sent.actions) == {"Query"}, "a search of complete signatures writes nothing"


async def test_a_signature_that_was_lost_is_made_up_for_and_made_anew(bed: Bed) -> None:
    await ask(bed.store, "나무와 숲", title="Trees", at=now_ms() - 2 * _HOUR)
    before = await bed.signatures()
    await bed.drop_signatures()
    assert await found(bed.store, "숲") == ["Trees"]
    assert await bed.signatures() == before
    bed.sent.read.clear()
    assert await found(bed.store, "강물") == []
    assert bed.sent.read == []


async def test_a_reply_that_grows_is_read_and_its_signature_left_to_its_end(bed: Bed) -> None:
    begun = await bed.store.begin_turn(make_turn("나무 질문", title="Growing", at=now_ms()))
    assert await found(bed.store, "나무") == ["Growing"], "a question is found at once"
    await bed.store.save_checkpoints([grown(begun.reply, "half a forest", at=now_ms())])
    assert await found(bed.store, "forest") == ["Growing"]
    assert await bed.signatures() == []
    await bed.store.finish_reply(ended(begun.reply, "a whole forest"))
    (signature,) = await bed.signatures()
    assert decode(signature[names.SIGNATURE]) == hashes_of(["나무 질문", "a whole forest"])


async def test_a_long_conversation_has_its_signature_in_several_items(bed: Bed) -> None:
    first = await ask(bed.store, "first 처음", " ".join(f"word{n}{n * 7919}" for n in range(1500)), title="Long")
    conversation, parent = first.conversation.id, first.reply.id
    for number in range(3):
        words = "".join(chr(0xAC00 + (number * 3000 + at * 7) % 11172) for at in range(2000))
        parent = (await ask(bed.store, f"질문 {number}", words, conversation=conversation, parent=parent)).reply.id
    signatures = await bed.signatures()
    assert len(signatures) > 2
    assert all(len(item[names.SIGNATURE]) < 2000 for item in signatures)
    assert sum(len(item.get(names.COVERED, b"")) for item in signatures) == 4 * 4
    for one, other in pairwise(signatures):
        held = decode(one[names.SIGNATURE]), decode(other[names.SIGNATURE])
        assert not held[0] & held[1], "what is there is not kept again"
    for query in ("처음", "word1499", "질문 2", chr(0xAC00 + 6000) + chr(0xAC00 + 6007)):
        assert await found(bed.store, query) == ["Long"]
    await bed.store.delete_conversation(ME, conversation)
    assert await found(bed.store, "처음") == []
    await bed.store.purge_deleted(before=now_ms() + 1000)
    assert await bed.signatures() == []


async def test_what_is_there_already_is_not_written_again(bed: Bed) -> None:
    begun = await ask(bed.store, "나무", "forest")
    (signature,) = await bed.signatures()
    bed.sent.actions.clear()
    for _ in range(2):
        await bed.store._signatures.index_reply(ended(begun.reply, "forest"))
    assert bed.sent.actions["PutItem"] == 0
    assert await bed.signatures() == [signature]


async def test_replies_that_end_at_once_in_one_conversation_are_all_covered(bed: Bed) -> None:
    first = await ask(bed.store, "question", title="Branches")
    conversation, parent = first.conversation.id, first.reply.id
    begun = [
        await bed.store.begin_turn(make_turn(f"branch{n} 가지{n}", conversation=conversation, parent=parent))
        for n in range(6)
    ]
    await asyncio.gather(*(bed.store.finish_reply(ended(at.reply, f"leaf{n} 나뭇잎")) for n, at in enumerate(begun)))
    for number in range(6):
        assert await found(bed.store, f"leaf{number}") == await found(bed.store, f"branch{number}") == ["Branches"]
    assert sum(len(item.get(names.COVERED, b"")) for item in await bed.signatures()) == 7 * 4


async def test_a_search_is_of_one_owner_however_many_conversations(bed: Bed) -> None:
    for number in range(40):
        await ask(bed.store, f"나무 {number}", title=f"T{number}")
    bed.sent.read.clear()
    hits = await bed.store.search_conversations(ME, "나무", limit=5)
    assert [hit.conversation.title for hit in hits] == [f"T{number}" for number in (39, 38, 37, 36, 35)]
    assert len(bed.sent.read) <= 32, "it stops when nothing newer can come"
    assert len(await bed.store.search_conversations(ME, "나무", limit=100)) == 40


async def test_the_next_letter_reads_the_lists_and_nothing_that_is_known(bed: Bed) -> None:
    for number in range(5):
        await ask(bed.store, f"나무와 숲 {number}", title=f"T{number}")
    assert len(await found(bed.store, "나")) == 5
    bed.sent.actions.clear()
    assert len(await found(bed.store, "나무")) == 5
    assert await found(bed.store, "숲 3") == ["T3"]
    assert bed.sent.actions == {"Query": 4}, "two lists each"


async def test_what_another_process_adds_is_found_by_who_has_just_searched(bed: Bed) -> None:
    other = DynamoStore(bed.store.table)
    first = await ask(bed.store, "나무", title="Old")
    assert await found(bed.store, "나무") == ["Old"]
    assert await found(bed.store, "forest") == []
    conversation, parent = first.conversation.id, first.reply.id
    begun = await other.begin_turn(make_turn("a question", conversation=conversation, parent=parent, at=now_ms()))
    assert await found(bed.store, "question") == ["Old"]
    await other.finish_reply(ended(begun.reply, "in the forest"))
    await ask(other, "another forest", title="New", at=now_ms())
    assert await found(bed.store, "forest") == ["New", "Old"]


async def test_an_interrupted_reply_that_was_not_dead_is_found_at_once_where_it_ends(bed: Bed) -> None:
    begun = await bed.store.begin_turn(make_turn("나무", title="Slow"))
    await bed.store.interrupt_replies(heartbeat_before=now_ms() + 1000, conversation=begun.conversation.id)
    assert await found(bed.store, "나무") == ["Slow"]
    await bed.store.finish_reply(ended(begun.reply, "in the forest"))
    assert await found(bed.store, "forest") == ["Slow"]


_LETTERS = st.sampled_from("aAbß éｅ́ﬁ1_-한국어ㄱ한日本ーｶﾞ々🎉İ\u0301ไ")


@settings(deadline=None)  # a busy machine is no fault
@given(st.text(_LETTERS, max_size=30), st.text(_LETTERS, max_size=6))
def test_whatever_matches_has_all_that_is_wanted_in_its_signature(words: str, typed: str) -> None:
    query = Query(typed)
    signature = encode(hashes_of(["some other 글", words]))
    if not query.is_empty and query.matches(folded(words)):
        assert all(holds(signature, value) for value in wanted(query))


@given(st.sets(st.integers(0, 0xFFFF), max_size=300))
def test_a_signature_holds_what_was_put_in_and_nothing_else(hashes: set[int]) -> None:
    signature = encode(hashes)
    assert decode(signature) == hashes
    assert len(signature) == 256 + len(hashes)
    for value in (0, 1, 255, 256, 0xFFFF, *hashes):
        assert holds(signature, value) == (value in hashes)


def test_a_bucket_that_is_too_full_says_perhaps_to_everything() -> None:
    signature = encode(range(256))
    assert len(signature) == 256 + 255
    assert all(holds(signature, value) for value in range(256))
    assert not holds(signature, 256)
