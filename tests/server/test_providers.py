"""The providers of models for admins: how they fare, and one small question, counted as any other."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from books import TODAY, at
from cores import Core
from server.front_door import FrontDoor, a_front_door

from daehwa.accounts.ledger import UsageQuery
from daehwa.conversation.errors import ProviderUnavailableError
from daehwa.conversation.metering import Unmetered
from daehwa.conversation.trial import Asker, tried
from daehwa.providers.catalogue import Catalogue
from daehwa.providers.openai_wire import OpenAIWireProvider
from daehwa.providers.scripted import ScriptedProvider, spoken
from daehwa.providers.upstream import Upstream

SECRET = "sk-only-the-upstream-may-know"


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[FrontDoor]:
    async with a_front_door(tmp_path, core=Core(ScriptedProvider(spoken("Yes.")))) as made:
        yield made


async def test_providers_are_listed_without_what_is_secret(door: FrontDoor) -> None:
    boss = await door.admin()
    assert await boss.call("GET", "/api/providers") == (
        200,
        {
            "providers": [
                {
                    "name": "scripted",
                    "kind": "scripted",
                    "base_url": None,
                    "has_key": False,
                    "models": 1,
                    "problem": None,
                    "circuit": None,
                }
            ],
            "routes": {"any": ["parrot"]},
        },
    )


async def test_of_an_upstream_its_place_is_told_and_never_its_key() -> None:
    upstream = Upstream(name="far", base_url=f"http://me:{SECRET}@127.0.0.1:9/v1?key={SECRET}", key=SECRET)
    catalogue = Catalogue([OpenAIWireProvider(upstream)])
    (state,) = await catalogue.providers()
    assert (state.name, state.kind, state.base_url, state.has_key) == ("far", "openai", "http://127.0.0.1:9/v1", True)
    assert state.models == 0
    assert state.problem is not None
    assert state.upstream is not None
    assert state.upstream.circuit == "closed"
    assert SECRET not in repr(state)
    await catalogue.aclose()


async def test_a_provider_is_tried_and_the_question_counted(door: FrontDoor) -> None:
    boss = await door.admin()
    status, ended = await boss.call("POST", "/api/providers/scripted/test", {})
    assert status == 200
    assert ended | {"ms": 0} == {"ok": True, "ms": 0, "model": "scripted/parrot", "message": "Yes."}
    day = at(TODAY)
    (row,) = await door.books.ledger.usage(UsageQuery(since=day - 86_400_000, until=day + 86_400_000))
    assert (row.calls, row.model, row.failed) == (1, "scripted/parrot", 0)
    assert row.cost > 0
    status, ended = await boss.call("POST", "/api/providers/scripted/test", {"model": "macaw"})
    assert (status, ended["ok"], ended["message"]) == (200, False, "There is no model 'scripted/macaw'.")
    assert await boss.refused("POST", "/api/providers/nobody/test", {}) == (404, "provider_not_found")
    assert [act for act in await door.acts() if act.startswith("provider.")] == ["provider.tested"] * 2


async def test_a_trial_is_held_by_the_budgets_of_the_groups_of_whoever_tries(door: FrontDoor) -> None:
    boss = await door.admin()
    group = (await boss.call("POST", "/api/groups", {"name": "Lab", "day": 1}))[1]["id"]
    (me,) = (await boss.call("GET", "/api/people"))[1]["people"]
    assert (await boss.call("PATCH", f"/api/people/{me['id']}", {"groups": [group]}))[0] == 200
    status, ended = await boss.call("POST", "/api/providers/scripted/test", {})
    assert (status, ended["ok"]) == (200, False)
    assert "“Lab”" in ended["message"]


async def test_what_is_wrong_is_told_in_time() -> None:
    faulty = ScriptedProvider([ProviderUnavailableError("The upstream is out of order. Try later.")])
    trial = await tried(Catalogue([faulty]), Unmetered(), provider="scripted", model=None, asker=Asker(user="me"))
    assert (trial.is_ok, trial.model, trial.message) == (
        *(False, "scripted/parrot", "The upstream is out of order. Try later."),
    )
    silent = ScriptedProvider([60.0])
    trial = await tried(
        Catalogue([silent]), Unmetered(), provider="scripted", model=None, asker=Asker(user="me"), seconds=0.05
    )
    assert (trial.is_ok, trial.message) == (False, "There was no answer within 0.05 seconds.")
    assert silent.calls[0].closed
    empty = ScriptedProvider(models=())
    trial = await tried(Catalogue([empty]), Unmetered(), provider="scripted", model=None, asker=Asker(user="me"))
    assert trial.message == "This provider lists no model for conversations. Name one."
