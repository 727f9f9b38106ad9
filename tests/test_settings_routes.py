"""Aliases as they are written, and as they are misspelt."""

from pathlib import Path

import pytest

from daehwa.services.upstreams import build_routes
from daehwa.settings import SettingsError, load_settings
from daehwa.settings.values import ConfiguredRoute


def written(text: str) -> tuple[ConfiguredRoute, ...]:
    return load_settings({}, environment={"DAEHWA_ROUTES": text}).routes


def routes(folder: Path, text: str) -> tuple[ConfiguredRoute, ...]:
    file = folder / "daehwa.toml"
    file.write_text(text, "utf-8")
    return load_settings({}, config=file, environment={}).routes


def test_an_order_and_weights(tmp_path: Path) -> None:
    text = """
[[routes]]
name = "fast"
targets = ["openai/a", "work/b"]
[[routes]]
name = "Shared-1.5"
targets = [{ model = "a", weight = 3 }, "b", { model = "c", weight = 0 }]
"""
    assert routes(tmp_path, text) == (
        ConfiguredRoute(name="fast", targets=(("openai/a", None), ("work/b", None))),
        ConfiguredRoute(name="Shared-1.5", targets=(("a", 3.0), ("b", 1.0), ("c", 0.0))),
    )
    built = build_routes(load_settings({}, config=tmp_path / "daehwa.toml", environment={}))
    assert built[0].in_order() == ["openai/a", "work/b"]


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("routes = 1", 1, "begins with [[routes]]"),
        ('[[routes]]\nname = "a"', 1, "this route has no targets"),
        ('[[routes]]\ntargets = ["a"]', 1, "this route has no name"),
        ('[[routes]]\nname = "a/b"\ntargets = ["a"]', 2, "without blanks and '/'"),
        ('[[routes]]\nname = "a"\ntargets = []', 3, "a list of models"),
        ('[[routes]]\nname = "a"\ntargets = [{ model = "x", weight = -1 }]', 3, "a list of models"),
        ('[[routes]]\nname = "a"\ntargets = ["b"]\nwieght = 1', 4, "no setting 'wieght'"),
        (
            '[[routes]]\nname = "a"\ntargets = [{ model = "x", wieght = 1 }]',
            3,
            "a target has no setting 'wieght'. Did you mean 'weight'?",
        ),
        ('[[routes]]\nname = "a"\ntargets = ["x"]\n[[routes]]\nname = "a"\ntargets = ["y"]', 5, "two routes named 'a'"),
        ('[[routes]]\nname = "a"\ntargets = ["x"]\n[[routes]]\nname = "b"\ntargets = ["a"]', 6, "a route itself"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str, line: int, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        routes(tmp_path, text)
    assert f"daehwa.toml, line {line}: " in str(caught.value)
    assert says in str(caught.value)


@pytest.mark.parametrize("setting", ["max_concurrent = 2", 'completion_models = ["a"]'])
def test_an_embedded_model_has_no_settings_of_servers(tmp_path: Path, setting: str) -> None:
    with pytest.raises(SettingsError, match="an embedded provider has no"):
        routes(tmp_path, f'[[providers]]\nname = "here"\nkind = "embedded"\n{setting}')


def test_routes_in_one_line_come_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "daehwa.toml"
    file.write_text('[[routes]]\nname = "fast"\ntargets = ["x"]', "utf-8")
    text = "fast openai/a work/b, Shared-1.5 a=3 b c=0,"
    assert load_settings({}, config=file, environment={"DAEHWA_ROUTES": text}).routes == (
        ConfiguredRoute(name="fast", targets=(("openai/a", None), ("work/b", None))),
        ConfiguredRoute(name="Shared-1.5", targets=(("a", 3.0), ("b", 1.0), ("c", 0.0))),
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("fast", "this route has no targets"),
        ("a/b x", "without blanks and '/'"),
        ("a x, a y", "two routes named 'a'"),
        ("a x, b a", "a route itself"),
        ("a x=9999999", "a list of models"),
    ],
)
def test_what_is_wrong_in_one_line_names_the_variable(text: str, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        written(text)
    assert str(caught.value).startswith("DAEHWA_ROUTES: ")
    assert says in str(caught.value)
