import re
from pathlib import Path

from daehwa.settings import load_settings

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def test_the_example_of_a_settings_file_is_right(tmp_path: Path) -> None:
    _, example = re.findall(r"```toml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    file = tmp_path / "daehwa.toml"
    file.write_text(example, "utf-8")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "qwen3-0.6b-q8_0.gguf").touch()
    loaded = load_settings(config=file, environment={"WORK_KEY": "made-up", "TEAM": "blue"})
    assert [provider.name for provider in loaded.providers] == ["work", "ollama", "here"]
    assert loaded.values.default_model == "work/qwen3-32b"


def test_the_example_of_signing_in_is_right(tmp_path: Path) -> None:
    example, _ = re.findall(r"```toml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    file = tmp_path / "daehwa.toml"
    file.write_text(example, "utf-8")
    loaded = load_settings(config=file, environment={"GOOGLE_CLIENT_SECRET": "made-up"})
    assert loaded.values.public_url == "https://chat.example.com"
    assert loaded.sign_in is not None
    assert loaded.sign_in.secret is not None
    assert loaded.sign_in.secret.reveal() == "made-up"
    assert loaded.sign_in.allowed_emails == ("@example.com",)
