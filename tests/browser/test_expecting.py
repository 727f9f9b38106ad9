"""What the page says of a question that is being written: once in a while, and nothing that its reader could notice."""

from typing import Any

import pytest
from browser.reader import Reader
from model import Model
from playwright.async_api import Request, Route, expect

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

EXPECTED = "/api/turns/expected"
TRIAL = {"id": "embedded/small", "name": "small", "provider": "embedded", "trial": True}


@pytest.fixture
def told(reader: Reader) -> list[Any]:
    """Return what the page says of it from here on."""
    bodies: list[Any] = []

    def note(request: Request) -> None:
        if request.url.endswith(EXPECTED):
            bodies.append(request.post_data_json)

    reader.page.on("request", note)
    return bodies


async def _knows_its_model(reader: Reader) -> None:
    """Wait until the page knows which model is asked: what is written before is said with the next letter."""
    await expect(reader.page.get_by_role("combobox", name="Model")).to_contain_text("gpt-test")


async def _write(reader: Reader, text: str) -> None:
    await reader.box.press_sequentially(text)
    await reader.page.evaluate("fetch('/healthz')")  # what was said before has gone out, too


async def test_it_is_said_once_and_again_where_the_writing_takes_long(
    reader: Reader, model: Model, told: list[Any]
) -> None:
    await reader.page.clock.install()
    await reader.page.reload()
    await expect(reader.box).to_be_editable()
    await _knows_its_model(reader)
    await _write(reader, "How far is it")
    assert told == [{"model": "openai/gpt-test"}]
    await reader.page.clock.fast_forward(24_000)
    await _write(reader, " to the moon")
    assert len(told) == 1
    await reader.page.clock.fast_forward(2_000)
    await _write(reader, ", and back?")
    assert len(told) == 2
    await reader.box.press("Enter")
    await expect(reader.answer).to_contain_text("Hello there.")
    assert (len(told), len(model.questions)) == (2, 1)


async def test_a_question_put_there_is_as_good_as_one_written(reader: Reader, told: list[Any]) -> None:
    await _knows_its_model(reader)
    async with reader.page.expect_request(f"**{EXPECTED}"):
        await reader.page.locator(".examples button").first.click()
    assert told == [{"model": "openai/gpt-test"}]


@pytest.mark.parametrize("trouble", [401, 500, None])
async def test_nobody_sees_where_it_comes_to_nothing(reader: Reader, model: Model, trouble: int | None) -> None:
    async def refuse(route: Route) -> None:
        error = {"error": {"type": "not_signed_in", "message": "Sign in."}}
        await (route.abort() if trouble is None else route.fulfill(status=trouble, json=error))

    reader.watch.expect("Failed to load resource")
    await reader.page.route(f"**{EXPECTED}", refuse)
    await _knows_its_model(reader)
    async with reader.page.expect_request(f"**{EXPECTED}"):
        await reader.box.press_sequentially("Hello")
    await expect(reader.banner).to_be_empty()
    await expect(reader.page.get_by_role("dialog")).to_have_count(0)
    await reader.box.press("Enter")
    await expect(reader.answer).to_contain_text("Hello there.")
    assert len(model.questions) == 1


@pytest.mark.parametrize(
    ("path", "change", "model"),
    [("**/api/me", {"home": "aws"}, "gpt-test"), ("**/api/models", {"models": [TRIAL]}, "small")],
)
async def test_where_there_is_nothing_to_prepare_nothing_is_said(
    reader: Reader, told: list[Any], path: str, change: dict[str, Any], model: str
) -> None:
    async def other(route: Route) -> None:
        answer = await route.fetch()
        await route.fulfill(response=answer, json={**await answer.json(), **change})

    await reader.page.route(path, other)
    await reader.page.reload()
    await expect(reader.page.get_by_role("combobox", name="Model")).to_contain_text(model)
    await _write(reader, "Hello")
    assert told == []
