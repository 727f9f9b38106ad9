import asyncio
import base64
import os
import signal
from pathlib import Path

import pytest
from cli.conftest import PROGRAM, Program
from images import GIF, JPEG, PNG, WEBP, large
from upstream import Answer, FakeUpstream, error, stream

from daehwa.cli.shown_images import read_images
from daehwa.conversation.ports import ConversationChanges
from daehwa.stores.sqlite import SqliteStore


async def kept(program: Program) -> list[tuple[str, str, str]]:
    """Return role, status and text of every message of every conversation."""
    store = await SqliteStore.open(program.data / "daehwa.sqlite3")
    try:
        page = await store.list_conversations("owner")
        trees = [await store.get_conversation("owner", conversation.id) for conversation in page.conversations]
    finally:
        await store.aclose()
    return [(message.role, message.status, message.text) for _, messages in trees for message in messages]


def told(request_json: object) -> list[str]:
    """Return what the upstream was told, without requests for titles."""
    assert isinstance(request_json, dict)
    return [message["content"] for message in request_json["messages"]]


async def test_an_answer_goes_to_standard_output_and_is_kept(program: Program) -> None:
    async with FakeUpstream(Answer(stream("Hello there.\nAll well."))) as upstream:
        ended = await program.run("ask", "How", "are you?", OPENAI_BASE_URL=upstream.base_url)
    assert ended == (0, "Hello there.\nAll well.\n", "")
    assert ("user", "complete", "How are you?") in await kept(program)
    assert ("assistant", "complete", "Hello there.\nAll well.") in await kept(program)


async def test_a_program_is_given_what_came(program: Program) -> None:
    said = "\x1b[1mbold\x1b[0m"
    async with FakeUpstream(Answer(stream(said))) as upstream:
        ended = await program.run("ask", "How are you?", OPENAI_BASE_URL=upstream.base_url)
    assert ended == (0, f"{said}\n", "")


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="Windows has no such terminals")
async def test_an_answer_moves_nothing_at_a_terminal(program: Program) -> None:
    said = "\x1b]52;c;cm0gLXJmIH4=\x07a\x1b[2K\r\x9b8mb\tc"
    async with FakeUpstream(Answer(stream(said))) as upstream:
        ours, theirs = os.openpty()
        process = await asyncio.create_subprocess_exec(
            *PROGRAM,
            *("ask", "How are you?"),
            cwd=program.folder,
            env=program.environment(OPENAI_BASE_URL=upstream.base_url),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=theirs,
        )
        await process.wait()
        os.close(theirs)
        shown = (await asyncio.to_thread(os.read, ours, 10_000)).decode()
        os.close(ours)
        assert "\x1b" not in shown
        assert shown.replace("\r\n", "\n") == "␛]52;c;cm0gLXJmIH4=␇a␛[2K␍\ufffd8mb\tc\n"
        piped = (await program.run("ask", "Hm?", OPENAI_BASE_URL=upstream.base_url)).out
        assert piped.startswith(said[:20]), "a program has it as it is"


async def test_text_from_a_pipe_follows_the_question(program: Program) -> None:
    async with FakeUpstream() as upstream:
        await program.run("ask", "What is this?", stdin="한국어\n", OPENAI_BASE_URL=upstream.base_url)
        await program.run("ask", stdin="Only this\n", OPENAI_BASE_URL=upstream.base_url)
    asked = [text for role, _, text in await kept(program) if role == "user"]
    assert sorted(asked) == ["Only this", "What is this?\n\n한국어"]


async def test_continue_goes_on_with_the_last_conversation(program: Program) -> None:
    async with FakeUpstream() as upstream:
        await program.run("ask", "One", OPENAI_BASE_URL=upstream.base_url)
        await program.run("ask", "--continue", "Two", OPENAI_BASE_URL=upstream.base_url)
        asked = [told(request.json) for request in upstream.requests if request.method == "POST"]
    assert any(texts[-3:] == ["One", "Hello there.", "Two"] for texts in asked)
    assert [text for role, _, text in await kept(program) if role == "user"] == ["One", "Two"]


async def test_continue_passes_over_an_older_conversation_that_is_pinned(program: Program) -> None:
    async with FakeUpstream() as upstream:
        await program.run("ask", "Old", OPENAI_BASE_URL=upstream.base_url)
        store = await SqliteStore.open(program.data / "daehwa.sqlite3")
        [old] = (await store.list_conversations("owner")).conversations
        await store.change_conversation("owner", old.id, ConversationChanges(pinned=True))
        await store.aclose()
        await program.run("ask", "New", OPENAI_BASE_URL=upstream.base_url)
        await program.run("ask", "--continue", "More", OPENAI_BASE_URL=upstream.base_url)
    assert [text for role, _, text in await kept(program) if role == "user"] == ["Old", "New", "More"]


async def test_continue_without_a_conversation_is_told(program: Program) -> None:
    async with FakeUpstream() as upstream:
        ended = await program.run("ask", "--continue", "Two", OPENAI_BASE_URL=upstream.base_url)
    assert ended.code == 2
    assert "no conversation to go on with" in ended.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_stops_the_answer_and_keeps_what_came(program: Program, number: int) -> None:
    never = asyncio.Event()
    async with FakeUpstream(Answer([*stream("Half of")[:-3], never])) as upstream:
        process = await program.start("ask", "Long?", OPENAI_BASE_URL=upstream.base_url)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        assert await process.stdout.readexactly(len("Half of")) == b"Half of"
        process.send_signal(number)
        assert await asyncio.wait_for(process.wait(), 20) == 130
        turn = next(request for request in upstream.requests if request.method == "POST")
        await asyncio.wait_for(turn.closed.wait(), 5)
        never.set()
    assert ("assistant", "stopped", "Half of") in await kept(program)


async def test_it_ends_with_the_answer_and_asks_for_no_title(program: Program) -> None:
    async with FakeUpstream() as upstream:
        assert (await program.run("ask", "Short?", OPENAI_BASE_URL=upstream.base_url)).code == 0
        assert len(upstream.turns) == 1
    store = await SqliteStore.open(program.data / "daehwa.sqlite3")
    [conversation] = (await store.list_conversations("owner")).conversations
    await store.aclose()
    assert (conversation.title, conversation.title_source) == ("Short?", "question")


async def test_a_refused_key_is_a_paragraph_and_is_not_shown(program: Program) -> None:
    async with FakeUpstream(error(401, "Incorrect API key provided")) as upstream:
        ended = await program.run(
            "ask", "Hi", OPENAI_BASE_URL=upstream.base_url, OPENAI_API_KEY="sk-secret-secret", stdin=""
        )
    assert ended.code == 1
    assert ended.err.startswith("daehwa: ")
    assert "Traceback" not in ended.err
    assert "sk-secret-secret" not in ended.out + ended.err
    assert [status for role, status, _ in await kept(program) if role == "assistant"] == ["failed"]


async def test_an_unknown_model_is_told_with_those_that_there_are(program: Program) -> None:
    async with FakeUpstream(models=["gpt-a", "gpt-b"]) as upstream:
        ended = await program.run("ask", "--model", "gpt-c", "Hi", OPENAI_BASE_URL=upstream.base_url)
    assert ended.code == 2
    assert ended.err == "daehwa: No provider serves “gpt-c”. Choose one of: openai/gpt-a, openai/gpt-b.\n"


@pytest.mark.parametrize("model", [(), ("--model", "any")])
async def test_a_wrong_key_is_told_in_either_form(program: Program, model: tuple[str, ...]) -> None:
    refusal = error(401, "Incorrect API key provided")
    async with FakeUpstream(refusal, models=refusal) as upstream:
        ended = await program.run("ask", *model, "Hi", OPENAI_BASE_URL=upstream.base_url, OPENAI_API_KEY="sk-a-key-1")
    assert ended.code == 1
    assert ended.err.startswith("daehwa: openai does not accept the API key (401). Check the key")


async def test_an_upstream_that_says_nothing_is_told(program: Program) -> None:
    never = asyncio.Event()
    async with FakeUpstream(models=Answer([], before=never)) as upstream:
        ended, port = await program.run("ask", "Hi", OPENAI_BASE_URL=upstream.base_url), upstream.port
        never.set()
    assert ended.code == 1
    assert f"openai at 127.0.0.1:{port} has not answered for 3 s." in ended.err


async def test_an_answer_without_text_is_told(program: Program) -> None:
    async with FakeUpstream(Answer(stream(""))) as upstream:
        ended = await program.run("ask", "Hi", OPENAI_BASE_URL=upstream.base_url)
    assert ended == (1, "", "daehwa: No answer.\n")


async def test_an_upstream_that_is_not_there_is_told(program: Program) -> None:
    ended = await program.run("ask", "Hi", OPENAI_BASE_URL="http://127.0.0.1:9/v1")
    named = await program.run("ask", "--model", "any", "Hi", OPENAI_BASE_URL="http://127.0.0.1:9/v1")
    assert (ended.code, named.code) == (1, 1)
    assert ended.err == (
        "daehwa: openai refused the connection at 127.0.0.1:9. Check that it is running and that the base URL is "
        "right.\n"
    )


async def test_without_a_question_it_says_how_to_ask(program: Program) -> None:
    ended = await program.run("ask")
    assert ended.code == 2
    assert 'Put it after the command: daehwa ask "…", or pipe it in.' in ended.err
    started_by_uv = await program.run("ask", UV="/bin/uv", UV_RUN_RECURSION_DEPTH="1")
    assert 'Put it after the command: uv run daehwa ask "…"' in started_by_uv.err


async def test_a_question_without_end_is_refused(program: Program) -> None:
    ended = await program.run("ask", stdin="x" * 200_001)
    assert ended.code == 2
    assert "has 200,001 characters; the limit is 200,000. Shorten it." in ended.err


async def test_a_pipe_without_end_is_refused(program: Program) -> None:
    process = await program.start("ask", "What is this?")
    assert process.stdin is not None
    assert process.stderr is not None
    process.stdin.write(b"y\n" * 400_001)  # and it stays open
    told = await asyncio.wait_for(process.stderr.read(), 20)
    assert "characters or more; the limit is 200,000." in told.decode()
    assert await process.wait() == 2


async def test_a_reader_that_leaves_stops_the_answer(program: Program) -> None:
    words = [*stream("One two", pace=0.05)[:-3], *stream("and more " * 200, pace=0.05)[1:]]
    async with FakeUpstream(Answer(words)) as upstream:
        process = await program.start("ask", "Long?", OPENAI_BASE_URL=upstream.base_url)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        await process.stdout.readexactly(3)
        process.stdout._transport.close()  # type: ignore[attr-defined]  # the reader's end of the pipe
        assert await asyncio.wait_for(process.wait(), 20) == 1
        assert process.stderr is not None
        assert b"Traceback" not in await process.stderr.read()
    assert [status for role, status, _ in await kept(program) if role == "assistant"] == ["stopped"]


async def test_images_are_shown_with_a_question_or_are_all_of_it(program: Program) -> None:
    names = {"a.png": PNG, "b.jpg": JPEG, "c.webp": WEBP, "d.gif": GIF}
    for name, data in names.items():
        (program.folder / name).write_bytes(data)
    flags = [word for name in names for word in ("--image", name)]
    async with FakeUpstream(Answer(stream("Four."))) as upstream:
        ended = await program.run("ask", *flags, "How many?", OPENAI_BASE_URL=upstream.base_url)
        alone = await program.run("ask", "--image", "b.jpg", OPENAI_BASE_URL=upstream.base_url)
        asked = [request.json["messages"][-1]["content"] for request in upstream.turns]
    assert (ended, alone) == ((0, "Four.\n", ""), (0, "Four.\n", ""))
    assert [part["type"] for part in asked[0]] == ["image_url"] * 4 + ["text"]
    assert [part["image_url"]["url"].partition(",")[2] for part in asked[0][:4]] == [
        base64.b64encode(data).decode() for data in names.values()
    ]
    assert [part["type"] for part in asked[1]] == ["image_url"]
    store = await SqliteStore.open(program.data / "daehwa.sqlite3")
    page = await store.list_conversations("owner")
    trees = {each.title: await store.get_conversation("owner", each.id) for each in page.conversations}
    await store.aclose()
    assert trees.keys() == {"How many?", "Image"}
    assert {(part.width, part.height) for part in trees["How many?"][1][0].images} == {(1, 1)}


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("none.png", None, "none.png cannot be read: No such file or directory. Name a file with an image in it."),
        ("a.svg", b"<svg/>", "a.svg is no image in PNG, JPEG, WebP or GIF. Convert it into one of these."),
        ("a.png", large(4_000_001), "may have 4,000,000 bytes together. Make them smaller, or leave some out."),
    ],
)
async def test_what_cannot_be_shown_is_told(program: Program, name: str, data: bytes | None, words: str) -> None:
    if data is not None:
        (program.folder / name).write_bytes(data)
    ended = await program.run("ask", "--image", name, "Hm?")
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err


async def test_more_images_than_a_question_shows_are_told(program: Program) -> None:
    (program.folder / "a.png").write_bytes(PNG)
    ended = await program.run("ask", *["--image", "a.png"] * 9, "Hm?")
    assert ended == (2, "", "daehwa: There are 9 images; a question shows at most 8. Leave some out.\n")


async def test_a_model_that_sees_none_is_told_before_anything_is_kept(program: Program) -> None:
    (program.folder / "a.png").write_bytes(PNG)
    async with FakeUpstream(models=["davinci-002"]) as upstream:
        ended = await program.run("ask", "--image", "a.png", "Hm?", OPENAI_BASE_URL=upstream.base_url)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == ("daehwa: davinci-002 sees no images. Name another model with --model, or leave --image out.\n")
    assert await kept(program) == []


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x02\x80\0\0\x01\xe0", (640, 480)),
        (b"GIF89a\x80\x02\xe0\x01", (640, 480)),
        (b"\xff\xd8\xff\xe0\0\x04ab\xff\xc2\0\x0b\x08\x01\xe0\x02\x80", (640, 480)),
        (b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a\x80\x02\xe0\x01", (640, 480)),
        (b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f\x7f\xc2\x77\0", (640, 480)),
        (b"RIFF\0\0\0\0WEBPVP8X\0\0\0\0\0\0\0\0\x7f\x02\0\xdf\x01\0", (640, 480)),
        (b"\x89PNG\r\n\x1a\n", (1, 1)),
        (b"\xff\xd8\xff", (1, 1)),
        (b"\xff\xd8\xff\xe0\0\x04abcdef", (1, 1)),
        (b"RIFF\0\0\0\0WEBPnone", (1, 1)),
    ],
)
def test_the_size_of_an_image_is_what_its_head_says(tmp_path: Path, data: bytes, size: tuple[int, int]) -> None:
    (tmp_path / "image").write_bytes(data)
    (image,) = read_images([tmp_path / "image"])
    assert ((image.width, image.height), image.data) == (size, data)


def test_what_the_head_of_an_image_says_of_its_size_is_kept_within_what_the_page_takes(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(PNG[:16] + b"\xff" * 8 + PNG[24:])
    (image,) = read_images([file])
    assert (image.width, image.height) == (100_000, 100_000)
