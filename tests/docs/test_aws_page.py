import re
import shlex
from pathlib import Path

import click
import pytest

from daehwa.cli.commands import cli
from daehwa.cli.deploy import deploy
from daehwa.conversation.messages import MESSAGE_CHARACTERS
from daehwa.deployment.configuration import DeploymentSettings
from daehwa.deployment.costs import PRICES_OF, PRICES_REGION
from daehwa.deployment.page_upload import DAYS_KEPT
from daehwa.deployment.stack.limits import ADAPTER_REGIONS, ORIGIN_READ_SECONDS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "aws.md").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")
TESTS = "\n".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
COMMAND = re.compile(r"^(?:uv run (?:--extra [\w-]+ )?)?daehwa (?:deploy|export|import)\b")


def commands() -> list[str]:
    """Return every command that the page and the README show, in a block or in a sentence."""
    shown = []
    for text in (PAGE, README):
        blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
        prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
        shown += [line.split("  #")[0] for block in blocks for line in block.splitlines()]
        shown += re.findall(r"`([^`\n]+)`", prose)
    return sorted({command for command in shown if COMMAND.match(command)})


def parse(command: click.Command, words: list[str]) -> None:
    """Take a command's words as the program would, and do nothing. Raise `click.UsageError`."""
    below = next((word for word in words if isinstance(command, click.Group) and word in command.commands), None)
    own = words if below is None else words[: words.index(below)]
    command.make_context(command.name, own)
    if isinstance(command, click.Group) and below is not None:
        parse(command.commands[below], words[words.index(below) + 1 :])


@pytest.mark.parametrize("command", commands())
def test_commands_that_are_shown_can_be_typed(command: str) -> None:
    words = shlex.split(command)
    _, name, *arguments = words[words.index("daehwa") :]
    if command in {"daehwa export", "daehwa import", "daehwa import --aws"}:
        arguments = [*arguments, "conversations.jsonl"]  # in a sentence, its file is left out
    parse(deploy if name == "deploy" else cli.commands[name], arguments)


def test_tests_that_are_named_are_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert named
    assert [name for name in named if f"def {name}(" not in TESTS] == []


def test_every_command_of_the_deployment_is_on_the_page() -> None:
    assert [name for name in deploy.commands if f"`daehwa deploy {name}" not in PAGE] == []


def test_figures_in_sentences_are_those_of_the_code() -> None:
    assert (PRICES_OF, PRICES_REGION) == ("2026-11", "us-east-1")
    assert "Prices of us-east-1, November 2026" in PAGE
    defaults = DeploymentSettings()
    for figure in (
        f"| {len(ADAPTER_REGIONS)} commercial regions",
        f"| {ORIGIN_READ_SECONDS} s without a byte |",
        f"at most {MESSAGE_CHARACTERS:,} characters",
        f"stay {DAYS_KEPT} days",
        f"| {defaults.requests_per_second} requests a second",
        f"| {defaults.turn_seconds // 60} minutes for one answer",
        f"Lambda function (python{defaults.python}, arm64)",
    ):
        assert figure in PAGE


def test_the_page_says_what_its_admin_may_do_with_people() -> None:
    (people,) = re.findall(r"^## People\n(.*?)^## ", PAGE, re.DOTALL | re.MULTILINE)
    for resource in ("disables", "deletes", "groups", "audit log", "signs somebody out", "[accounts.md](accounts.md)"):
        assert resource in people
    assert "for later" not in people
