"""Housekeeping as the server does it: what nobody makes any more is interrupted, what was deleted goes in its time."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from stores.asking import ask, make_turn

from daehwa.conversation.errors import ConversationNotFound
from daehwa.conversation.ids import now_ms
from daehwa.data_folder import DATABASE, DataFolder
from daehwa.services.local import OWNER, OpenAIWireProvider, Services, build_providers, keep_house
from daehwa.settings import load_settings


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[Services]:
    folder = DataFolder(tmp_path)
    folder.prepare()
    (tmp_path / "daehwa.toml").touch()
    loaded = load_settings({"data_dir": tmp_path}, config=tmp_path / "daehwa.toml", environment={})
    made = await Services.open(loaded, folder, runner="test")
    yield made
    await made.aclose()


async def test_the_house_is_kept(services: Services, tmp_path: Path) -> None:
    store = services.store
    dead = await store.begin_turn(make_turn(owner=OWNER, at=now_ms() - 31_000))
    alive = await store.begin_turn(make_turn(owner=OWNER, at=now_ms() - 20_000))
    recent, old = await ask(store, "Recent", owner=OWNER), await ask(store, "Old", owner=OWNER)
    _delete(tmp_path, recent.conversation.id, minutes=9)
    _delete(tmp_path, old.conversation.id, minutes=11)
    keeping = asyncio.create_task(keep_house(services))
    async with asyncio.timeout(10):
        while (await store.get_message(OWNER, dead.reply.id)).status == "streaming":  # noqa: ASYNC110 - a file has no event
            await asyncio.sleep(0.01)
    keeping.cancel()
    await asyncio.wait([keeping])
    assert (await store.get_message(OWNER, alive.reply.id)).status == "streaming"
    assert (await store.restore_conversation(OWNER, recent.conversation.id)).title == "Recent"
    with pytest.raises(ConversationNotFound):
        await store.restore_conversation(OWNER, old.conversation.id)


async def test_a_step_of_keeping_house_that_fails_keeps_no_other_from_its_work(
    services: Services, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = services.store
    dead = await store.begin_turn(make_turn(owner=OWNER, at=now_ms() - 31_000))
    with closing(sqlite3.connect(tmp_path / DATABASE)) as connection:
        connection.execute("ALTER TABLE links RENAME TO elsewhere")  # what expired there cannot be removed
        connection.execute(
            "INSERT INTO users (id, issuer, subject, name, role, created, last_seen, groups) "
            "VALUES ('x', 'i', 's', 'n', 'member', 1, 1, '{')"  # nor who is leaving be told
        )
        connection.commit()
    keeping = asyncio.create_task(keep_house(services))
    async with asyncio.timeout(10):
        while (await store.get_message(OWNER, dead.reply.id)).status == "streaming":  # noqa: ASYNC110 - a file has no event
            await asyncio.sleep(0.01)
    assert not keeping.done()
    keeping.cancel()
    await asyncio.wait([keeping])
    assert "a step of housekeeping failed" in caplog.text
    assert "housekeeping waits" in caplog.text


def _delete(folder: Path, conversation: str, *, minutes: int) -> None:
    """Delete a conversation as was done some minutes ago."""
    connection = sqlite3.connect(folder / DATABASE)
    with connection:
        connection.execute(
            "UPDATE conversations SET deleted = ? WHERE id = ?", (now_ms() - minutes * 60_000, conversation)
        )
    connection.close()


@pytest.mark.parametrize(("titles", "model_titles"), [("false", False), ("true", True)])
async def test_no_titles_means_no_titles_of_any_provider(tmp_path: Path, titles: str, *, model_titles: bool) -> None:
    file = tmp_path / "daehwa.toml"
    file.write_text(f'titles = {titles}\n[[providers]]\nname = "a"\nbase_url = "http://x/v1"\nmodels = ["m"]')
    [provider] = build_providers(load_settings({}, config=file, environment={}))
    assert isinstance(provider, OpenAIWireProvider)
    assert [model.titles for model in await provider.models()] == [model_titles]
