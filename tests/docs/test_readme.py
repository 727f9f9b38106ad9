import calendar
import re
import tomllib
from pathlib import Path

import pytest

from daehwa.deployment.configuration import DeploymentSettings
from daehwa.deployment.costs import idle_costs, total, turn_costs

ROOT = Path(__file__).parents[2]
ENGLISH = (ROOT / "README.md").read_text("utf-8")
KOREAN = (ROOT / "README.ko.md").read_text("utf-8")
MONTHS = [*calendar.month_name][1:]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
HINT = re.compile(r"pip install '([^'\[]*)\[([^\]]+)\]'")
LINK = re.compile(r"\[[^\]\n]*\]\(([^)#\s]+)[^)\n]*\)")


def headings(text: str) -> list[int]:
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return [len(found[1]) for found in re.finditer(r"^(#+) ", prose, re.MULTILINE)]


def commands(text: str) -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return [line.split("  #")[0].rstrip() for block in blocks for line in block.splitlines()]


def folders(text: str) -> list[str]:
    (block,) = re.findall(r"```text\n(.*?)```", text, re.DOTALL)
    return [line.split("   ")[0].strip() for line in block.splitlines()]


def test_both_readmes_have_the_same_headings_commands_links_and_figures() -> None:
    assert headings(ENGLISH) == headings(KOREAN)
    assert commands(ENGLISH) == commands(KOREAN)
    assert folders(ENGLISH) == folders(KOREAN)
    assert set(LINK.findall(ENGLISH)) - {"README.ko.md"} == set(LINK.findall(KOREAN)) - {"README.md"}
    assert ENGLISH.count("\n- ") == KOREAN.count("\n- ")
    assert ENGLISH.count("\n| ") == KOREAN.count("\n| ")


def test_both_readmes_say_when_what_it_costs_was_measured() -> None:
    (day, month, year) = re.findall(r"^Measured on .* on (\d+) (\w+) (\d{4})\.$", ENGLISH, re.MULTILINE)[0]
    assert f"{year}년 {MONTHS.index(month) + 1}월 {day}일에 잰 값입니다." in KOREAN


def test_the_tree_names_every_folder_of_the_package() -> None:
    package = {f"{path.parent.name}/" for path in (ROOT / "src" / "daehwa").glob("*/__init__.py")}
    assert package <= set(folders(ENGLISH))


def test_what_aws_costs_is_what_the_code_says() -> None:
    settings = DeploymentSettings()
    assert f"| ${total(turn_costs(settings)):.2f} |" in ENGLISH
    assert f"| ${total(turn_costs(settings)):.2f} |" in KOREAN
    assert total(idle_costs(settings)) < 0.01
    assert "| under $0.01 |" in ENGLISH
    assert "| $0.01 미만 |" in KOREAN


def test_ci_runs_the_readmes_test_command() -> None:
    command = "python3 scripts/check.py"
    assert command in commands(ENGLISH)
    assert f"exec {command}" in (ROOT / ".ci" / "run").read_text("utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    local = [link for link in LINK.findall(page.read_text("utf-8")) if "://" not in link]
    assert [link for link in local if not (page.parent / link).exists()] == []


def test_the_changelog_names_the_version_or_what_is_to_come() -> None:
    assert re.search(r"^## \[(Unreleased|\d+\.\d+\.\d+)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_paths_that_pages_name_are_there(page: Path) -> None:
    named = re.findall(r"`((?:src|web|tests|docs|scripts|benchmarks)/[\w./-]+)`", page.read_text("utf-8"))
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_no_hint_asks_a_registry_for_the_package_itself() -> None:
    """It is on none: what pip installs is the clone, `.`, with the extra's name."""
    extras = set(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"])
    sources = [*PAGES, *(ROOT / "src" / "daehwa").rglob("*.py")]
    hints = {found for path in sources for found in HINT.findall(path.read_text("utf-8"))}
    assert hints >= {(".", "aws"), (".", "accounts"), (".", "uvloop")}
    assert [hint for hint in hints if hint[0] != "." or hint[1] not in {*extras, "{extra}"}] == []
