"""A plain start is read without click, and means what click would have read."""

import subprocess
import sys
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daehwa.cli.commands import cli
from daehwa.cli.plain import plain_flags

PLAIN: tuple[list[str], ...] = (
    *([], ["serve"], ["--no-open"], ["serve", "--port", "0"], ["--port", "08000", "--port", "9"]),
    *(["serve", "--host", "::1", "--accounts"], ["--log-json", "--allow-unprotected", "--no-open", "--host", "a b"]),
)
NOT_PLAIN: tuple[list[str], ...] = (
    *(["--help"], ["--version"], ["ask", "--no-open"], ["serv"], ["--port"], ["--port", "x"], ["--port", "-1"]),
    *(["--port=8000"], ["--host", "--accounts"], ["--config", "a.toml"], ["--data-dir", "a"], ["--no"], ["serve", "x"]),
    *(["serve", "serve"], ["--port", "٣"], ["--port", "008000"], ["--host", ""], ["--"], ["--no-open", "--help"], [""]),
)
WORDS = ("serve", "--no-open", "--port", "--host", "--log-json", "--accounts", "--allow-unprotected", "7", "::1", "x")


def read_by_click(words: list[str]) -> dict[str, Any]:
    """What `serve` gives to the server, by the same words."""
    command = cli.commands["serve"]
    given = command.make_context("serve", words[1:] if words[:1] == ["serve"] else list(words)).params
    no_open, config = given.pop("no_open"), given.pop("config")
    assert config is None
    flags = {**given, "open_browser": "no" if no_open else None}
    return {name: value for name, value in flags.items() if value is not None}


@pytest.mark.parametrize("words", PLAIN, ids=" ".join)
def test_plain_words_are_read_as_click_reads_them(words: list[str]) -> None:
    assert plain_flags(words) == read_by_click(words)


@pytest.mark.parametrize("words", NOT_PLAIN, ids=" ".join)
def test_other_words_are_left_to_click(words: list[str]) -> None:
    assert plain_flags(words) is None


def test_a_port_of_more_digits_than_python_reads_is_a_fault_that_click_tells() -> None:
    words = ["--port", "8" * (sys.get_int_max_str_digits() + 1)]
    assert plain_flags(words) is None
    with pytest.raises(click.BadParameter, match="not a valid integer"):
        read_by_click(words)


@given(st.lists(st.sampled_from(WORDS), max_size=5))
def test_whatever_is_plain_is_no_fault_to_click_and_means_the_same(words: list[str]) -> None:
    flags = plain_flags(words)
    if flags is not None:
        assert flags == read_by_click(words)


def test_every_switch_and_text_of_the_server_is_plain_but_its_files() -> None:
    options = [option for option in cli.commands["serve"].params if isinstance(option, click.Option)]
    files = {option.opts[0] for option in options if isinstance(option.type, click.Path)}
    assert files == {"--data-dir", "--config"}
    for option in options:
        value = [] if option.is_flag else ["8000"]
        assert (plain_flags([option.opts[0], *value]) is None) == (option.opts[0] in files)


def test_a_shell_that_asks_for_completions_starts_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_DAEHWA_COMPLETE", "bash_complete")
    assert plain_flags([]) is None
    ran = subprocess.run(
        [sys.executable, "-c", "from daehwa.cli import main; main()"],
        env={"PATH": "/usr/bin", "_DAEHWA_COMPLETE": "bash_source", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        check=False,
        text=True,
        timeout=30,
    )
    assert "_daehwa_completion" in ran.stdout


def test_the_collector_looks_again_where_no_server_is_started() -> None:
    program = "import gc, atexit; atexit.register(lambda: print(gc.isenabled())); from daehwa.cli import main; main()"
    ran = subprocess.run(  # noqa: S603 - this very Python
        [sys.executable, "-c", program, "--version"],
        env={"PATH": "/usr/bin", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        check=False,
        text=True,
        timeout=30,
    )
    assert ran.stdout.splitlines()[1:] == ["True"]


def test_a_plain_start_that_is_refused_says_so_as_any_other(tmp_path: Any) -> None:
    program = (
        "import sys; from daehwa.cli import _run; from daehwa.cli.terminal import run_command; "
        "import daehwa.cli.serve; had = 'click' in sys.modules; code = run_command(_run); "
        "print(had, code)"
    )
    ran = subprocess.run(  # noqa: S603 - this very Python
        [sys.executable, "-c", program, "serve", "--host", "0.0.0.0"],  # noqa: S104 - it is refused
        env={"PATH": "/usr/bin", "PYTHONPATH": ":".join(sys.path), "DAEHWA_DATA_DIR": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        check=False,
        text=True,
        timeout=30,
    )
    assert ran.stdout == "False 2\n"
    assert ran.stderr.startswith("daehwa: Nobody is asked to sign in")
