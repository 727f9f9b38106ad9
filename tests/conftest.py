"""Says at the head of every run, and at its end, which DynamoDB the tests of its stores run on."""

import dynamodb_local
import pytest


def pytest_report_header() -> str:
    return f"DynamoDB: {dynamodb_local.planned()}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    started = dynamodb_local.started()
    if started is not None:
        terminalreporter.write_line(f"DynamoDB of this run: {started.choice}")


def pytest_sessionfinish() -> None:
    dynamodb_local.end()
