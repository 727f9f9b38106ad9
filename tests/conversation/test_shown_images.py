"""Images of questions: what is taken, what of them a model is given, and what that may cost."""

from collections.abc import Sequence

import msgspec
import pytest
from cores import Core
from hypothesis import given
from hypothesis import strategies as st
from images import GIF, JPEG, PNG, WEBP, large, shown

from daehwa.conversation.archive_ports import ConversationRecord
from daehwa.conversation.errors import DaehwaError, InvalidRequest, StoreError, TooMuch
from daehwa.conversation.ids import new_id
from daehwa.conversation.image_reading import AskedImage
from daehwa.conversation.images import Image, ImageNotFound, ImagesNotSeen, NoImage, media_type_of
from daehwa.conversation.messages import Conversation, ImagePart, Message, Role, TextPart
from daehwa.conversation.ports import PromptMessage
from daehwa.conversation.running import Question, TurnRequest
from daehwa.conversation.transcript import (
    IMAGE_NOTE,
    SENT_IMAGE_BYTES,
    SENT_IMAGES,
    build_transcript,
    end_within,
    tokens_of,
)
from daehwa.providers.scripted import ScriptedProvider
from daehwa.stores.memory import MemoryStore

# ---------------------------------------------------------------- the transcript


def part(size: int = 1000) -> ImagePart:
    return ImagePart(image=new_id(), media_type="image/png", size=size, width=1, height=1)


def said(role: Role, text: str, *sizes: int) -> Message:
    parts = (*map(part, sizes), *((TextPart(text),) if text else ()))
    return Message(id=new_id(), conversation="c", parent=None, role=role, parts=parts, created=1)


def built(path: Sequence[Message], *, window: int | None = None, sees: bool = True) -> tuple[PromptMessage, ...]:
    return build_transcript(
        path, context_window=window, continue_reply=False, continues_replies=False, sees_images=sees
    )


def test_images_go_with_their_message() -> None:
    question = said("user", "What is it?", 10, 20)
    assert built([question]) == (PromptMessage("user", "What is it?", question.images),)


def test_a_question_without_a_word_is_one() -> None:
    question = said("user", "", 10)
    path = [said("user", "Hello"), said("assistant", "Hi"), question]
    assert built(path)[-1] == PromptMessage("user", "", question.images)
    assert built(path, window=100)[-1].images == question.images, "the last question stays"


def test_two_questions_without_an_answer_between_show_the_images_of_both() -> None:
    first, second = said("user", "One", 10), said("user", "", 20)
    assert built([first, second]) == (PromptMessage("user", "One", first.images + second.images),)


def test_a_model_that_sees_none_is_told_where_they_were() -> None:
    path = [said("user", "What is it?", 10, 20), said("assistant", "A cat."), said("user", "", 10)]
    assert built(path, sees=False) == (
        PromptMessage("user", f"{IMAGE_NOTE}\n{IMAGE_NOTE}\n\nWhat is it?"),
        PromptMessage("assistant", "A cat."),
        PromptMessage("user", IMAGE_NOTE),
    )


def test_no_older_image_takes_the_place_of_one_that_is_too_large() -> None:
    path = [said("user", "a", 10), said("assistant", "b"), said("user", "c", 9_000_000), said("assistant", "d")]
    path.append(said("user", "e", 4_000_000))
    counts = [len(message.images) for message in built(path)]
    assert counts == [0, 0, 0, 0, 1]


_TURN = st.tuples(st.lists(st.integers(0, 4_000_000), max_size=8), st.text("ab ", max_size=40), st.booleans())


@given(st.lists(_TURN, min_size=1, max_size=12), st.none() | st.integers(100, 60_000))
def test_the_newest_are_sent_within_the_limits_and_a_note_stands_for_each_other(
    turns: list[tuple[list[int], str, bool]], window: int | None
) -> None:
    path: list[Message] = []
    for sizes, text, is_answered in turns:
        path.append(said("user", text, *sizes))
        if is_answered:
            path.append(said("assistant", "An answer."))
    everything = built(path)
    images = [each for message in path for each in message.images]
    sent = [each for message in everything for each in message.images]
    assert sent == images[len(images) - len(sent) :], "the end of all, in order"
    assert len(sent) <= SENT_IMAGES
    assert sum(each.size for each in sent) <= SENT_IMAGE_BYTES
    if len(sent) < len(images):
        left_out = images[len(images) - len(sent) - 1]
        assert len(sent) == SENT_IMAGES or sum(each.size for each in sent) + left_out.size > SENT_IMAGE_BYTES
    assert sum(message.text.count(IMAGE_NOTE) for message in everything) == len(images) - len(sent)
    within = built(path, window=window)
    if window is not None:
        before = within[: max((i for i, m in enumerate(within) if m.role == "user"), default=0)]
        rest = window - window // 4 - sum(tokens_of(message) for message in within[len(before) :])
        assert not before or sum(map(tokens_of, before)) <= rest
    assert built(end_within(reversed(path), window), window=window) == within, "what is not read is not needed"


# ---------------------------------------------------------------- the turn


def asking(core: Core, *images: AskedImage, text: str = "What is it?", **more: str | None) -> TurnRequest:
    request = core.question(text)
    assert request.question is not None
    parts = (TextPart(text),) if text else ()
    question = Question(request.question.id, more.get("parent"), parts, images)
    conversation = more.get("conversation") or request.conversation
    return msgspec.structs.replace(request, question=question, conversation=conversation)


@pytest.mark.parametrize(("data", "kind"), [(PNG, "png"), (JPEG, "jpeg"), (WEBP, "webp"), (GIF, "gif")])
async def test_a_model_is_given_what_is_shown(core: Core, data: bytes, kind: str) -> None:
    request = asking(core, shown(data))
    await core.running.start(request)
    await core.events(request.reply)
    (asked,) = core.provider.requests
    (message,) = asked.messages
    (of_part,) = message.images
    assert of_part.media_type == media_type_of(data) == f"image/{kind}"
    assert (of_part.size, of_part.width, of_part.height) == (len(data), 640, 480)
    assert asked.images == {of_part.image: Image(of_part.image, of_part.media_type, data)}
    _, (question, reply) = await core.store.get_conversation("me", request.conversation)
    assert question.parts == (of_part, TextPart("What is it?"))
    assert reply.text == "You said: What is it?\nI see 1 image."


async def test_the_next_question_shows_them_again(core: Core) -> None:
    first = asking(core, shown(), shown(GIF))
    await core.running.start(first)
    await core.events(first.reply)
    second = core.question("And now?", parent=first.reply, conversation=first.conversation)
    await core.running.start(second)
    await core.events(second.reply)
    asked = core.provider.requests[-1]
    assert {image.data for image in asked.images.values()} == {PNG, GIF}
    assert [len(message.images) for message in asked.messages] == [2, 0, 0]


async def test_an_edited_question_keeps_its_images_without_their_bytes(core: Core) -> None:
    first = asking(core, shown(JPEG))
    await core.running.start(first)
    await core.events(first.reply)
    assert first.question is not None
    kept = AskedImage(first.question.images[0].image, 64, 48)
    edited = asking(core, kept, shown(GIF), text="And this?", conversation=first.conversation)
    await core.running.start(edited)
    await core.events(edited.reply)
    _, messages = await core.store.get_conversation("me", first.conversation)
    question = next(message for message in messages if message.text == "And this?")
    assert [(each.media_type, each.size, each.width) for each in question.images] == [
        ("image/jpeg", len(JPEG), 64),
        ("image/gif", len(GIF), 640),
    ]
    assert {image.data for image in core.provider.requests[-1].images.values()} == {JPEG, GIF}


async def test_a_further_answer_shows_them_and_a_model_that_sees_none_gets_a_note(core: Core) -> None:
    first = asking(core, shown())
    await core.running.start(first)
    await core.events(first.reply)
    assert first.question is not None
    core.catalogue.model = msgspec.structs.replace(core.catalogue.model, sees_images=False)
    again = TurnRequest(owner="me", conversation=first.conversation, reply=new_id(), parent=first.question.id)
    await core.running.start(again)
    await core.events(again.reply)
    asked = core.provider.requests[-1]
    assert (asked.images, asked.messages) == ({}, (PromptMessage("user", f"{IMAGE_NOTE}\n\nWhat is it?"),))


class Losing(MemoryStore):
    """A store whose images cannot be had: `fault` is what it says."""

    fault: DaehwaError = ImageNotFound()

    async def get_image(self, owner: str, conversation: str, image: str) -> Image:  # noqa: ARG002 - the store's
        raise self.fault


async def test_an_image_that_is_lost_is_told_as_one() -> None:
    core = Core(store=Losing())
    first = asking(core, shown())
    await core.running.start(first)
    await core.events(first.reply)
    assert core.provider.requests[-1].images, "those of the question itself need not be read"
    for fault, status in ((ImageNotFound(), "complete"), (StoreError("The disk is gone."), "failed")):
        Losing.fault = fault
        second = core.question("And now?", parent=first.reply, conversation=first.conversation)
        await core.running.start(second)
        assert (await core.ended(second.reply)).status == status
    assert core.provider.requests[-1].messages[0] == PromptMessage("user", f"{IMAGE_NOTE}\n\nWhat is it?")
    await core.running.aclose()


@pytest.mark.parametrize(("text", "title"), [("", "Image"), ("What is it?", "What is it?")])
async def test_the_first_title(core: Core, text: str, title: str) -> None:
    request = asking(core, shown(), text=text)
    await core.running.start(request)
    await core.events(request.reply)
    conversation, _ = await core.store.get_conversation("me", request.conversation)
    assert conversation.title == title


async def test_a_title_is_made_of_a_question_without_words() -> None:
    core = Core(titles=True)
    request = asking(core, shown(), text="")
    await core.running.start(request)
    await core.events(request.reply)
    asked = core.provider.requests[-1]
    assert asked.images == {}
    assert asked.messages[-1].text.startswith(f"Question: {IMAGE_NOTE}\n")
    await core.running.aclose()


_TWICE = shown()


@pytest.mark.parametrize(
    ("images", "error"),
    [
        ([shown() for _ in range(9)], TooMuch),
        ([shown(large(2_000_001)), shown(large(2_000_000))], TooMuch),
        ([shown(b"<svg/>")], NoImage),
        ([shown(b"")], NoImage),
        ([_TWICE, _TWICE], InvalidRequest),
        ([shown(None)], ImageNotFound),
    ],
)
async def test_what_cannot_be_shown_is_refused_and_nothing_is_stored(
    core: Core, images: list[AskedImage], error: type[DaehwaError]
) -> None:
    request = asking(core, *images)
    with pytest.raises(error) as refused:
        await core.running.start(request)
    assert refused.value.param == "message.parts"
    assert (await core.store.list_conversations("me")).conversations == ()
    assert core.provider.calls == []


async def test_as_many_and_as_large_as_may_be(core: Core) -> None:
    request = asking(core, *(shown(large(500_000)) for _ in range(8)))
    await core.running.start(request)
    assert (await core.ended(request.reply)).status == "complete"


async def test_kept_images_count_among_those_of_the_question(core: Core) -> None:
    first = asking(core, shown(large(3_000_000)))
    await core.running.start(first)
    await core.events(first.reply)
    assert first.question is not None
    kept = AskedImage(first.question.images[0].image, 64, 48)
    with pytest.raises(TooMuch):
        await core.running.start(asking(core, kept, shown(large(1_000_001)), conversation=first.conversation))


async def test_a_model_that_sees_none_is_not_asked_but_a_turn_that_is_there_is_followed(core: Core) -> None:
    request = asking(core, shown())
    await core.running.start(request)
    await core.events(request.reply)
    core.catalogue.model = msgspec.structs.replace(core.catalogue.model, sees_images=False)
    assert (await core.running.start(request)).id == request.reply
    with pytest.raises(ImagesNotSeen, match="parrot sees no images"):
        await core.running.start(asking(core, shown()))
    assert len(core.provider.calls) == 1


async def test_an_image_of_another_conversation_or_of_somebody_else_is_not_there(core: Core) -> None:
    first = asking(core, shown())
    await core.running.start(first)
    await core.events(first.reply)
    assert first.question is not None
    kept = AskedImage(first.question.images[0].image, 64, 48)
    with pytest.raises(ImageNotFound):
        await core.running.start(asking(core, kept))
    other = msgspec.structs.replace(asking(core, kept, conversation=first.conversation), owner="somebody")
    with pytest.raises(ImageNotFound):
        await core.running.start(other)


async def test_a_scripted_provider_says_what_it_sees(core: Core) -> None:
    assert isinstance(core.provider, ScriptedProvider)
    first = asking(core, shown(), shown(GIF), text="")
    await core.running.start(first)
    await core.events(first.reply)
    second = asking(core, shown(), parent=first.reply, conversation=first.conversation)
    await core.running.start(second)
    await core.events(second.reply)
    texts = [(await core.store.get_message("me", each.reply)).text for each in (first, second)]
    assert texts == ["You said nothing.\nI see 2 images.", "You said: What is it?\nI see 1 image, and 2 from before."]


async def test_of_other_bytes_under_an_id_that_is_there_all_see_those_that_are_there(core: Core) -> None:
    first = asking(core, shown(JPEG))
    await core.running.start(first)
    await core.events(first.reply)
    assert first.question is not None
    name = first.question.images[0].image
    second = asking(core, shown(large(900_000), image=name), text="And this?", conversation=first.conversation)
    await core.running.start(second)
    await core.events(second.reply)
    (asked,) = (message for message in core.provider.requests[-1].messages if message.images)
    (part,) = asked.images
    assert (part.media_type, part.size) == ("image/jpeg", len(JPEG)), "what is said of it is so"
    assert core.provider.requests[-1].images == {name: await core.store.get_image("me", first.conversation, name)}


async def test_what_is_said_of_an_image_that_is_brought_along_is_not_believed(core: Core) -> None:
    conversation, question, answer = new_id(), new_id(), new_id()
    images = [Image(new_id(), "image/png", large(9_000_000)), Image(new_id(), "image/gif", GIF)]
    parts = [ImagePart(image.id, "image/png", 1, width=1, height=1) for image in images]
    messages = (
        Message(id=question, conversation=conversation, parent=None, role="user", parts=tuple(parts), created=1),
        Message(
            id=answer,
            conversation=conversation,
            parent=question,
            role="assistant",
            parts=(TextPart("Two."),),
            created=2,
        ),
    )
    head = Conversation(id=conversation, owner="me", title="Two", leaf=answer, created=1, updated=2)
    await core.store.import_conversation(ConversationRecord(conversation=head, messages=messages, images=tuple(images)))
    request = core.question("And now?", parent=answer, conversation=conversation)
    await core.running.start(request)
    assert (await core.ended(request.reply)).status == "complete"
    asked = core.provider.requests[-1]
    assert (asked.images, asked.messages[0]) == ({}, PromptMessage("user", f"{IMAGE_NOTE}\n{IMAGE_NOTE}"))


@pytest.mark.parametrize("role", ["system", "assistant"])
def test_questions_alone_show_images(role: Role) -> None:
    path = [said(role, "Look", 10), said("user", "Well?")]
    assert built(path) == (PromptMessage(role, "Look"), PromptMessage("user", "Well?"))


async def test_a_turn_that_is_there_is_followed_though_its_image_is_lost() -> None:
    store = MemoryStore()
    core = Core(store=store)
    first = asking(core, shown())
    await core.running.start(first)
    await core.events(first.reply)
    assert first.question is not None
    kept = AskedImage(first.question.images[0].image, 640, 480)
    edited = asking(core, kept, text="And so?", conversation=first.conversation)
    await core.running.start(edited)
    await core.events(edited.reply)
    store._conversations[first.conversation].images.clear()
    assert (await core.running.start(edited)).id == edited.reply
    assert len(core.provider.calls) == 2
    await core.running.aclose()
