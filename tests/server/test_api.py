"""The page's dialect, where all goes well."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from cores import Core, OneProviderCatalogue
from server.serving import Site, asked, serving, text_of

from daehwa.conversation.errors import ProviderAuthError
from daehwa.conversation.ids import new_id
from daehwa.conversation.ports import Model
from daehwa.providers.catalogue import Catalogue
from daehwa.providers.scripted import ScriptedProvider
from daehwa.server.api.me import preferred_locale


class TrialCatalogue(OneProviderCatalogue):
    """Only the small embedded model is there."""

    async def models(self) -> Sequence[Model]:
        return [Model(id="embedded/small", name="small", provider="embedded", trial=True, state="loading")]


class EmptyCatalogue(OneProviderCatalogue):
    """No provider can be asked."""

    async def models(self) -> Sequence[Model]:
        return []

    async def default_model(self) -> str | None:
        return None


@pytest.fixture
async def talked(site: Site) -> tuple[Site, str]:
    """A site on which one conversation took place."""
    body = asked("How is the weather in 서울?")
    await site.turn(body)
    return site, body["conversation"]


async def test_health_is_told_without_asking_anything(site: Site) -> None:
    assert await site.call("GET", "/healthz") == (200, {"status": "ok"})


async def test_me_says_who_asks_and_what_there_is(site: Site) -> None:
    status, me = await site.call("GET", "/api/me", headers={"Accept-Language": "ko-KR,ko;q=0.9,en;q=0.8"})
    assert status == 200
    assert me == {
        "user": {"id": "me", "name": "Tester", "role": "member"},
        "sign_in": False,
        "may_administer": False,
        "admins_may_read": False,
        "home": "local",
        "version": "0.0-test",
        "default_model": "scripted/parrot",
        "locale": "ko",
        "limits": {
            "body_bytes": 10_000_000,
            "turn_bytes": 10_000_000,
            "images": 8,
            "image_bytes": 4_000_000,
            "message_characters": 200_000,
            "title_characters": 200,
        },
        "embedded": False,
        "announcement": None,
    }


async def test_me_is_honest_where_only_the_trial_model_or_none_is_there(tmp_path: Path) -> None:
    core = Core()
    core.catalogue = TrialCatalogue(ScriptedProvider())
    async with serving(core, tmp_path) as site:
        assert (await site.call("GET", "/api/me"))[1]["embedded"] is True
        _, models = await site.call("GET", "/api/models")
        small = {"id": "embedded/small", "name": "small", "provider": "embedded", "state": "loading", "trial": True}
        assert models["models"] == [small]
    core = Core()
    core.catalogue = EmptyCatalogue(ScriptedProvider())
    async with serving(core, tmp_path) as site:
        _, me = await site.call("GET", "/api/me")
        assert (me["embedded"], me["default_model"]) == (False, None)
        assert (await site.call("GET", "/api/models"))[1] == {"models": [], "default": None}


@pytest.mark.parametrize(
    ("header", "locale"),
    [
        ("", "en"),
        ("*", "en"),
        ("ko", "ko"),
        ("fr-CH, ko;q=0.5, en;q=0.4", "ko"),
        ("en-US,en;q=0.9,ko;q=0.8", "en"),
        ("ko;q=0.2, en", "en"),
        ("ko;q=0", "en"),
        ("KO-kr ; q=0.7", "ko"),
        ("ko;q=nan,en;q=0.1", "en"),
        (";;;,,q=,ko;q=x", "en"),
    ],
)
def test_the_locale_is_the_first_of_ours_by_weight(header: str, locale: str) -> None:
    assert preferred_locale(header) == locale


async def test_what_keeps_models_away_is_told(tmp_path: Path) -> None:
    core = Core()
    away = ScriptedProvider(name="away")
    away.models_error = ProviderAuthError("away does not accept the API key (401).")
    core.catalogue = Catalogue([core.provider, away])  # type: ignore[assignment] # a real one, in its place
    async with serving(core, tmp_path) as site:
        _, models = await site.call("GET", "/api/models")
    assert models["default"] == "scripted/parrot"
    assert models["problems"] == [
        {"provider": "away", "type": "upstream_auth", "message": "away does not accept the API key (401)."}
    ]


async def test_models_are_listed_with_the_default(site: Site) -> None:
    _, models = await site.call("GET", "/api/models")
    parrot = {"id": "scripted/parrot", "name": "parrot", "provider": "scripted", "titles": False}
    prices = {"scripted/parrot": {"input": 1_000_000, "cached": 100_000, "output": 4_000_000}}
    assert models == {"models": [parrot], "default": "scripted/parrot", "prices": prices}


async def test_a_conversation_is_read_whole_and_without_its_owner(talked: tuple[Site, str]) -> None:
    site, conversation = talked
    status, whole = await site.call("GET", f"/api/conversations/{conversation}")
    assert status == 200
    question, reply = whole["messages"]
    assert whole["conversation"] == {
        "id": conversation,
        "title": "How is the weather in 서울?",
        "title_source": "question",
        "model": "scripted/parrot",
        "leaf": reply["id"],
        "pinned": False,
        "archived": False,
        "created": question["created"],
        "updated": question["created"],
    }
    assert (question["role"], question["parent"], question["status"]) == ("user", None, "complete")
    assert (reply["role"], reply["parent"], reply["status"]) == ("assistant", question["id"], "complete")
    assert reply["parts"] == [{"type": "text", "text": "You said: How is the weather in 서울?"}]
    assert set(reply) == {
        *("id", "conversation", "parent", "role", "parts", "status", "model"),
        *("finish", "usage", "error", "created", "position", "heartbeat"),
    }


async def test_a_long_conversation_is_read_in_stretches(talked: tuple[Site, str]) -> None:
    site, conversation = talked
    one = f"/api/conversations/{conversation}"
    _, whole = await site.call("GET", one)
    assert (whole["whole"], whole["total"]) == (True, None)
    body = asked("And tomorrow?", conversation=conversation, parent=whole["messages"][-1]["id"])
    await site.turn(body)
    _, whole = await site.call("GET", one)
    status, end = await site.call("GET", f"{one}?limit=1&total=true")
    assert (status, end["whole"], end["conversation"]) == (200, False, whole["conversation"])
    assert end["messages"] == whole["messages"][2:]
    assert end["total"]["calls"] == 2
    _, earlier = await site.call("GET", f"{one}?limit=1&before={end['messages'][0]['id']}")
    assert (earlier["messages"], earlier["total"]) == (whole["messages"][:2], None)
    _, from_there = await site.call("GET", f"{one}?limit=1&message={whole['messages'][0]['id']}")
    assert from_there["messages"] == whole["messages"]
    assert (await site.call("GET", f"{one}?limit=1&before={new_id()}"))[0] == 404


async def test_conversations_are_listed_in_pages(site: Site) -> None:
    made = [asked(f"Number {i}") for i in range(3)]
    for body in made:
        await site.turn(body)
    _, first = await site.call("GET", "/api/conversations?limit=2")
    assert len(first["conversations"]) == 2
    _, second = await site.call("GET", f"/api/conversations?limit=2&after={first['after']}")
    assert second["after"] is None
    listed = [one["id"] for one in first["conversations"] + second["conversations"]]
    assert sorted(listed) == sorted(body["conversation"] for body in made)
    assert all("owner" not in one for one in first["conversations"])


async def test_search_finds_title_and_text(talked: tuple[Site, str]) -> None:
    site, conversation = talked
    _, found = await site.call("GET", "/api/conversations?query=%EC%84%9C%EC%9A%B8")
    (hit,) = found["hits"]
    assert hit["conversation"]["id"] == conversation
    assert {"text": "서울", "match": True} in hit["title"]
    _, found = await site.call("GET", "/api/conversations?query=said")
    assert found["hits"][0]["message"] is not None
    assert {"text": "said", "match": True} in found["hits"][0]["snippet"]
    assert (await site.call("GET", "/api/conversations?query=absent"))[1] == {"hits": []}


async def test_a_blank_search_lists_everything(talked: tuple[Site, str]) -> None:
    site, conversation = talked
    _, listed = await site.call("GET", "/api/conversations?query=%20")
    assert [one["id"] for one in listed["conversations"]] == [conversation]


async def test_a_conversation_is_renamed_pinned_archived_and_its_leaf_moved(talked: tuple[Site, str]) -> None:
    site, conversation = talked
    one = f"/api/conversations/{conversation}"
    _, whole = await site.call("GET", one)
    question = whole["messages"][0]["id"]
    changes = {"title": "  A new\n name ", "pinned": True, "archived": True, "leaf": question}
    status, changed = await site.call("PATCH", one, changes)
    assert status == 200
    assert (changed["title"], changed["title_source"]) == ("A new name", "user")
    assert (changed["pinned"], changed["archived"], changed["leaf"]) == (True, True, question)
    assert (await site.call("PATCH", one, {}))[1] == changed, "what is not named stays"
    assert (await site.call("GET", "/api/conversations"))[1]["conversations"] == []
    assert (await site.call("GET", "/api/conversations?archived=true"))[1]["conversations"] == [changed]


async def test_a_deleted_conversation_is_gone_until_it_is_restored(talked: tuple[Site, str]) -> None:
    site, conversation = talked
    one = f"/api/conversations/{conversation}"
    assert await site.call("DELETE", one) == (204, None)
    assert (await site.refused("GET", one))[0] == 404
    assert (await site.refused("DELETE", one))[0] == 404
    status, restored = await site.call("POST", f"{one}/restore")
    assert (status, restored["id"]) == (200, conversation)
    assert (await site.call("GET", one))[1]["conversation"] == restored
    assert (await site.call("POST", f"{one}/restore"))[0] == 200


async def test_the_longest_message_and_title_are_taken(site: Site) -> None:
    body = asked("가" * 200_000)
    assert len(text_of(await site.turn(body))) == 200_000 + len("You said: ")
    status, changed = await site.call("PATCH", f"/api/conversations/{body['conversation']}", {"title": "제" * 200})
    assert (status, len(changed["title"])) == (200, 200)


async def test_answers_are_kept_by_no_cache(site: Site) -> None:
    for path in ("/api/me", "/api/models", "/api/conversations", "/api/nothing"):
        async with site.client.get(path) as answer:
            assert answer.headers["cache-control"] == "no-store"
            assert answer.headers["content-type"] == "application/json"
