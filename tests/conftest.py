"""Says at the head of every run, and at its end, which DynamoDB the tests of its stores run on; finds Node for CDK."""

import os

import dynamodb_local
import pytest

from daehwa.deployment.programs import find_node


def pytest_configure() -> None:
    # CDK's bridge starts Node as soon as CDK is imported, which collecting its tests does.
    os.environ.setdefault("JSII_NODE", find_node().node)


def pytest_report_header() -> str:
    return f"DynamoDB: {dynamodb_local.planned()}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    started = dynamodb_local.started()
    if started is not None:
        terminalreporter.write_line(f"DynamoDB of this run: {started.choice}")


def pytest_sessionfinish() -> None:
    dynamodb_local.end()
