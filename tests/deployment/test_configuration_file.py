from pathlib import Path

import pytest

from daehwa.deployment.configuration import DeploymentSettings
from daehwa.deployment.configuration_file import ConfigurationFile, fields
from daehwa.settings import SettingsError


@pytest.fixture
def file(tmp_path: Path) -> ConfigurationFile:
    return ConfigurationFile(tmp_path / "daehwa-aws.toml")


def test_without_a_file_everything_is_the_default(file: ConfigurationFile) -> None:
    assert file.read() == DeploymentSettings()


def test_what_is_written_is_read_again_and_explained(file: ConfigurationFile) -> None:
    settings = DeploymentSettings(
        name="talks", region="eu-west-1", models=("gpt-a", 'odd "name"'), titles=False, memory=1024, log_days=7
    )
    file.write(settings)
    assert file.read() == settings
    text = file.path.read_text("utf-8")
    for name in fields():
        assert f"{name} =" in text
    assert "# The stack's name" in text
    assert '# python = "3.14"' in text


def test_a_file_that_an_editor_began_with_a_byte_order_mark_is_read(file: ConfigurationFile) -> None:
    file.path.write_text("\ufeffmemory = 512\n", "utf-8")
    assert file.read().memory == 512
    file.write(DeploymentSettings(memory=1024))
    assert file.read().memory == 1024


def test_flags_come_first_and_an_empty_one_takes_a_choice_back(file: ConfigurationFile) -> None:
    file.write(DeploymentSettings(domain="a.example", certificate="arn:x", log_days=7))
    read = file.read({"models": "gpt-a, gpt-b,", "waf": True, "log_days": "90", "domain": "", "certificate": None})
    assert read.models == ("gpt-a", "gpt-b")
    assert read.waf
    assert read.log_days == 90
    assert read.domain is None
    assert read.certificate == "arn:x"


def test_comments_of_the_persons_own_stay(file: ConfigurationFile) -> None:
    file.write(DeploymentSettings(memory=512, region="eu-west-1"))
    file.path.write_text("# ours, ask Kim before changing\n" + file.path.read_text("utf-8"), "utf-8")
    file.write(DeploymentSettings(memory=1024))
    text = file.path.read_text("utf-8")
    assert text.startswith("# ours, ask Kim")
    assert "\nmemory = 1024\n" in text
    assert "\n# region =\n" in text
    assert text.count("memory =") == 1
    assert file.read() == DeploymentSettings(memory=1024)


def test_a_file_of_another_form_is_written_anew_with_the_same_choices(file: ConfigurationFile) -> None:
    file.path.write_text('models = [\n  "a",\n  "b",\n]\n', "utf-8")
    file.write(DeploymentSettings(models=("a", "c")))
    assert file.read().models == ("a", "c")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("memroy = 512", "there is no setting 'memroy'. Did you mean 'memory'?"),
        ("memory = 100", "memory is 100, which is not allowed. It is a whole number from 256 to 3008."),
        ('allowed_emails = ["mina"]', "which is not allowed. It is e-mail addresses and @domains"),
        ('memory = "512"', 'memory is "512", which is not allowed'),
        ('name = "Big"', 'name is "Big", which is not allowed. It is 2 to 24'),
        ("name = ", "is not valid TOML"),
    ],
)
def test_what_is_wrong_in_the_file_is_named(file: ConfigurationFile, text: str, said: str) -> None:
    file.path.write_text(text, "utf-8")
    with pytest.raises(SettingsError) as caught:
        file.read()
    assert said in str(caught.value)
    assert str(file.path) in str(caught.value)


def test_a_wrong_flag_is_named_as_it_is_typed(file: ConfigurationFile) -> None:
    with pytest.raises(SettingsError, match='--log-days: log_days is "31"'):
        file.read({"log_days": "31"})


def test_the_file_here_comes_before_the_persons_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert ConfigurationFile.find(None).path.parent != tmp_path
    (tmp_path / "daehwa-aws.toml").write_text("", "utf-8")
    assert ConfigurationFile.find(None).path == tmp_path / "daehwa-aws.toml"
    assert ConfigurationFile.find(Path("other.toml")).path == tmp_path / "other.toml"
