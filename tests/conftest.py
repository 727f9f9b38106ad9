"""Says at the head of every run, and at its end, which DynamoDB the tests of its stores run on; finds Node for CDK;
and which event loops tests run on. Whom they trust is an authority of their own.
"""

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import dynamodb_local
import pytest
import trustme
import uvloop

from daehwa.deployment.programs import find_node


def pytest_configure() -> None:
    # CDK's bridge starts Node as soon as CDK is imported, which collecting its tests does.
    os.environ.setdefault("JSII_NODE", find_node().node)


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run what is marked `both_loops` on each loop that a server may run on, all else on asyncio's own."""
    loops: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
    if item.get_closest_marker("both_loops") is not None:
        loops["uvloop"] = uvloop.new_event_loop
    return loops


@pytest.fixture
def authority(tmp_path: Path) -> trustme.CA:
    """An authority of the test's own; its certificate is `ca.pem` in the test's folder."""
    made = trustme.CA()
    made.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return made


def pytest_report_header() -> str:
    return f"DynamoDB: {dynamodb_local.planned()}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    started = dynamodb_local.started()
    if started is not None:
        terminalreporter.write_line(f"DynamoDB of this run: {started.choice}")


def pytest_sessionfinish() -> None:
    dynamodb_local.end()
