"""Which interpreter the benchmark has, how it was built, and that peers are of the same one."""

import subprocess
import sys
from pathlib import Path

import interpreter
import peers
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.parametrize(
    ("recorded", "apart", "said"),
    [
        ("'--enable-shared' '--enable-optimizations' -O3", None, "yes"),
        ("'--enable-shared' -O3 -fprofile-use", 8_384, "yes"),
        ("'--enable-shared' -O2", 1_358_752, "yes"),  # Debian's, which records nothing
        ("'--enable-shared' -O3", 8_384, "no"),
        ("'--with-lto' -O3", 1_358_752, "unknown"),
        ("'--enable-shared' -O2", 100_000, "unknown"),
        ("None", None, "unknown"),
    ],
)
def test_how_an_interpreter_was_built_is_read_or_seen_and_not_guessed(
    recorded: str, apart: int | None, said: str
) -> None:
    assert interpreter.verdict(recorded, apart) == said


def test_an_environment_is_of_the_interpreter_that_it_was_made_of(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path)], check=True, timeout=60)  # noqa: S603 - our own words
    told = [str(tmp_path / "bin" / "python"), "-c", "import interpreter; print(interpreter.name())"]
    ended = subprocess.run(told, cwd=BENCHMARKS, capture_output=True, text=True, check=True, timeout=60)  # noqa: S603 - our own words
    assert ended.stdout.strip() == interpreter.name()


def test_what_was_installed_for_another_interpreter_is_made_anew(tmp_path: Path) -> None:
    package = peers.Package(str(tmp_path / "peer"), ("peer==1",))
    assert not package.is_installed()
    package.path.mkdir()
    package.note_installed()
    assert package.is_installed()
    package.marker.write_text(f"peer==1\n{sys.executable}-of-another-version 3.9.1")
    assert not package.is_installed()


def test_what_npm_installed_is_no_interpreters(tmp_path: Path) -> None:
    package = peers.Package(str(tmp_path), ("peer@1",), by_npm=True)
    package.note_installed()
    assert package.is_installed()
    assert package.marker.read_text() == "peer@1"
