"""What the page says when the model fails, and how the reader gets on from there."""

import re
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import closing

import pytest
import pytest_asyncio
from browser.reader import Reader
from model import Model
from playwright.async_api import expect
from program import Program, serving
from upstream import CUT, ROLE, Answer, error, frame, stream, text

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest.fixture(scope="module")
def dead_port() -> Iterator[int]:
    """A port that refuses: bound, so that nobody else gets it, and not listened on."""
    with closing(socket.socket()) as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def program(tmp_path_factory: pytest.TempPathFactory, played: Model, dead_port: int) -> AsyncIterator[Program]:
    home = tmp_path_factory.mktemp("home")
    config = home / "settings.toml"
    config.write_text(
        f'[[providers]]\nname = "gone"\nbase_url = "http://127.0.0.1:{dead_port}/v1"\nmodels = ["gone-model"]\n'
    )
    settings = {"OPENAI_BASE_URL": played.upstream.base_url}
    async with serving(home / "data", settings, "--config", str(config)) as running:
        yield running


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (error(401, "Incorrect API key provided."), "The model's provider does not accept the key."),
        (
            error(429, "Slow down.", headers={"retry-after": "30"}),
            "The provider asks to wait: too many requests. Try again in ",
        ),
        (error(404, "No such model.", "model_not_found"), "The provider does not offer this model."),
        (error(400, "This model's maximum context length is 8192 tokens.", "context_length_exceeded"), "too long"),
    ],
    ids=["401", "429", "404", "context"],
)
async def test_a_refusal_is_a_sentence_and_can_be_tried_again(
    reader: Reader, model: Model, answer: Answer, sentence: str
) -> None:
    model.says(answer, "Now it works.")
    await reader.ask_to_end("Does it work?")
    await expect(reader.answer).to_contain_text("No answer came.")
    await expect(reader.answer).to_contain_text(sentence)
    await reader.answer.get_by_text("What the server said").click()
    await expect(reader.answer.locator(".detail")).to_be_visible()
    await reader.press("Try again", reader.answer)
    await expect(reader.answer.locator(".prose")).to_have_text("Now it works.")
    await expect(reader.questions).to_have_count(1)
    await expect(reader.answers).to_have_count(1)


async def test_a_wait_is_counted_down_quietly_and_its_end_is_told(reader: Reader, model: Model) -> None:
    model.says(error(429, "Slow down.", headers={"retry-after": "30"}), "Now it works.")
    await reader.page.clock.install()
    await reader.ask_to_end("Does it work?")
    timer, again = reader.answer.get_by_role("timer"), reader.answer.get_by_role("button", name="Try again")
    announced = reader.page.get_by_test_id("announcer")
    await expect(timer).to_have_text(re.compile(r"^Try again in (30|29) seconds\.$"))
    await expect(announced).to_have_text("No answer came.")
    heard = await announced.text_content()
    place = await again.bounding_box()
    await reader.page.clock.run_for(12_000)
    await expect(timer).to_have_text(re.compile(r"^Try again in 1[78] seconds\.$"))
    assert await announced.text_content() == heard
    await reader.page.reload()
    await expect(timer).to_have_text(re.compile(r"^Try again in [12]\d seconds\.$"))
    await expect(again).not_to_have_class(re.compile("main"))
    await reader.page.clock.run_for(30_000)
    await expect(timer).to_have_text("You can try again now.")
    await expect(announced).to_have_text("You can try again now.")
    await expect(again).to_have_class(re.compile("main"))
    assert await again.bounding_box() == place
    await again.click()
    await expect(reader.answer.locator(".prose")).to_have_text("Now it works.")


async def test_a_refused_connection_is_a_sentence(reader: Reader, model: Model) -> None:
    await reader.page.get_by_role("combobox", name="Model").select_option("gone-model")
    await reader.ask("Anybody?")
    await expect(reader.answer).to_contain_text("The provider cannot be reached.", timeout=20_000)
    await reader.page.get_by_role("combobox", name="Model").select_option("gpt-test")
    await reader.press("Try again", reader.answer)
    await expect(reader.answer.locator(".prose")).to_have_text("Hello there.")
    assert len(model.questions) == 1


@pytest.mark.parametrize(
    ("end", "sentence"),
    [
        (CUT, "The connection to the model broke off."),
        (frame({"error": {"message": "Overloaded"}}), "The provider reported an error in the middle of the answer."),
        (b"data: {not json\n\n", "The provider answered in a way daehwa does not understand."),
    ],
    ids=["cut", "error in the stream", "malformed"],
)
async def test_an_answer_that_breaks_off_keeps_its_text_and_goes_on(
    reader: Reader, model: Model, end: bytes, sentence: str
) -> None:
    model.says([ROLE, text("Half of "), 0.1, text("the "), 0.1, end], "answer.")
    await reader.ask_to_end("All of it")
    await expect(reader.answer).to_contain_text("This answer was interrupted.")
    await expect(reader.answer).to_contain_text(sentence)
    await expect(reader.page.get_by_test_id("announcer")).to_have_text("This answer was interrupted.")
    await expect(reader.answer.locator(".prose")).to_have_text("Half of the")
    await reader.press("Continue", reader.answer)
    await expect(reader.answer.locator(".prose")).to_have_text("Half of the answer.")
    await reader.ended()
    await expect(reader.answer.get_by_role("button", name="Continue")).to_have_count(0)
    await reader.page.reload()
    await expect(reader.answer.locator(".prose")).to_have_text("Half of the answer.")


async def test_an_answer_at_its_length_limit_goes_on(reader: Reader, model: Model) -> None:
    model.says(Answer(stream("As far as it goes, ", finish="length")), "and further.")
    await reader.ask_to_end("Everything")
    await expect(reader.answer).to_contain_text("This answer was cut off at the length limit.")
    await reader.press("Continue", reader.answer)
    await expect(reader.answer.locator(".prose")).to_have_text("As far as it goes, and further.")
    await expect(reader.answer).not_to_contain_text("length limit")


async def test_an_answer_ended_by_content_rules_says_so(reader: Reader, model: Model) -> None:
    model.says(Answer(stream("As far as it may", finish="content_filter")))
    await reader.ask_to_end("Something forbidden")
    await expect(reader.answer).to_contain_text("ended this answer by its content rules")
    await expect(reader.answer).to_contain_text("As far as it may")


async def test_what_the_server_refuses_goes_back_to_be_written_anew(reader: Reader, model: Model) -> None:
    reader.watch.expect("status of 413|status of 400|status of 422")
    await reader.page.route(
        "**/api/turns",
        lambda route: route.fulfill(
            status=413, content_type="application/json", body='{"error":{"type":"too_large","message":"Too large."}}'
        ),
    )
    await reader.ask("A long story")
    await expect(reader.answer).to_contain_text("Not sent.")
    await expect(reader.answer).to_contain_text("This is too long to be sent.")
    await reader.press("Edit again", reader.answer)
    await expect(reader.box).to_have_value("A long story")
    await expect(reader.questions).to_have_count(0)
    assert model.questions == []


async def test_a_server_that_is_gone_is_said_and_found_again(reader: Reader, model: Model) -> None:
    reader.watch.expect("net::ERR_")
    gone = re.compile(r"/(api|healthz)")
    await reader.page.route(gone, lambda route: route.abort("connectionrefused"))
    await reader.ask("Are you there?")
    await expect(reader.banner).to_contain_text("The server cannot be reached.")
    await expect(reader.answer).to_contain_text("Not sent yet.")
    await reader.page.unroute(gone)
    await expect(reader.answer.locator(".prose")).to_have_text("Hello there.", timeout=20_000)
    await expect(reader.banner).to_be_empty()
    assert len(model.questions) == 1
