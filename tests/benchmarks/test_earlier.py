"""What a run of the benchmark says where its folder has an earlier run, of which it would lose something."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import earlier
import msgspec
import programs
import pytest
import run
from calls import FIRST
from results import Results


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Have a folder with a run of two parts."""
    there = Results({"date": "2026-11-30 00:01 UTC"}, seconds={"first": 50.0, "many": 75.0})
    for name in ("nginx", "daehwa", "LiteLLM proxy"):
        there.add(FIRST, name, 1.0)
    (tmp_path / "results.json").write_bytes(msgspec.json.encode(there))
    return tmp_path


@pytest.mark.parametrize(
    ("parts", "left_out", "gone"),
    [
        (("first", "many", "turns"), ("Chainlit",), None),
        (("first",), (), "many"),
        (("first", "many"), ("LiteLLM proxy", "Chainlit"), "LiteLLM proxy"),
        (("turns",), ("nginx",), "first, many, nginx"),
    ],
)
def test_a_run_objects_to_losing_what_an_earlier_one_measured(
    folder: Path, parts: Sequence[str], left_out: Sequence[str], gone: str | None
) -> None:
    said = earlier.objection(folder, parts, left_out)
    if gone is None:
        assert said is None
    else:
        assert said is not None
        assert f"has the run of 2026-11-30 00:01 UTC, and of it this one does not measure {gone}. " in said


@pytest.mark.parametrize("content", [None, b"", b"[]", b'{"about": 7}'])
def test_where_no_run_can_be_read_there_is_none_to_lose(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "results.json").write_bytes(content)
    assert earlier.objection(tmp_path, (), ()) is None


@pytest.mark.parametrize(
    ("given", "gone"),
    [
        (["--only", "first,many,turns"], None),
        (["--only", "many"], "first"),
        (["--only", "many", "--replace"], None),
        (["--only", "first,many", "--without-peers"], "LiteLLM proxy"),
        (["--only", "first,many", "--names", "nginx,daehwa"], "LiteLLM proxy"),
        (["--only", "first,many", "--names", "LiteLLM proxy"], "nginx, daehwa"),
    ],
)
def test_part_of_a_run_takes_the_place_of_more_only_where_that_is_said(
    monkeypatch: pytest.MonkeyPatch, folder: Path, given: list[str], gone: str | None
) -> None:
    class Begun(Exception):  # noqa: N818 - no fault
        """The run began."""

    def nothing(*_given: object) -> None:
        """It is not done."""

    def begun() -> None:
        raise Begun

    monkeypatch.setattr(sys, "argv", ["run.py", *given, "--output", str(folder)])
    monkeypatch.setattr(programs, "lacking", nothing)
    monkeypatch.setattr(os, "sched_setaffinity", nothing)
    monkeypatch.setattr(programs, "compile_bytecode", begun)
    before = (folder / "results.json").read_bytes()
    if gone is None:
        with pytest.raises(Begun):
            run.main()
    else:
        with pytest.raises(SystemExit, match=f"does not measure {gone}\\. .* by --replace"):
            run.main()
    assert (folder / "results.json").read_bytes() == before
