"""Money from the settings to the ledger: a whole home, its database file, and a priced upstream on loopback."""

from pathlib import Path

import pytest
from upstream import Answer, FakeUpstream, ending, text, usage

from daehwa.accounts.ledger import UsageQuery
from daehwa.accounts.people import User
from daehwa.conversation.ids import new_id, now_ms
from daehwa.conversation.messages import Message, TextPart, Usage
from daehwa.conversation.running import Question, TurnRequest
from daehwa.data_folder import DataFolder
from daehwa.services.local import OWNER, Services
from daehwa.services.metering import build_prices
from daehwa.settings import LoadedSettings, load_settings


def configured(folder: Path, base_url: str, **environment: str) -> LoadedSettings:
    file = folder / "daehwa.toml"
    file.write_text("titles = false", "utf-8")
    given = {f"DAEHWA_{name.upper()}": value for name, value in environment.items()}
    return load_settings({"data_dir": folder}, config=file, environment={"OPENAI_BASE_URL": base_url, **given})


async def opened(folder: Path, loaded: LoadedSettings) -> Services:
    data = DataFolder(folder)
    data.prepare()
    return await Services.open(loaded, data, runner="test")


async def asked(services: Services) -> Message:
    question = Question(new_id(), None, (TextPart("Hello"),))
    request = TurnRequest(owner=OWNER, conversation=new_id(), reply=new_id(), model="parrot", question=question)
    await services.running.start(request)
    async for _ in services.running.follow(OWNER, request.reply):
        pass
    return await services.store.get_message(OWNER, request.reply)


async def test_a_budget_of_the_settings_is_kept_over_a_restart(tmp_path: Path) -> None:
    answer = Answer([text("Hi"), usage(prompt=100, completion=50), ending()])
    async with FakeUpstream(answer, answer, models=["parrot"]) as upstream:
        prices = "openai/parrot input 1 output 10"
        loaded = configured(tmp_path, upstream.base_url, prices=prices, budgets="user day 0.041, all month 1")
        services = await opened(tmp_path, loaded)
        first = await asked(services)
        await services.aclose()
        services = await opened(tmp_path, loaded)
        second = await asked(services)
        third = await asked(services)
        owner = User(id=OWNER, role="admin")
        states = {state.kind: state for state in await services.meter.budgets_of(owner)}
        now = now_ms()
        rows = await services.ledger.usage(UsageQuery(since=now - 86_400_000 * 2, until=now + 86_400_000))
        await services.aclose()
        limits = [
            request.json.get("max_completion_tokens", request.json.get("max_tokens")) for request in upstream.turns
        ]
    assert first.usage == Usage(input=100, output=50, cost=600)
    assert second.usage == Usage(input=100, output=50, cost=600)
    assert third.usage == second.usage
    assert limits == [4096, (41_000 - 600 - 6) // 10, (41_000 - 1_200 - 6) // 10]
    assert (states["day"].limit, states["month"].limit) == (41_000, 1_000_000)
    assert states["day"].spent == states["month"].spent == sum(row.cost for row in rows)


@pytest.mark.parametrize(
    ("base_url", "is_free"),
    [
        ("http://127.0.0.1:1234/v1", True),
        ("http://localhost:11434/v1", True),
        ("http://[::1]:1234/v1", True),
        ("https://127.example.com/v1", False),
        ("https://api.openai.com/v1", False),
    ],
)
def test_what_runs_on_this_machine_costs_nothing(tmp_path: Path, base_url: str, *, is_free: bool) -> None:
    price = build_prices(configured(tmp_path, base_url)).price_of("openai/gpt-4o", now=now_ms())
    assert price is not None
    assert price.is_free is is_free


def test_the_embedded_model_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "daehwa.toml").touch()
    loaded = load_settings({}, config=tmp_path / "daehwa.toml", environment={})
    price = build_prices(loaded).price_of("embedded/smollm2-135m", now=now_ms())
    assert price is not None
    assert price.is_free


def test_a_minute_of_audio_is_a_sixtieth_of_an_hour(tmp_path: Path) -> None:
    loaded = configured(tmp_path, "https://x.example.com/v1", prices="whisper* per_minute 0.006, d per_image 0.04")
    prices = build_prices(loaded)
    whisper, drawing = (prices.price_of(f"openai/{name}", now=0) for name in ("whisper-9", "d"))
    assert whisper is not None
    assert whisper.hour == 360_000
    assert drawing is not None
    assert drawing.image == 40_000
