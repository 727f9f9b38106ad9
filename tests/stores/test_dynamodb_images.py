"""Images in the table: in pieces that reading a conversation does not come to, whole or not there, and their faults."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import msgspec
import pytest
from aiodynamo.expressions import HashKey, RangeKey
from aiodynamo.http.types import Request, Response
from dynamodb_local import shared_server
from stores.asking import ME, OTHER, an_image, ask, ended, make_turn
from stores.dynamo_bed import Bed
from stores.test_dynamodb_cut import Process, everything

from daehwa.conversation.errors import ConversationNotFound
from daehwa.conversation.ids import now_ms
from daehwa.conversation.images import QUESTION_IMAGE_BYTES, Image, ImageNotFound
from daehwa.conversation.ports import ConversationChanges, NewTurn
from daehwa.conversation.stretch import StretchWish
from daehwa.http_client.client import HttpClient
from daehwa.stores import dynamodb_table as names
from daehwa.stores.dynamodb import DynamoStore
from daehwa.stores.dynamodb_client import DynamoTable, Item, Transport
from daehwa.stores.dynamodb_images import PIECE_BYTES, arrivals_of, note_arrival

ITEM_BYTES = 400 * 1024
READ_UNIT_BYTES = 4096


class Weighing:
    """A transport that asks what each request read, and adds it up: in units, which count what an answer leaves out."""

    def __init__(self, http: HttpClient) -> None:
        self._send = Transport(http)
        self.units = 0.0

    async def __call__(self, request: Request) -> Response:
        body = msgspec.json.decode(request.body or b"{}") | {"ReturnConsumedCapacity": "TOTAL"}
        answer = await self._send(Request(request.method, request.url, request.headers, msgspec.json.encode(body)))
        consumed = msgspec.json.decode(answer.body).get("ConsumedCapacity", ())
        for each in consumed if isinstance(consumed, list) else [consumed]:
            self.units += 0 if each is None else each["CapacityUnits"]
        return answer


@pytest.fixture
async def weighed(bed: Bed) -> AsyncIterator[tuple[DynamoStore, Weighing]]:
    http = HttpClient()
    weighing = Weighing(http)
    yield DynamoStore(shared_server().connect(bed.name, weighing)), weighing
    await http.aclose()


async def pieces_in(table: DynamoTable, conversation: str) -> list[Item]:
    sorts = RangeKey(names.SORT_KEY).begins_with(names.IMAGE_PIECE_SORT)
    return await table.query(HashKey(names.PARTITION_KEY, names.conversation_partition(conversation)) & sorts)


async def test_nothing_reads_the_pieces_that_is_not_asked_for_an_image(weighed: tuple[DynamoStore, Weighing]) -> None:
    store, weighing = weighed
    images = [an_image(QUESTION_IMAGE_BYTES // 4) for _ in range(4)]
    begun = await ask(store, "What is this tree?", shows=images)
    conversation = begun.conversation.id
    weighing.units = 0
    await store.list_conversations(ME)
    await store.get_conversation(ME, conversation)
    await store.read_stretch(ME, conversation, StretchWish(limit=1))
    assert await store.search_conversations(ME, "tree")
    again = await ask(store, "Again", conversation=conversation, shows=images, images=[])
    await ask(store, "More", conversation=conversation, parent=again.reply.id)
    await store.change_conversation(ME, conversation, ConversationChanges(title="Tree"))
    await store.interrupt_replies(heartbeat_before=0, conversation=conversation)
    await store.delete_conversation(ME, conversation)
    await store.restore_conversation(ME, conversation)
    assert 0 < weighing.units < PIECE_BYTES / READ_UNIT_BYTES, "all of it read less than one piece takes"
    weighing.units = 0
    assert await store.get_image(ME, conversation, images[0].id) == images[0]
    assert weighing.units < len(images[0].data) / READ_UNIT_BYTES + 10


async def test_no_item_comes_near_what_one_may_hold(bed: Bed) -> None:
    store, _ = bed.open()
    begun = await ask(store, "Large", shows=[an_image(QUESTION_IMAGE_BYTES)])
    pieces = await pieces_in(store.table, begun.conversation.id)
    assert [len(piece[names.DATA]) for piece in pieces[:-1]] == [PIECE_BYTES] * (len(pieces) - 1)
    assert max(sum(len(str(name)) + len(value) for name, value in piece.items()) for piece in pieces) < ITEM_BYTES
    assert [len(piece[names.SORT_KEY].split("#")) for piece in pieces] == [3] * len(pieces)


async def test_a_turn_with_images_asks_for_no_more_than_it_has_to(bed: Bed) -> None:
    store, sent = bed.open()
    root = await ask(store, "root")
    sent.actions.clear()
    shows = [an_image(PIECE_BYTES) for _ in range(3)]
    await store.begin_turn(make_turn("Look", conversation=root.conversation.id, shows=shows))
    assert sent.actions == {"Query": 1, "PutItem": 2, "BatchWriteItem": 3, "TransactWriteItems": 1}
    sent.actions.clear()
    await store.get_image(ME, root.conversation.id, shows[0].id)
    assert sent.actions == {"BatchGetItem": 1, "GetItem": 1}


async def test_faults_on_the_way_leave_one_turn_with_whole_images(bed: Bed) -> None:
    store, sent = bed.open()
    images = [an_image(PIECE_BYTES * 3), an_image()]
    sent.fail("BatchWriteItem", "lost answer", "partial", "throttled", "503")
    sent.fail("TransactWriteItems", "lost answer", "throttled")
    turn = make_turn("Look", shows=images)
    assert (await store.begin_turn(turn)).reply == turn.reply
    sent.fail("BatchGetItem", "partial", "throttled")
    sent.fail("GetItem", "no answer", "500")
    assert [await store.get_image(ME, turn.conversation, image.id) for image in images] == images
    assert len(await pieces_in(store.table, turn.conversation)) == 4


async def test_of_two_processes_with_other_bytes_under_one_id_one_has_it(bed: Bed) -> None:
    begun = await ask(bed.open()[0], "root")
    one = an_image(PIECE_BYTES + 1)
    other = msgspec.structs.replace(an_image(PIECE_BYTES * 2 + 1), id=one.id)
    stores = [bed.open()[0] for _ in range(2)]
    turns = [make_turn("Look", conversation=begun.conversation.id, shows=[image]) for image in (one, other)]
    await asyncio.gather(*(store.begin_turn(turn) for store, turn in zip(stores, turns, strict=True)))
    seen = [await store.get_image(ME, begun.conversation.id, one.id) for store in stores]
    assert seen in ([one, one], [other, other])
    assert len((await stores[0].get_conversation(ME, begun.conversation.id))[1]) == 6
    for turn in turns:
        await stores[0].finish_reply(ended(turn.reply, "A tree."))
    await stores[0].forget(ME)
    assert await everything(stores[0].table) == []


async def turns_cut_off() -> AsyncIterator[tuple[DynamoStore, NewTurn]]:
    """Turns with images, each of a process that was killed one write later than the one before; the last was not."""
    server = shared_server()
    name, cut, was_killed = await server.new_table(), 0, True
    while was_killed:
        turn = make_turn("Look", shows=[an_image(PIECE_BYTES * 5), an_image()])
        store = DynamoStore(server.connect(name))
        process = Process(server, name, cut)
        was_killed = await process.is_killed(DynamoStore(process.table).begin_turn(turn))
        yield store, turn
        await store.aclose()
        cut += 1
    assert cut > 6, "it was cut off somewhere"


async def test_a_turn_that_is_cut_off_anywhere_is_whole_or_not_there_and_can_be_begun_again() -> None:
    async for store, turn in turns_cut_off():
        assert await images_of(store, turn) in ([], list(turn.images))
        await store.begin_turn(turn)
        assert await images_of(store, turn) == list(turn.images)
        await store.finish_reply(ended(turn.reply, "A tree."))
        await store.forget(ME)
        assert await everything(store.table) == []


async def test_a_turn_that_is_cut_off_for_ever_leaves_no_image_of_who_is_forgotten() -> None:
    async for store, turn in turns_cut_off():
        await store.finish_reply(ended(turn.reply, "A tree."))
        await store.forget(ME)
        left = [item[names.SORT_KEY] for item in await everything(store.table)]
        assert set(left) <= {names.PLACE_SORT}, "only ids were taken"


async def test_a_note_of_a_conversation_that_became_anothers_removes_nothing_of_theirs(bed: Bed) -> None:
    store, _ = bed.open()
    image = an_image()
    theirs = await ask(store, "Theirs", owner=OTHER, shows=[image])
    await note_arrival(store.table, ME, theirs.conversation.id)
    await store.forget(ME)
    assert await store.get_image(OTHER, theirs.conversation.id, image.id) == image
    assert await arrivals_of(store.table, ME) == []


async def images_of(store: DynamoStore, turn: NewTurn) -> list[Image]:
    """Return the images of the question of a turn; none where it is not stored."""
    try:
        _, messages = await store.get_conversation(ME, turn.conversation)
    except ConversationNotFound:
        return []
    return [await store.get_image(ME, turn.conversation, part.image) for part in messages[0].images]


async def test_an_image_that_lost_a_piece_is_missing_and_nothing_else(bed: Bed) -> None:
    store, _ = bed.open()
    images = [an_image(PIECE_BYTES * 2), an_image()]
    begun = await ask(store, "Look", shows=images)
    piece = (await pieces_in(store.table, begun.conversation.id))[0]
    broken = next(image for image in images if image.id in piece[names.SORT_KEY])
    await store.table.delete(piece[names.PARTITION_KEY], piece[names.SORT_KEY])
    with pytest.raises(ImageNotFound):
        await store.get_image(ME, begun.conversation.id, broken.id)
    assert len((await store.get_conversation(ME, begun.conversation.id))[1]) == 2
    (record,) = [record async for record in store.export_conversations(ME)]
    assert record.images == tuple(image for image in images if image != broken)


async def test_purging_many_large_images_is_done_a_few_at_once(bed: Bed) -> None:
    store, sent = bed.open()
    begun = await ask(store, "Look", shows=[an_image(PIECE_BYTES * 9)])
    await store.delete_conversation(ME, begun.conversation.id)
    sent.fail("BatchWriteItem", "partial", "throttled")
    sent.sent.clear()
    assert await store.purge_deleted(before=now_ms() + 1000) == 1
    of_pieces = [keys for action, body in sent.sent if action == "BatchWriteItem" if (keys := piece_keys(body))]
    assert max(map(len, of_pieces)) == 4
    assert await everything(store.table) == []


def piece_keys(body: dict[str, Any]) -> list[str]:
    """Return the sort keys of pieces of images that a request takes away."""
    ((_, work),) = body["RequestItems"].items()
    sorts = [cast("str", each["DeleteRequest"]["Key"][names.SORT_KEY]["S"]) for each in work]
    return [sort for sort in sorts if sort.startswith(names.IMAGE_PIECE_SORT)]
