"""What a start leaves out comes when it is asked for, once, or soon after the start."""

import importlib
from pathlib import Path

from books import some_books
from cores import Core
from gateway.bed import Bed
from server.api_reference import whole_app
from server.serving import serving

from daehwa.server.app import create_app
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


async def test_uvicorn_is_whole_for_whoever_asks_for_it() -> None:
    asked = importlib.import_module("uvicorn")
    config = asked.Config("daehwa:no_app", log_config=None, interface="wsgi", log_level="trace")
    assert asked.run.__module__ == "uvicorn.main"
    assert config.proxy_headers
    assert importlib.import_module("uvicorn._types").HTTPScope.__required_keys__
    assert importlib.import_module("configparser").RawConfigParser().sections() == []
