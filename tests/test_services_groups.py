"""Groups in effect, in the home on one machine as it is wired: models, budgets and instructions, page and keys."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from real_home import RealHome, a_real_home
from server.front_door import Browser
from server.serving import text_of

BRIEF = "Answer in one word."


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[RealHome]:
    async with a_real_home(tmp_path) as made:
        yield made


async def in_group(home: RealHome, boss: Browser, *people: Browser, **wish: Any) -> str:
    """Make a group of these people; return its path."""
    status, group = await boss.call("POST", "/api/groups", {"name": "Lab", **wish})
    assert status == 201, group
    for person in people:
        path = f"/api/people/{await home.id_of(person)}"
        known = (await boss.call("GET", "/api/people"))[1]["people"]
        groups = next(each["groups"] for each in known if path.endswith(each["id"]))
        assert (await boss.call("PATCH", path, {"groups": [*groups, group["id"]]}))[0] == 200
    return f"/api/groups/{group['id']}"


async def offered(person: Browser) -> tuple[list[str], str | None]:
    """The models that somebody may choose, and their default."""
    models = (await person.call("GET", "/api/models"))[1]
    me = (await person.call("GET", "/api/me"))[1]
    assert me["default_model"] == models["default"]
    return [model["id"] for model in models["models"]], models["default"]


async def test_a_groups_models_are_all_that_its_members_may_ask(home: RealHome) -> None:
    boss, mina = await home.door.admin(), await home.door.member()
    key = await home.key(mina)
    assert await offered(mina) == (["far/large", "far/small"], "far/large")
    path = await in_group(home, boss, mina, boss, models=["small"])
    assert await offered(mina) == (["far/small"], "far/small")
    assert await offered(boss) == (["far/large", "far/small"], "far/large"), "admins are held by no list"

    assert await home.refused_turn(mina, model="far/large") == (403, "model_not_offered")
    assert text_of(await home.turn(mina, model="far/small")) == "Hello there."
    assert text_of(await home.turn(mina)) == "Hello there.", "the default is one that is open to them"
    assert [json.loads(request.body)["model"] for request in home.upstream.turns] == ["small", "small"]

    status, refused = await home.ask(key, "large")
    assert (status, refused["error"]["code"]) == (403, "model_not_offered")
    assert (await home.ask(key, "small"))[0] == 200
    listed = (await home.door.site.call("GET", "/v1/models", headers=key))[1]["data"]
    assert [model["id"] for model in listed] == ["far/small"]

    await in_group(home, boss, mina, name="Other", models=["far/lar*"])
    assert await offered(mina) == (["far/large", "far/small"], "far/large"), "what any of their groups names"
    assert (await boss.call("DELETE", path))[0] == 204
    assert await offered(mina) == (["far/large"], "far/large"), "from the next question on"


async def test_a_guest_asks_what_a_group_names_and_nothing_else(home: RealHome) -> None:
    boss, gus = await home.door.admin(), await home.door.member("gus", role="guest")
    assert await offered(gus) == ([], None)
    assert await home.refused_turn(gus) == (403, "model_not_offered")
    assert await gus.refused("POST", "/api/keys", {"name": "k"}) == (403, "not_allowed")
    await in_group(home, boss, gus, models=["small"])
    assert await offered(gus) == (["far/small"], "far/small")
    assert text_of(await home.turn(gus)) == "Hello there."


async def test_the_model_is_told_the_groups_instructions_first(home: RealHome) -> None:
    boss, mina = await home.door.admin(), await home.door.member()
    key = await home.key(mina)
    await in_group(home, boss, mina, instructions=BRIEF)
    await in_group(home, boss, mina, name="Second", instructions="In Korean.")
    both = {"role": "system", "content": f"{BRIEF}\n\nIn Korean."}
    await home.turn(mina, "Hello")
    await home.ask(key)
    await home.turn(boss, "Hello")
    asked = [json.loads(request.body)["messages"] for request in home.upstream.turns]
    assert asked[0] == [both, {"role": "user", "content": "Hello"}]
    assert asked[1] == [both, {"role": "user", "content": "Hi"}]
    assert asked[2] == [{"role": "user", "content": "Hello"}], "nobody else's"
    conversation = (await mina.call("GET", "/api/conversations"))[1]["conversations"][0]["id"]
    opened = (await mina.call("GET", f"/api/conversations/{conversation}"))[1]
    assert BRIEF not in json.dumps(opened), "it is no message of theirs"


async def test_a_groups_budget_is_what_its_members_spend_together(home: RealHome) -> None:
    boss, mina, bob = await home.door.admin(), await home.door.member(), await home.door.member("bob")
    key = await home.key(bob)
    path = await in_group(home, boss, mina, bob, month=100_000)
    (known,) = (await mina.call("GET", "/api/models"))[1]["budgets"]
    assert (known["name"], known["spent"]) == ("Lab", 0)
    await home.turn(mina)
    assert (await home.ask(key))[0] == 200
    (budget,) = (await bob.call("GET", "/api/budgets"))[1]["budgets"]
    assert (budget["name"], budget["kind"], budget["limit"]) == ("Lab", "month", 100_000)
    spent = budget["spent"]
    assert spent > 0
    rows = (await boss.call("GET", "/api/usage?everybody=true"))[1]["rows"]
    assert sum(row["cost"] for row in rows) == spent, "the page's and the key's, of both"

    assert (await boss.call("PATCH", path, {"month": spent, "name": "The lab"}))[0] == 200
    frames = await home.turn(mina)
    assert frames[-1].event == "error"
    assert frames[-1].data["error"]["type"] == "budget_exceeded"
    assert "group “The lab”" in frames[-1].data["error"]["message"], "by its name, and not by its id"
    assert frames[-1].data["error"]["budget"]["name"] == "The lab"
    status, refused = await home.ask(key)
    assert (status, refused["error"]["code"]) == (429, "budget_exceeded")
    assert "“The lab”" in refused["error"]["message"]
    assert len(home.upstream.turns) == 2, "and nothing was asked"
    await home.turn(boss)
    assert len(home.upstream.turns) == 3, "others are as free as before"
