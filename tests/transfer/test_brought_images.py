"""Images of questions come along within a question's limits; every other one is counted, with a line in its place."""

import base64
import json
import time
import tracemalloc
from typing import Any

import pytest
from images import GIF, JPEG, PLACE, PNG, WEBP, chunk, told_jpeg
from transfer.conversions import alternates, brought
from transfer.foreign import chatgpt, librechat, node, open_webui, shown, with_images

from daehwa.conversation.images import QUESTION_IMAGE_BYTES, QUESTION_IMAGES
from daehwa.conversation.messages import ImagePart, TextPart
from daehwa.transfer import brought_images
from daehwa.transfer.converting import Converted

MULTIMODAL = "multimodal_text"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def address(data: bytes, media_type: str = "image/png") -> str:
    return f"data:{media_type};base64,{encoded(data)}"


def sized(size: int, filling: bytes = b"x") -> bytes:
    """A PNG of so many bytes that is whole."""
    return PNG[:33] + chunk(b"IDAT", filling * (size - len(PNG) - 12)) + PNG[33:]


def bytes_of(found: Converted) -> list[bytes]:
    """The images of all questions, in their order."""
    kept = {image.id: image.data for image in found.record.images}
    return [kept[part.image] for message in found.record.messages for part in message.images]


def test_images_of_chatgpt_come_by_both_kinds_of_names() -> None:
    given = {"file-1": encoded(PNG), "file_00ab": encoded(told_jpeg(6)), "file-unused": encoded(GIF)}
    pointers = ("file-service://file-1", "sediment://file_00ab#file_00ab#p_0.jpg")
    found = brought(with_images("x", *pointers, images=given))
    first, second, text = found.record.messages[0].parts
    assert isinstance(first, ImagePart)
    assert isinstance(second, ImagePart)
    assert (first.media_type, first.size, first.width, first.height) == ("image/png", len(PNG), 1, 1)
    assert text == TextPart("What is this?")
    one, other = bytes_of(found)
    assert one == PNG
    assert second.size == len(other)
    assert second.media_type == "image/jpeg"
    assert PLACE not in other
    assert not found.lost
    assert brought(with_images("x", *pointers, images=given)).record == found.record
    assert brought(with_images("x", *pointers, images=given), "you").record.images[0].id != found.record.images[0].id


def test_an_edited_question_shows_the_image_of_the_one_before() -> None:
    content = {"content_type": MULTIMODAL, "parts": [shown("file-service://file-1"), "What?"]}
    again = {"content_type": MULTIMODAL, "parts": [shown("file-service://file-1"), shown("file-service://file-1")]}
    nodes = [
        node("q", None, "user", content),
        node("a", "q", "assistant", "That."),
        node("q2", None, "user", again),
        node("a2", "q2", "assistant", "That too."),
    ]
    found = brought(chatgpt("x", nodes, daehwa_images={"file-1": encoded(PNG)}))
    assert len(found.record.images) == 1
    assert bytes_of(found) == [PNG, PNG]
    assert found.record.messages[2].parts == found.record.messages[0].images, "twice in one question is once"
    assert alternates(found.record)
    assert not found.lost


def test_what_a_model_drew_is_counted_as_before() -> None:
    drawn = {"content_type": MULTIMODAL, "parts": [shown("sediment://file_1")]}
    nodes = [node("q", None, "user", "Draw"), node("t", "q", "tool", drawn), node("a", "t", "assistant", drawn)]
    found = brought(chatgpt("x", nodes, daehwa_images={"file_1": encoded(PNG)}))
    assert (found.record.images, found.lost) == ((), {"image": 2})
    webui = open_webui()
    webui["chat"]["history"]["messages"]["a"]["files"] = [{"type": "image", "url": address(PNG)}]
    assert brought(webui).lost["image"] == 2
    libre = librechat()
    libre["messagesTree"][0]["children"][0]["content"] = [{"type": "image_url", "image_url": {"url": address(PNG)}}]
    assert brought(libre).lost == {"image": 1}


def test_images_of_open_webui_come_out_of_their_addresses() -> None:
    value = open_webui()
    value["chat"]["history"]["messages"]["u"]["files"] = [
        {"type": "image", "url": address(PNG), "name": "sky.png"},
        {"type": "file", "content_type": "image/webp", "url": address(WEBP, "image/webp"), "name": "sea.webp"},
        {"type": "image", "url": "/api/v1/files/1/content", "name": "far.png"},
        {"type": "file", "file": {"filename": "plan.pdf"}},
    ]
    found = brought(value)
    assert bytes_of(found) == [PNG, WEBP]
    question = found.record.messages[0]
    assert question.text == "Rain?\n\n[Image not brought along: far.png]\n\n[File not brought along: plan.pdf]"
    assert found.lost == {"image": 1, "file": 1}


@pytest.mark.parametrize("item", [{"image_url": {"url": address(GIF, "image/gif")}}, {"image_url": address(GIF)}])
def test_images_among_the_content_come_too(item: dict[str, Any]) -> None:
    content = [{"type": "text", "text": "What?"}, {"type": "image_url", **item}]
    webui = open_webui()
    webui["chat"]["history"]["messages"]["u"] |= {"content": content, "files": []}
    libre = librechat()
    libre["messagesTree"][0]["content"] = content
    for value in (webui, libre):
        found = brought(value)
        assert bytes_of(found) == [GIF]
        assert found.record.messages[0].text == "What?"
        assert not found.lost


def test_pasted_images_of_librechat_come_though_all_have_one_name() -> None:
    value = librechat()
    pasted = [{"filename": "image.png", "type": "image/png", "filepath": address(each)} for each in (PNG, GIF)]
    there = {"filename": "image.png", "type": "image/png", "filepath": "/images/1.png"}
    value["messagesTree"][0]["files"] = [*pasted, there]
    found = brought(value)
    assert bytes_of(found) == [PNG, GIF]
    assert found.lost == {"image": 1}


def test_a_question_of_images_alone_is_one() -> None:
    content = {"content_type": MULTIMODAL, "parts": [shown("file-service://file-1")]}
    nodes = [node("q", None, "user", content), node("a", "q", "assistant", "A tree.")]
    found = brought(chatgpt("x", nodes, title="", daehwa_images={"file-1": encoded(PNG)}))
    assert [type(part) for part in found.record.messages[0].parts] == [ImagePart]
    assert found.record.conversation.title == "ChatGPT"


def test_a_conversation_without_an_id_is_known_again_whether_its_images_came_or_not() -> None:
    value = open_webui()["chat"]
    value["history"]["messages"]["u"]["files"] = [{"type": "image", "url": "/files/1", "name": "sky.png"}]
    before = brought(value).record
    value["history"]["messages"]["u"]["files"][0]["url"] = address(PNG)
    after = brought(value).record
    assert before.conversation.id == after.conversation.id
    assert [m.id for m in before.messages] == [m.id for m in after.messages]
    value["history"]["messages"]["u"]["files"][0]["url"] = address(GIF, "image/gif")
    smaller = brought(value).record
    assert [image.id for image in smaller.images] == [image.id for image in after.images], "the page made it smaller"


def test_a_question_shows_no_more_images_than_it_may() -> None:
    names = [f"file-{number}" for number in range(QUESTION_IMAGES + 2)]
    given = {name: encoded(sized(1_000, name[-1:].encode())) for name in names}
    found = brought(with_images("x", *names, images=given))
    assert len(bytes_of(found)) == QUESTION_IMAGES
    assert found.lost == {"image": 2}
    assert found.record.messages[0].text.startswith("[Image not brought along]\n\n[Image not brought along]\n\nWhat")


def test_a_question_shows_no_more_bytes_than_it_may_and_what_still_fits() -> None:
    large, small = sized(QUESTION_IMAGE_BYTES - 1_000), sized(1_000, b"y")
    given = {
        "file-1": encoded(large),
        "file-2": encoded(sized(1_001)),
        "file-3": encoded(small),
        "file-4": encoded(PNG),
    }
    found = brought(with_images("x", "file-1", "file-2", "file-3", "file-4", images=given))
    assert bytes_of(found) == [large, small]
    assert found.lost == {"image": 2}
    alone = brought(with_images("x", "file-1", images={"file-1": encoded(sized(QUESTION_IMAGE_BYTES))}))
    assert alone.lost == {}
    too_large = brought(with_images("x", "file-1", images={"file-1": encoded(sized(QUESTION_IMAGE_BYTES + 1))}))
    assert too_large.lost == {"image": 1}


@pytest.mark.parametrize(
    "given",
    [
        None,
        [],
        "file-1",
        {},
        {"file-2": encoded(PNG)},
        {"file-1": None},
        {"file-1": 7},
        {"file-1": {"data": encoded(PNG)}},
        {"file-1": ""},
        {"file-1": "no base64!"},
        {"file-1": encoded(PNG)[:-3]},
        {"file-1": "\ud83d" + encoded(PNG)},
        {"file-1": encoded(PNG) + "나무"},
        {"file-1": encoded(b"text")},
        {"file-1": encoded(SVG)},
        {"file-1": encoded(PNG[:-4])},
        {"file-1": address(PNG)},
        {"file-1": "A" * 20_000_000},
    ],
)
def test_what_is_no_image_leaves_a_line_and_a_count(given: Any) -> None:
    found = brought(json.dumps(with_images("x", "file-service://file-1", images=given)).encode())
    assert found.record.messages[0].text == "[Image not brought along]\n\nWhat is this?"
    assert (found.record.images, found.lost) == ((), {"image": 1})


@pytest.mark.parametrize(
    "url",
    [
        "",
        "data:",
        "data:image/png",
        "data:image/png,abc",
        "data:image/png;base64",
        "data:image/png;base64,",
        "data:image/png;base64,%%%",
        "data:text/html;base64," + encoded(PNG),
        address(SVG, "image/svg+xml"),
        "data:image/" + "x" * 5_000_000,
        "data:image/png;base64," + "A" * 20_000_000,
        "javascript:alert(1)",
        None,
        7,
        {"url": address(PNG)},
    ],
)
def test_an_address_that_is_no_image_leaves_a_line_and_a_count(url: Any) -> None:
    value = open_webui()
    value["chat"]["history"]["messages"]["u"]["files"] = [{"type": "image", "url": url, "name": "sky.png"}]
    found = brought(value)
    assert found.record.messages[0].text == "Rain?\n\n[Image not brought along: sky.png]"
    assert (found.record.images, found.lost) == ((), {"image": 1})


@pytest.mark.parametrize(
    "pointer", ["", "/", "file-service://", 7, None, "file-service://" + "x" * 1_000_000, "../../x"]
)
def test_a_pointer_to_nothing_leaves_a_line_and_a_count(pointer: Any) -> None:
    found = brought(with_images("x", pointer, images={"": encoded(PNG), "None": encoded(PNG)}))
    assert (found.record.images, found.lost) == ((), {"image": 1})


def test_a_hundred_thousand_names_that_nobody_asks_for_are_not_read() -> None:
    given = {f"file-{number}": encoded(PNG) for number in range(100_000)}
    begun = time.process_time()
    found = brought(with_images("x", "file-7", images=given))
    assert len(found.record.images) == 1
    assert time.process_time() - begun < 5


def _asking(pointers: list[list[str]], given: dict[str, str]) -> dict[str, Any]:
    nodes: list[dict[str, Any]] = []
    for number, some in enumerate(pointers):
        content = {"content_type": MULTIMODAL, "parts": [*map(shown, some), "?"]}
        nodes.append(node(f"q{number}", f"a{number - 1}" if number else None, "user", content))
        nodes.append(node(f"a{number}", f"q{number}", "assistant", "!"))
    return chatgpt("x", nodes, daehwa_images=given)


def test_one_name_many_times_is_read_once_and_kept_once() -> None:
    names = ("file-1", "file-2", "file-3")
    given = {
        "file-1": encoded(sized(3_000_000)),
        "file-2": encoded(sized(3_000_000, b"y")),
        "file-3": encoded(b"text" * 700_000),
    }
    value = _asking([list(names)] * 3_000, given)
    tracemalloc.start()
    begun = time.process_time()
    found = brought(value)
    took = time.process_time() - begun
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert took < 20
    assert most < 100_000_000
    assert [image.data for image in found.record.images] == [sized(3_000_000)]
    assert found.lost == {"image": 6_000}


def test_images_of_one_conversation_are_bounded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brought_images, "CONVERSATION_IMAGE_BYTES", 10_000)
    given = {f"file-{number}": encoded(sized(3_000, b"%d" % number)) for number in range(5)}
    found = brought(_asking([[name] for name in given], given))
    assert [len(data) for data in bytes_of(found)] == [3_000] * 3
    assert found.lost == {"image": 2}
    webui = open_webui()
    files = [{"type": "image", "url": address(sized(3_000))}] * 5
    webui["chat"]["history"]["messages"]["u"]["files"] = files
    assert brought(webui).lost == {"image": 2}


def test_kinds_are_told_by_bytes_and_not_by_what_is_said() -> None:
    given = {"file-1": encoded(JPEG), "file-2": encoded(WEBP), "file-3": encoded(GIF)}
    found = brought(with_images("x", *given, images=given))
    kinds = [part.media_type for part in found.record.messages[0].images]
    assert kinds == ["image/jpeg", "image/webp", "image/gif"]
