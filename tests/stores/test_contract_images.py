"""What every store promises of images: they come with a question, are read by themselves, go with the conversation."""

from pathlib import Path
from typing import cast

import msgspec
import pytest
from stores.asking import ME, OTHER, an_image, ask, make_turn, next_moment, shown
from stores.conftest import STORES
from stores.houses import HOUSES

from daehwa.conversation.archive_ports import ConversationArchive, ConversationRecord, Imported
from daehwa.conversation.errors import ConversationNotFound, InvalidId, MessageNotFound
from daehwa.conversation.ids import new_id, now_ms
from daehwa.conversation.images import QUESTION_IMAGE_BYTES, Image, ImageNotFound
from daehwa.conversation.messages import ImagePart, TextPart
from daehwa.conversation.ports import ConversationStore

LARGE = QUESTION_IMAGE_BYTES


async def record_in(store: ConversationStore, owner: str = ME) -> ConversationRecord:
    """Return the only conversation of an owner, as it is exported."""
    (record,) = [record async for record in cast("ConversationArchive", store).export_conversations(owner)]
    return record


async def images_there(store: ConversationStore, record: ConversationRecord) -> list[Image]:
    """Return the images of a record's messages that a store has."""
    there = []
    for part in (part for message in record.messages for part in message.images):
        try:
            there.append(await store.get_image(record.conversation.owner, record.conversation.id, part.image))
        except ImageNotFound:
            continue
    return there


@pytest.mark.parametrize("size", [100, 350_000, 400_000, 1_000_000, LARGE])
async def test_an_image_comes_back_as_it_was_given(store: ConversationStore, size: int) -> None:
    image = an_image(size)
    begun = await ask(store, "What is this?", shows=[image])
    assert begun.path[-1].parts == (shown(image), TextPart("What is this?"))
    assert await store.get_image(ME, begun.conversation.id, image.id) == image


async def test_a_question_of_images_alone_and_as_many_as_there_may_be(store: ConversationStore) -> None:
    images = [an_image(LARGE // 8) for _ in range(8)]
    begun = await ask(store, "", title="Image", shows=images)
    assert begun.path[-1].images == tuple(map(shown, images))
    assert [await store.get_image(ME, begun.conversation.id, image.id) for image in images] == images


async def test_an_image_is_its_owners_and_its_conversations(store: ConversationStore) -> None:
    image = an_image()
    begun = await ask(store, "Mine", shows=[image])
    elsewhere = await ask(store, "Also mine")
    with pytest.raises(ConversationNotFound):
        await store.get_image(OTHER, begun.conversation.id, image.id)
    with pytest.raises(ConversationNotFound):
        await store.get_image(ME, new_id(), image.id)
    with pytest.raises(ImageNotFound):
        await store.get_image(ME, elsewhere.conversation.id, image.id)
    for unknown in (new_id(), "", image.id[:-1], "../" + image.id, begun.reply.id):
        with pytest.raises(ImageNotFound):
            await store.get_image(ME, begun.conversation.id, unknown)


async def test_images_of_two_conversations_may_have_one_id(store: ConversationStore) -> None:
    one, other = an_image(), an_image()
    other = msgspec.structs.replace(other, id=one.id)
    first, second = await ask(store, "One", shows=[one]), await ask(store, "Other", owner=OTHER, shows=[other])
    assert await store.get_image(ME, first.conversation.id, one.id) == one
    assert await store.get_image(OTHER, second.conversation.id, one.id) == other


async def test_an_edited_question_shows_an_image_that_is_there(store: ConversationStore) -> None:
    image, further = an_image(), an_image()
    begun = await ask(store, "What is thsi?", shows=[image])
    again = await ask(
        store, "What is this?", conversation=begun.conversation.id, shows=[image, further], images=[further]
    )
    assert again.path[-1].images == (shown(image), shown(further))
    assert await store.get_image(ME, begun.conversation.id, image.id) == image
    assert await store.get_image(ME, begun.conversation.id, further.id) == further


async def test_what_is_there_under_an_id_stays(store: ConversationStore) -> None:
    image = an_image()
    begun = await ask(store, "First", shows=[image])
    other = msgspec.structs.replace(an_image(900_000), id=image.id)
    await ask(store, "Second", conversation=begun.conversation.id, shows=[other])
    assert await store.get_image(ME, begun.conversation.id, image.id) == image


@pytest.mark.parametrize("is_new", [True, False])
async def test_an_image_neither_given_nor_there_is_refused(store: ConversationStore, *, is_new: bool) -> None:
    conversation = new_id() if is_new else (await ask(store, "Hello")).conversation.id
    given, missing = an_image(), an_image()
    turn = make_turn("Where?", conversation=conversation, shows=[given, missing], images=[given])
    with pytest.raises(ImageNotFound):
        await store.begin_turn(turn)
    assert turn.question is not None
    with pytest.raises(MessageNotFound):
        await store.get_message(ME, turn.question.id)
    with pytest.raises(ConversationNotFound if is_new else ImageNotFound):
        await store.get_image(ME, conversation, given.id)
    begun = await store.begin_turn(msgspec.structs.replace(turn, images=(given, missing)))
    assert begun.created
    assert await store.get_image(ME, conversation, missing.id) == missing


async def test_the_same_turn_again_changes_nothing(store: ConversationStore) -> None:
    image = an_image(500_000)
    turn = make_turn("Once", shows=[image])
    assert (await store.begin_turn(turn)).created
    for again in (turn, msgspec.structs.replace(turn, images=())):
        assert not (await store.begin_turn(again)).created
    assert (await record_in(store)).images == (image,)


async def test_a_further_reply_needs_its_images_no_more(store: ConversationStore) -> None:
    image = an_image()
    begun = await ask(store, "What is this?", shows=[image])
    further = await ask(store, None, conversation=begun.conversation.id, parent=begun.path[-1].id)
    assert further.path[-1].images == (shown(image),)


async def test_what_no_question_names_is_not_stored(store: ConversationStore) -> None:
    image, unnamed = an_image(), an_image()
    begun = await ask(store, "This one", shows=[image], images=[image, unnamed])
    with pytest.raises(ImageNotFound):
        await store.get_image(ME, begun.conversation.id, unnamed.id)
    assert (await record_in(store)).images == (image,)


async def test_a_deleted_conversation_has_its_images_back_when_it_is_restored(store: ConversationStore) -> None:
    image = an_image(500_000)
    begun = await ask(store, "Gone?", shows=[image])
    await store.delete_conversation(ME, begun.conversation.id)
    with pytest.raises(ConversationNotFound):
        await store.get_image(ME, begun.conversation.id, image.id)
    with pytest.raises(ConversationNotFound):
        await store.begin_turn(make_turn("More", conversation=begun.conversation.id, shows=[an_image()]))
    await store.restore_conversation(ME, begun.conversation.id)
    assert await store.get_image(ME, begun.conversation.id, image.id) == image


@pytest.mark.parametrize("home", HOUSES)
async def test_images_go_with_their_conversation(home: str, tmp_path: Path) -> None:
    async with HOUSES[home](tmp_path) as house:
        for way in ("purged", "untouched", "forgotten"):
            images = [
                Image(new_id(), "image/png", b"\x89PNG\r\n\x1a\n" + f"is to be {way} {number} ".encode() * 40_000)
                for number in range(9)
            ]
            begun = await ask(house.store, "Look", shows=images, at=now_ms() - 1_000)
            stays = await ask(house.store, "Stays", owner=OTHER, shows=[image := an_image()], at=now_ms() + 1_000_000)
            assert await house.holds(f"is to be {way} 8 ") == (home != "memory")
            if way == "forgotten":
                await house.store.forget(ME)
            elif way == "untouched":
                assert await house.store.purge_untouched(before=now_ms()) in {0, 1}  # 0: of people who are known alone
                await house.store.forget(ME)
            else:
                await house.store.delete_conversation(ME, begun.conversation.id)
                assert await house.store.purge_deleted(before=now_ms() + 1) == 1
            assert not await house.holds(f"is to be {way}")
            with pytest.raises(ConversationNotFound):
                await house.store.get_image(ME, begun.conversation.id, images[0].id)
            assert await house.store.get_image(OTHER, stays.conversation.id, image.id) == image
            await house.store.forget(OTHER)


@pytest.mark.parametrize("target", STORES)
async def test_a_conversation_moves_with_its_images(store: ConversationStore, target: str, tmp_path: Path) -> None:
    images = [an_image(700_000), an_image()]
    begun = await ask(store, "What is this?", shows=images)
    await ask(store, "And that?", conversation=begun.conversation.id, parent=begun.reply.id, shows=[images[1]])
    record = await record_in(store)
    assert sorted(image.id for image in record.images) == sorted(image.id for image in images)
    (tmp_path / "target").mkdir()
    other = await STORES[target](tmp_path / "target")
    archive = cast("ConversationArchive", other)
    assert (await archive.import_conversation(record)).outcome == "added"
    assert (await archive.import_conversation(record)).outcome == "same"
    assert await images_there(other, record) == [*images, images[1]]
    back = await record_in(other)
    assert sorted(back.images, key=lambda image: image.id) == sorted(images, key=lambda image: image.id)
    await other.aclose()


async def test_an_import_brings_what_is_missing_and_keeps_what_is_there(store: ConversationStore) -> None:
    archive = cast("ConversationArchive", store)
    kept, missing = an_image(), an_image(500_000)
    await ask(store, "Two", shows=[kept, missing])
    record = await record_in(store)
    await store.forget(ME)
    unnamed = an_image()
    partly = msgspec.structs.replace(record, images=(kept, unnamed))
    assert await archive.import_conversation(partly) == Imported("added", images=1)
    assert await images_there(store, record) == [kept]
    assert (await record_in(store)).images == (kept,)
    other = msgspec.structs.replace(an_image(), id=kept.id)
    assert (await archive.import_conversation(msgspec.structs.replace(record, images=(other,)))).outcome == "same"
    assert await images_there(store, record) == [kept]
    complete = msgspec.structs.replace(record, images=(other, missing))
    assert await archive.import_conversation(complete) == Imported("changed", images=1)
    assert await images_there(store, record) == [kept, missing]


async def test_a_question_that_is_there_without_its_images_gets_none_by_an_import(store: ConversationStore) -> None:
    archive = cast("ConversationArchive", store)
    image = an_image(500_000)
    await ask(store, "Look", shows=[image])
    record = await record_in(store)
    await store.forget(ME)
    question = msgspec.structs.replace(record.messages[0], parts=(TextPart("[Image not brought along]"),))
    noted = msgspec.structs.replace(record, messages=(question, *record.messages[1:]), images=())
    assert (await archive.import_conversation(noted)).outcome == "added"
    assert await archive.import_conversation(record) == Imported("same", images=0), "messages are never rewritten"
    assert (await record_in(store)).images == ()
    with pytest.raises(ImageNotFound):
        await store.get_image(ME, record.conversation.id, image.id)


async def test_images_stay_where_a_later_conversation_takes_the_place(store: ConversationStore) -> None:
    archive = cast("ConversationArchive", store)
    image = an_image()
    await ask(store, "Look", shows=[image])
    record = await record_in(store)
    later = msgspec.structs.replace(record.conversation, updated=next_moment(), title="Later")
    bare = msgspec.structs.replace(record, conversation=later, images=())
    assert (await archive.import_conversation(bare)).outcome == "changed"
    assert await images_there(store, record) == [image]


async def test_an_image_without_a_proper_id_is_refused(store: ConversationStore) -> None:
    archive = cast("ConversationArchive", store)
    image = an_image()
    await ask(store, "Look", shows=[image])
    record = await record_in(store)
    await store.forget(ME)
    odd = msgspec.structs.replace(image, id="../odd")
    with pytest.raises(InvalidId):
        await archive.import_conversation(msgspec.structs.replace(record, images=(image, odd)))
    question = msgspec.structs.replace(record.messages[0], parts=(shown(odd),))
    with pytest.raises(InvalidId):
        await archive.import_conversation(msgspec.structs.replace(record, messages=(question, *record.messages[1:])))
    with pytest.raises(ConversationNotFound):
        await store.get_conversation(ME, record.conversation.id)


async def test_half_a_surrogate_pair_beside_an_image(store: ConversationStore) -> None:
    image = an_image()
    begun = await ask(store, "half \ud83d", shows=[image])
    assert begun.path[-1].text == "half \ufffd"
    assert isinstance(begun.path[-1].parts[0], ImagePart)
    assert await store.get_image(ME, begun.conversation.id, image.id) == image
