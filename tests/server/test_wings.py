"""What a start leaves out comes when it is asked for, once, or soon after the start."""

import importlib
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from books import some_books
from cores import Core
from gateway.bed import Bed
from server.api_reference import whole_app
from server.serving import serving

from daehwa.server.app import create_app
from daehwa.server.lean_uvicorn import annotations_alone, postpone
from daehwa.server.options import ServerOptions
from daehwa.server.programs import Programs, Spoken


class Making:
    """Makes the dialects of a bed, and counts how often."""

    def __init__(self) -> None:
        self.times = 0
        self.programs = Programs(self._make, has_classic=False)

    def _make(self) -> Spoken:
        self.times += 1
        return Bed().programs(has_classic=False).spoken


async def test_rows_are_made_when_one_of_them_is_first_asked_for(tmp_path: Path) -> None:
    making = Making()
    async with serving(Core(), tmp_path, programs=making.programs) as site:
        assert [(await site.call("GET", path))[0] for path in ("/healthz", "/api/me", "/api/x")] == [200, 200, 404]
        assert making.times == 0
        assert [(await site.call("GET", path))[0] for path in ("/v1/models", "/v1/x", "/v1/models")] == [200, 404, 200]
        assert making.times == 1


async def test_all_rows_are_made_once_the_server_has_started() -> None:
    making = Making()
    app = create_app(Core(), options=ServerOptions(version="0"), books=some_books(), programs=making.programs)
    await app.make_ready()
    assert making.times == 1
    await app.make_ready()
    assert "/v1/models" in {operation.path for operation in app.operations}
    assert making.times == 1


def test_every_row_is_under_the_paths_of_its_wing() -> None:
    wings = whole_app()._router.opened()
    outside = [row.path for wing in wings for row in wing.operations if not wing.covers(row.path)]
    assert not outside, "nobody finds them: see the paths in server/app.py"


async def test_what_is_made_while_the_server_ends_takes_no_calls(tmp_path: Path) -> None:
    async with serving(Core(), tmp_path, programs=Making().programs) as site:
        await site.app.aclose()
        assert (await site.call("GET", "/v1/models"))[0] == 503


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


async def test_uvicorn_is_whole_for_whoever_asks_for_it() -> None:
    asked = importlib.import_module("uvicorn")
    config = asked.Config("daehwa:no_app", log_config=None, interface="wsgi", log_level="trace")
    assert asked.run.__module__ == "uvicorn.main"
    assert config.proxy_headers
    assert importlib.import_module("uvicorn._types").HTTPScope.__required_keys__
    assert importlib.import_module("configparser").RawConfigParser().sections() == []
