"""The real Lambda Web Adapter, and functions behind it in the Lambda test bed."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aws.home import OPENAI_KEY, AwsHome, a_home, package
from lambda_bed.deployed import ADAPTER, built_layer, lay_out_echo
from lambda_bed.environment import Code
from lambda_bed.function import Function
from sign_in.issuer import Issuer


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


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return package(tmp_path_factory.mktemp("package"))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def started_home(layer: Path, deployed: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AwsHome]:
    async with Issuer() as issuer:
        issuer.secret = None
        told = {"DAEHWA_SIGN_IN_ISSUER": issuer.url}
        async with a_home(Code(deployed, layer), tmp_path_factory.mktemp("home"), **told) as home:
            yield home


@pytest.fixture
def home(started_home: AwsHome) -> AwsHome:
    started_home.model.forget()
    started_home.openai.key = OPENAI_KEY
    return started_home
