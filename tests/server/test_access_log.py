"""One line a request, with nothing in it that anybody wrote."""

import json
import logging
import re

import pytest
from server.serving import Site, asked

from daehwa.server.access_log import JsonLines, TextLines, configure_logging


@pytest.fixture(autouse=True)
def _all_of_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "daehwa")


async def test_each_request_has_its_line(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    async with site.client.get("/api/models") as answer:
        request_id = answer.headers["x-request-id"]
        size = len(await answer.read())
    await site.call("GET", "/api/nothing")
    first, second = caplog.messages
    assert first.startswith("GET /api/models 200 ")
    assert first.endswith(f" ms {size} bytes {request_id}")
    assert second.startswith("GET /api/nothing 404 ")


async def test_a_stream_is_logged_when_it_ends_and_without_what_was_said(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    body = asked("my secret question")
    await site.turn(body)
    await site.call("GET", "/api/conversations?query=secret", headers={"Authorization": "Bearer secret"})
    await site.call("PATCH", f"/api/conversations/{body['conversation']}", {"title": "secret title"})
    await site.refused("GET", "/api/conversations?secret=1")
    assert len(caplog.messages) == 4
    assert caplog.messages[0].startswith("POST /api/turns 200 ")
    assert "secret" not in caplog.text
    assert "?" not in caplog.text


async def test_a_path_cannot_forge_a_line(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    await site.raw(b"GET /api/x%0d%0aGET%20/forged HTTP/1.0\r\nHost: localhost\r\n\r\n")
    await site.raw(b"GET /api/" + b"long" * 100 + b" HTTP/1.0\r\nHost: localhost\r\n\r\n")
    assert all("\n" not in message and "\r" not in message for message in caplog.messages)
    assert "/api/x%0d%0aGET%20/forged 404" in caplog.messages[0]
    assert len(caplog.messages[1]) < 300


async def test_lines_of_json_have_the_same_in_fields(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    await site.call("GET", "/healthz")
    line = json.loads(JsonLines().format(caplog.records[0]))
    assert set(line) == {"time", "level", "logger", "request", "method", "path", "status", "ms", "bytes"}
    assert (line["logger"], line["method"], line["path"], line["status"]) == ("daehwa.access", "GET", "/healthz", 200)


async def test_a_line_says_nothing_of_threads_and_processes_that_is_not_so(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    await site.call("GET", "/healthz")
    record = caplog.records[0]
    untold = ("process", "processName", "relativeCreated", "thread", "threadName")
    assert [vars(record)[name] for name in untold] == [None] * len(untold)
    line = logging.Formatter("%(asctime)s %(threadName)s %(message)s").format(record)
    assert line.endswith(f" None {record.getMessage()}")


def test_other_records_are_lines_of_json_too() -> None:
    with pytest.raises(ValueError, match="two") as caught:
        int("two\nlines")
    failed = (caught.type, caught.value, caught.tb)
    record = logging.LogRecord("daehwa.turn", logging.ERROR, "turn.py", 1, "it %s", ("failed",), failed)
    line = JsonLines().format(record)
    assert "\n" not in line
    decoded = json.loads(line)
    assert (decoded["level"], decoded["message"]) == ("error", "it failed")
    assert "ValueError" in decoded["traceback"]


@pytest.mark.parametrize("log_json", [False, True])
def test_the_log_goes_to_standard_error(capsys: pytest.CaptureFixture[str], log_json: bool) -> None:  # noqa: FBT001 - a parameter of the test
    root, ours = logging.getLogger(), logging.getLogger("daehwa")
    before = root.handlers[:], root.level, ours.level
    try:
        configure_logging(log_json=log_json)
        logging.getLogger("daehwa.turn").info("hello")
        logging.getLogger("another").info("not asked for")
    finally:
        root.handlers[:] = before[0]
        root.setLevel(before[1])
        ours.setLevel(before[2])
    out, err = capsys.readouterr()
    assert not out
    (line,) = err.splitlines()
    if log_json:
        assert json.loads(line)["message"] == "hello"
    else:
        assert re.fullmatch(r"\d\d:\d\d:\d\d  hello", line)


def test_a_fault_in_the_log_says_that_it_is_one() -> None:
    record = logging.LogRecord("daehwa", logging.WARNING, "turn.py", 1, "it %s", ("waits",), None)
    assert TextLines().format(record).endswith("  warning: it waits")
