"""What a machine must have for a benchmark, and that a run says so before it installs anything."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import lambda_start
import peers
import programs
import pytest
import run
from calls import FIRST
from results import Bench

BOTH = {0, 1, 2}


def found(*absent: str) -> Callable[[str], str | None]:
    return lambda name: None if name in absent else f"/usr/bin/{name}"


@pytest.mark.parametrize(
    ("system", "processors", "absent", "said"),
    [
        ("linux", BOTH, (), None),
        ("darwin", BOTH, (), "The benchmarks need Linux"),
        ("linux", {0}, (), "one for the server, one for the load; here is 0."),
        ("linux", {2, 3}, (), "here is 2, 3."),
        ("linux", BOTH, ("taskset",), "need taskset, which is not here (Debian: apt-get install util-linux)."),
        ("linux", BOTH, ("cc",), "need cc, which is not here (Debian: apt-get install gcc libc6-dev)."),
    ],
)
def test_what_a_machine_lacks_is_said_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, system: str, processors: set[int], absent: tuple[str, ...], said: str | None
) -> None:
    def may_use(_pid: int) -> set[int]:
        return processors

    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(os, "sched_getaffinity", may_use)
    monkeypatch.setattr(shutil, "which", found(*absent))
    lack = programs.lacking()
    assert lack is None if said is None else lack is not None and said in lack


def test_memory_is_whole_where_this_program_shares_it() -> None:
    with subprocess.Popen([sys.executable, "-c", "print(flush=True); input()"], stdin=-1, stdout=-1) as child:
        assert child.stdout is not None
        child.stdout.readline()
        lines = Path(f"/proc/{child.pid}/smaps_rollup").read_text().splitlines()[1:]
        whole = {name: int(value.split()[0]) / 1024 for name, _, value in (line.partition(":") for line in lines)}
        measured = programs.memory_mb([child.pid])
        child.communicate(b"\n")
    assert whole["Pss"] < measured <= whole["Rss"] + 0.1


def test_a_run_installs_nothing_where_the_machine_lacks_something(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def not_called(*_given: object) -> None:
        pytest.fail("it goes on")

    monkeypatch.setattr(sys, "argv", ["run.py", "--output", str(tmp_path / "results")])
    monkeypatch.setattr(shutil, "which", found("cc"))
    for place, name in ((peers, "install"), (programs, "compile_bytecode"), (os, "sched_setaffinity")):
        monkeypatch.setattr(place, name, not_called)
    with pytest.raises(SystemExit, match="need cc"):
        run.main()
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_is_broken_off_leaves_table_figures_and_pictures_that_say_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def broken_off(bench: Bench, *_given: object) -> None:
        bench.results.add(FIRST, "daehwa", 1.0)
        raise KeyboardInterrupt

    def nothing(*_given: object) -> None:
        """It is not done."""

    monkeypatch.setattr(sys, "argv", ["run.py", "--only", "first", "--without-peers", "--output", str(tmp_path)])
    monkeypatch.setattr(run, "measure", broken_off)
    for place, name in ((programs, "compile_bytecode"), (programs, "lacking"), (os, "sched_setaffinity")):
        monkeypatch.setattr(place, name, nothing)
    run.main()
    assert {path.name for path in tmp_path.iterdir()} == {"results.json", "table.md", "gateway.svg", "gateway.png"}
    assert "the run was broken off" in (tmp_path / "table.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("chosen", "invited", "wanted"),
    [
        (("lambda", "judge"), (peers.LITELLM,), ["usual-function", "aiperf"]),
        (("lambda", "judge"), (), ["usual-function"]),
        (("first",), (peers.LITELLM,), []),
    ],
)
def test_what_parts_need_beside_the_peers_is_installed_before_their_time_begins(
    monkeypatch: pytest.MonkeyPatch, chosen: tuple[str, ...], invited: tuple[str, ...], wanted: list[str]
) -> None:
    installed = list[str]()

    def install(package: peers.Package) -> None:
        installed.append(package.folder)
        raise OSError("no network")

    monkeypatch.setattr(peers.Package, "install", install)
    assert lambda_start.USUAL.folder == "usual-function"
    run.install_beside(chosen, invited)
    assert installed == wanted
