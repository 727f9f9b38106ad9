import re
from pathlib import Path

import pytest

from daehwa.deployment.configuration import DeploymentSettings
from daehwa.settings import load_settings

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "settings.md"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
VARIABLE = re.compile(r"^\| `[a-z_]+` \| `(DAEHWA_[A-Z_]+)` \|", re.MULTILINE)


def example_with(words: str, language: str = "toml") -> str:
    """Return the one example of the page that has these words in it."""
    blocks = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    (found,) = [block for block in blocks if words in block]
    return str(found)


def test_the_example_of_a_settings_file_is_right(tmp_path: Path) -> None:
    example = example_with('default_model = "work')
    file = tmp_path / "daehwa.toml"
    file.write_text(example, "utf-8")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "qwen3-0.6b-q8_0.gguf").touch()
    loaded = load_settings(config=file, environment={"WORK_KEY": "made-up", "TEAM": "blue"})
    assert [provider.name for provider in loaded.providers] == ["work", "ollama", "here"]
    assert loaded.values.default_model == "work/qwen3-32b"


def test_the_page_says_that_a_deployment_cannot_choose_groups_of_the_provider() -> None:
    assert not {"group_claim", "group_roles"} & set(DeploymentSettings.__struct_fields__)
    assert "`daehwa deploy` has no flag for these two" in PAGE.read_text("utf-8")


def test_the_example_of_signing_in_is_right(tmp_path: Path) -> None:
    example = example_with("accounts.google.com")
    file = tmp_path / "daehwa.toml"
    file.write_text(example, "utf-8")
    loaded = load_settings(config=file, environment={"GOOGLE_CLIENT_SECRET": "made-up"})
    assert loaded.values.public_url == "https://chat.example.com"
    assert loaded.sign_in is not None
    assert loaded.sign_in.secret is not None
    assert loaded.sign_in.secret.reveal() == "made-up"
    assert loaded.sign_in.allowed_emails == ("@example.com",)


def test_the_examples_of_groups_at_the_provider_and_of_mail_are_right(tmp_path: Path) -> None:
    file = tmp_path / "daehwa.toml"
    file.write_text(example_with("group_claim") + example_with("[smtp]"), "utf-8")
    loaded = load_settings(config=file, environment={"MAIL_PASSWORD": "made-up"})
    assert loaded.sign_in is not None
    assert loaded.sign_in.group_roles == (("chat-admins", "admin"), ("visitors", "guest"))
    assert loaded.mail is not None
    assert (loaded.mail.host, loaded.mail.port, loaded.mail.user) == ("mail.example.com", 587, "daehwa")
    assert loaded.mail.password is not None
    assert loaded.mail.password.reveal() == "made-up"


def test_the_example_of_money_is_right_as_a_file_and_as_variables(tmp_path: Path) -> None:
    file = tmp_path / "daehwa.toml"
    file.write_text(example_with("budgets ="), "utf-8")
    loaded = load_settings(config=file, environment={}).money
    scopes = ["all", "user", "user:ann@example.com", "group:research", "key"]
    assert [budget.scope for budget in loaded.budgets] == scopes
    assert (loaded.prices[0].input, loaded.prices[0].output) == (200_000, 600_000)
    lines = (line.removeprefix("export ") for line in example_with("DAEHWA_BUDGETS", "sh").splitlines())
    environment = {name: text.strip('"') for name, _, text in (line.partition("=") for line in lines)}
    file.write_text("", "utf-8")
    told = load_settings(config=file, environment=environment).money
    assert told.budgets == tuple(budget for budget in loaded.budgets if budget.scope in {"all", "user", scopes[3]})
    assert told.groups == loaded.groups
    assert [price.model for price in told.prices] == ["work/qwen3*", "whisper-9"]


def test_the_example_of_routes_is_right(tmp_path: Path) -> None:
    file = tmp_path / "daehwa.toml"
    file.write_text(example_with("[[routes]]"), "utf-8")
    ordered, weighted = load_settings(config=file, environment={}).routes
    assert ordered.targets == (("openai/gpt-5-mini", None), ("azure/gpt-5-mini", None))
    assert [weight for _, weight in weighted.targets] == [3, 1, 0]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_pages_put_into_the_environment_is_no_wrong_setting(page: Path) -> None:
    exported = re.findall(r"^export (DAEHWA_[A-Z_]+)=", page.read_text("utf-8"), re.MULTILINE)
    known = {*VARIABLE.findall(PAGE.read_text("utf-8")), "DAEHWA_PRICES", "DAEHWA_ROUTES"}
    assert set(exported) <= known
