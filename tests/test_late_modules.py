"""Modules that are put off: run once, whole, when something of theirs is first asked for, whoever asks and however."""

import importlib
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from daehwa.late_modules import annotations_alone, postpone


def test_a_package_is_run_when_something_of_its_own_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "daehwa_slow").mkdir()
    (tmp_path / "daehwa_slow" / "__init__.py").write_text("import daehwa_slow.command\nown = 1\n", "utf-8")
    for part in ("command", "part"):
        (tmp_path / "daehwa_slow" / f"{part}.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    postpone("daehwa_slow")
    package = sys.modules["daehwa_slow"]
    postpone("daehwa_slow")
    __import__("daehwa_slow.part")
    assert "daehwa_slow.command" not in sys.modules
    assert package.own == 1
    assert "daehwa_slow.command" in sys.modules
    with pytest.raises(AttributeError):
        _ = package.missing


def test_of_many_threads_that_ask_at_once_one_runs_it_and_all_are_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "daehwa_asked.py").write_text("import time\ntime.sleep(0.05)\nown = object()\n", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    module, ready = postpone("daehwa_asked"), threading.Barrier(16)

    def ask(_: int) -> object:
        ready.wait(5)
        return module.own

    with ThreadPoolExecutor(16) as threads:
        assert len(set(threads.map(ask, range(16)))) == 1


def test_a_module_that_fails_is_run_again_for_the_next_who_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "daehwa_fails.py").write_text("import daehwa_fails, daehwa_absent\nown = 1\n", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    module = postpone("daehwa_fails")
    for _ in range(2):
        with pytest.raises(ModuleNotFoundError, match="daehwa_absent"):
            _ = module.own
    (tmp_path / "daehwa_absent.py").write_text("import daehwa_fails\nsaid = getattr(daehwa_fails, 'own', 0)\n", "utf-8")
    importlib.invalidate_caches()
    assert module.own == 1
    assert sys.modules["daehwa_absent"].said == 0, "in a circle it is not run twice"


def test_a_module_may_answer_for_itself_once_it_has_been_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "daehwa_answers.py").write_text("def __getattr__(name):\n    return name\n", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    module = postpone("daehwa_answers")
    assert (module.first, module.second) == ("first", "second")


def test_a_module_that_is_nowhere_is_not_put_off() -> None:
    with pytest.raises(ModuleNotFoundError, match="daehwa_nowhere"):
        postpone("daehwa_nowhere")
    assert "daehwa_nowhere" not in sys.modules


def test_a_module_that_is_named_in_annotations_alone_is_run_by_whoever_imports_it_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "daehwa_types.py").write_text("class Own: pass\n", "utf-8")
    text = "from daehwa_types import Own\ndef read(given: Own | None) -> Own: return given\n"
    (tmp_path / "daehwa_typed.py").write_text(text, "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with annotations_alone("daehwa_types", "json"):
        typed = importlib.import_module("daehwa_typed")
        assert sys.modules["json"].dumps([typed.read(1)]) == "[1]"  # it was there already, and is what it was
    assert "daehwa_types" not in sys.modules
    assert importlib.import_module("daehwa_types").Own is not typed.Own


def test_importing_names_that_are_there_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "daehwa_parts").mkdir()
    (tmp_path / "daehwa_parts" / "__init__.py").touch()
    (tmp_path / "daehwa_parts" / "dates.py").write_text("def today(): return 'now'\ndef later(): ...\n", "utf-8")
    (tmp_path / "daehwa_asks.py").write_text("from daehwa_parts.dates import today\n", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    dates = postpone("daehwa_parts.dates", functions=("today",))
    asks = importlib.import_module("daehwa_asks")
    assert "later" not in vars(dates)
    assert importlib.import_module("daehwa_parts").dates is dates, "for `import daehwa_parts.dates`"
    assert asks.today() == "now"
    assert "later" in vars(dates)
    assert asks.today() == dates.today() == "now"


@pytest.mark.parametrize(
    "first",
    [
        "from json.decoder import JSONDecodeError",
        "from json.encoder import JSONEncoder",
        "from json.scanner import NUMBER_RE",
        "import json.tool",
        "import json; json.loads('{}')",
        "import webauthn",
        "import opentelemetry.exporter.otlp.proto.http.trace_exporter",
        "import joserfc.jwt",
        "import smtplib, webbrowser, zipfile; webbrowser.register_standard_browsers()",
    ],
)
def test_whatever_is_imported_first_after_a_plain_start_finds_all_it_needs(first: str) -> None:
    started = "from daehwa.late_modules import put_off_for_a_start; put_off_for_a_start(); "
    used = (
        "; import json, locale, shutil; print(json.loads(json.dumps([locale.normalize('C')])), shutil.which('no such'))"
    )
    ran = subprocess.run(  # noqa: S603 - this very Python
        [sys.executable, "-c", started + "import daehwa.server.lean_uvicorn; " + first + used],
        capture_output=True,
        check=False,
        text=True,
        timeout=30,
    )
    assert (ran.stdout.splitlines()[-1:], ran.stderr) == (["['C'] None"], "")
