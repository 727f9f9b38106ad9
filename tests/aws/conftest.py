"""The real Lambda Web Adapter, and functions behind it in the Lambda test bed."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from lambda_bed.deployed import ADAPTER, lay_out_echo
from lambda_bed.environment import Code
from lambda_bed.function import Function
from program import ROOT

sys.path.insert(0, str(ROOT))

from scripts.lambda_adapter import built_layer


@pytest.fixture(scope="session")
def layer() -> Path:
    try:
        return built_layer()
    except SystemExit as error:
        pytest.fail(str(error), pytrace=False)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def echo(layer: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Function]:
    folder = tmp_path_factory.mktemp("echo")
    code = Code(lay_out_echo(folder / "task"), layer, ADAPTER)
    async with Function(code, folder) as function:
        yield function
        assert function.faults() == []
