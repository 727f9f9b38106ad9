"""The real Lambda Web Adapter, and functions behind it in the Lambda test bed."""

import importlib.util
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from lambda_bed.environment import Code
from lambda_bed.function import Function
from program import ROOT

sys.path.insert(0, str(ROOT))

from scripts.lambda_adapter import built_layer

ADAPTER = {
    "AWS_LAMBDA_EXEC_WRAPPER": "/opt/bootstrap",
    "AWS_LWA_INVOKE_MODE": "response_stream",
    "AWS_LWA_READINESS_CHECK_PATH": "/healthz",
    "AWS_LWA_READINESS_CHECK_TIMEOUT_SECONDS": "9",
}
_RUN_ECHO = """#!/bin/sh
exec python3 -m uvicorn --port "$AWS_LWA_PORT" --timeout-keep-alive 75 --lifespan off --no-server-header echo:app
"""


@pytest.fixture(scope="session")
def layer() -> Path:
    try:
        return built_layer()
    except SystemExit as error:
        pytest.fail(str(error), pytrace=False)


def lay_out_echo(folder: Path) -> Path:
    """Make a task root of the application that echoes, with what it needs from the tests' environment."""
    folder.mkdir()
    shutil.copy(ROOT / "tests" / "lambda_bed" / "echo.py", folder)
    for package in ("click", "h11", "httptools", "uvicorn"):
        found = importlib.util.find_spec(package)
        assert found is not None
        assert found.origin is not None
        (folder / package).symlink_to(Path(found.origin).parent)
    (folder / "run.sh").write_text(_RUN_ECHO, "utf-8")
    (folder / "run.sh").chmod(0o755)
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def echo(layer: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Function]:
    folder = tmp_path_factory.mktemp("echo")
    code = Code(lay_out_echo(folder / "task"), layer, ADAPTER)
    async with Function(code, folder) as function:
        yield function
        assert function.faults() == []
