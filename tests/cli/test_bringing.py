"""`daehwa import` with the exports of other products, as a person types it."""

import base64
import hashlib
import io
import json
import sqlite3
import zipfile
from pathlib import Path

import pytest
from cli.conftest import Program
from images import GIF, PLACE, PNG, told_jpeg
from transfer.foreign import as_json, claude, librechat, open_webui, research, simple, with_images, zipped

from daehwa.accounts.people import Profile
from daehwa.cli.terminal import FAULT, MISUSE
from daehwa.data_folder import DataFolder
from daehwa.stores.sqlite import SqliteStore
from daehwa.stores.sqlite_accounts import SqliteAccounts


def titles(program: Program) -> set[str]:
    with sqlite3.connect(DataFolder(program.data).database) as connection:
        return {row[0] for row in connection.execute("SELECT title FROM conversations")}


async def test_a_zip_of_chatgpt_comes_once_with_a_word_for_what_did_not(program: Program, tmp_path: Path) -> None:
    shards = {
        "conversations-000.json": as_json([simple("a"), simple("b")]),
        "conversations-001.json": as_json([research()]),
    }
    (tmp_path / "chatgpt.zip").write_bytes(zipped({**shards, "file-1.png": b"x"}))
    came = await program.run("import", "chatgpt.zip")
    assert came.code == 0, came.err
    assert "3 conversations with 11 messages read: 3 added, 0 brought up to date, 0 there already." in came.err
    assert "Not brought along: images (1)." in came.err
    assert titles(program) == {"About a", "About b", "Trees"}
    again = await program.run("import", "chatgpt.zip")
    assert "0 added, 0 brought up to date, 3 there already" in again.err


@pytest.mark.parametrize(
    ("content", "title"),
    [([claude()], "On trees"), ([open_webui()], "Weather"), (librechat(), "Libre"), ([simple("a")], "About a")],
)
async def test_each_product_comes_by_its_json_and_by_a_pipe(
    program: Program, tmp_path: Path, content: object, title: str
) -> None:
    (tmp_path / "export.json").write_text(json.dumps(content, indent=2))
    came = await program.run("import", "export.json")
    assert (came.code, titles(program)) == (0, {title}), came.err
    piped = await program.run("import", "-", stdin=json.dumps(content))
    assert "0 added, 0 brought up to date, 1 there already" in piped.err


async def test_what_cannot_be_read_is_named_and_the_rest_comes(program: Program, tmp_path: Path) -> None:
    content = as_json([simple("a"), {"title": "Strange"}])
    (tmp_path / "export.json").write_bytes(content[:-1] + b', {"mapping": {')
    came = await program.run("import", "export.json")
    assert came.code == FAULT
    assert "1 added" in came.err
    assert "Left out, conversation 2: “Strange”: it is no conversation as ChatGPT" in came.err
    assert "Left out, conversation 3: the file is cut off here" in came.err


async def test_what_is_nothing_of_this_says_what_to_do(program: Program, tmp_path: Path) -> None:
    for name, content, word in (
        ("empty.json", b"[]", "Nothing in this file can be brought"),
        ("utf16.json", "[{}]".encode("utf-16"), "UTF-16"),
        ("packed.gz", b"\x1f\x8b\x08", "gunzip"),
        ("photos.zip", zipped({"a.png": b"x"}), "no conversations in this ZIP"),
    ):
        (tmp_path / name).write_bytes(content)
        came = await program.run("import", name)
        assert came.code != 0
        assert word in came.err, came.err
        assert "Traceback" not in came.err


def _spoiled(content: bytes, at: int, count: int) -> bytes:
    return content[:at] + b"\xff" * count + content[at + count :]


def _locked(content: bytes) -> bytes:
    found = bytearray(content)
    found[6] |= 1
    found[found.rfind(b"PK\x01\x02") + 8] |= 1
    return bytes(found)


async def test_a_zip_that_cannot_be_unpacked_is_told_as_such(program: Program, tmp_path: Path) -> None:
    lines = (
        b'{"type":"daehwa-export","version":1,"daehwa":"1","created":1}\n'
        + b"".join(hashlib.sha256(b"%d" % number).digest() for number in range(1_600)).hex().encode()
    )
    ours, packed = zipped({"conversations.jsonl": lines}), io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("conversations.json", as_json([simple(f"{number}") for number in range(200)]))
    for name, content, word in (
        ("begin.zip", _spoiled(ours, 60, 40), "damaged there"),
        ("middle.zip", _spoiled(ours, len(ours) // 2, 40), "damaged there"),
        ("locked.zip", _locked(ours), "encrypted"),
        ("lzma.zip", _spoiled(packed.getvalue(), 70, 50), "damaged there"),
    ):
        (tmp_path / name).write_bytes(content)
        came = await program.run("import", name)
        assert came.code != 0
        assert word in came.err, came.err
        assert "fault in the program" not in came.err


async def test_what_is_lost_of_an_unknown_kind_is_told_all_the_same(program: Program, tmp_path: Path) -> None:
    content = [{"type": f"{kind}-url"} for kind in ("image", "audio", "video")]
    message = {"messageId": "1", "isCreatedByUser": False, "text": "", "content": content}
    (tmp_path / "libre.json").write_bytes(as_json({"conversationId": "l", "messages": [message]}))
    came = await program.run("import", "libre.json")
    assert came.code == 0, came.err
    for kind in ("images (1)", "recordings (1)", "videos (1)"):
        assert f"Not brought along: {kind}." in came.err


async def test_where_people_sign_in_it_is_asked_whose_they_are(program: Program, tmp_path: Path) -> None:
    folder = DataFolder(program.data)
    folder.prepare()
    store = await SqliteStore.open(folder.database)
    ann = await SqliteAccounts(store).sign_in(
        Profile(issuer="https://id", subject="ann", email="ann@example.org", name="Ann"), now=1, role="admin"
    )
    await store.aclose()
    (tmp_path / "export.json").write_bytes(as_json([simple("a")]))
    refused = await program.run("import", "export.json")
    assert refused.code == MISUSE
    assert "--owner ann@example.org" in refused.err
    came = await program.run("import", "export.json", "--owner", "ann@example.org")
    assert "1 added" in came.err
    with sqlite3.connect(folder.database) as connection:
        assert connection.execute("SELECT owner FROM conversations").fetchall() == [(ann.id,)]


async def test_what_was_taken_along_in_the_page_is_read_as_it_came(program: Program, tmp_path: Path) -> None:
    (tmp_path / "export.json").write_bytes(as_json([simple("a")]))
    await program.run("import", "export.json")
    ours = (await program.run("export", "-")).out.rstrip("\n").encode()
    (tmp_path / "daehwa.zip").write_bytes(zipped({"account.json": b"{}", "conversations.jsonl": ours}))
    came = await program.run("import", "daehwa.zip", "--data-dir", str(tmp_path / "other"))
    assert came.code == 0, came.err
    assert "1 added" in came.err


async def exported_images(program: Program) -> list[bytes]:
    """The images of everything that is here, as an export has them."""
    lines = (await program.run("export", "-")).out.splitlines()[1:-1]
    records = [json.loads(line)["record"] for line in lines]
    named = [
        part["image"]
        for record in records
        for message in record["messages"]
        for part in message["parts"]
        if part["type"] == "image"
    ]
    kept = {image["id"]: base64.b64decode(image["data"]) for record in records for image in record.get("images", ())}
    assert set(named) == set(kept)
    return list(kept.values())


async def test_images_of_questions_come_out_of_the_zip_once_and_without_their_place(
    program: Program, tmp_path: Path
) -> None:
    first = with_images("x", "file-service://file-AbC123", "sediment://file_0000abc", "sediment://file_gone")
    shards = {"conversations-000.json": as_json([first]), "conversations-001.json": as_json([research()])}
    images = {
        "file-AbC123-photo.png": PNG,
        "user-xyz/file_0000abc-sanitized.jpg": told_jpeg(6),
        "dalle-generations/file-other-1.webp": b"RIFF",
        "file-1-wood.png": b"no image",
    }
    (tmp_path / "chatgpt.zip").write_bytes(zipped({**shards, **images}))
    came = await program.run("import", "chatgpt.zip")
    assert came.code == 0, came.err
    assert "2 conversations with 9 messages read: 2 added" in came.err
    assert "\nBrought along: images (2).\n" in came.err
    assert "Not brought along: images (2)." in came.err
    kept = await exported_images(program)
    assert kept[0] == PNG
    assert kept[1].startswith(b"\xff\xd8\xff")
    assert PLACE not in kept[1]
    again = await program.run("import", "chatgpt.zip")
    assert "0 added, 0 brought up to date, 2 there already" in again.err
    assert "Brought along" not in again.err, "they were here"
    assert await exported_images(program) == kept
    with sqlite3.connect(DataFolder(program.data).database) as connection:
        assert connection.execute("SELECT count(*) FROM images").fetchone() == (2,)


async def test_what_was_left_behind_with_a_note_before_stays_a_note(program: Program, tmp_path: Path) -> None:
    shard = {"conversations.json": as_json([with_images("x", "file-service://file-1")])}
    (tmp_path / "before.zip").write_bytes(zipped(shard))
    (tmp_path / "after.zip").write_bytes(zipped({**shard, "file-1-photo.png": PNG}))
    assert "images (1)" in (await program.run("import", "before.zip")).err
    after = await program.run("import", "after.zip")
    assert "0 added, 0 brought up to date, 1 there already" in after.err
    assert "Brought along" not in after.err
    assert await exported_images(program) == []
    (tmp_path / "both.zip").write_bytes(zipped({**shard, "file-1-photo.png": GIF}))
    elsewhere = ("--data-dir", str(tmp_path / "other"))
    await program.run("import", "after.zip", *elsewhere)
    again = await program.run("import", "both.zip", *elsewhere)
    assert "1 there already" in again.err, "an image that is there stays"


async def test_images_within_the_json_of_open_webui_come_by_a_pipe(program: Program) -> None:
    value = open_webui()
    url = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    value["chat"]["history"]["messages"]["u"]["files"] = [{"type": "image", "url": url, "name": "sky.png"}]
    came = await program.run("import", "-", stdin=json.dumps([value]))
    assert "1 conversation with 3 messages read: 1 added" in came.err, came.err
    assert "Brought along: images (1)." in came.err
    assert "Not brought along" not in came.err
    assert await exported_images(program) == [PNG]
