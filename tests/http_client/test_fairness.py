"""Whoever sends more than can be read at once does not keep the loop from all others."""

import asyncio
import time
from typing import cast

from daehwa.http_client.connection import Connection

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n"


class Transport:
    """A connection's transport, as far as one is asked for here."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def get_extra_info(self, name: str) -> object:
        return name

    def is_closing(self) -> bool:
        return False

    def write(self, data: bytes) -> None:
        """Send nothing."""

    def pause_reading(self) -> None:
        self.told.append("pause")

    def resume_reading(self) -> None:
        self.told.append("resume")


def flooded(connection: Connection, begun: bytes = b"") -> None:
    """Let as much come as can be read at once."""
    buffer = connection.get_buffer(-1)
    buffer[:] = begun.ljust(len(buffer), b"x")
    connection.buffer_updated(len(buffer))


async def test_others_have_their_turn_before_more_is_read() -> None:
    transport, connection = Transport(), Connection(lambda _: None)
    connection.connection_made(cast("asyncio.Transport", transport))
    connection.send(b"")
    flooded(connection, HEAD)
    assert transport.told == ["pause"]
    await asyncio.sleep(0)
    connection.buffer_updated(100)
    assert transport.told == ["pause", "resume"], "what is read whole costs no turn"
    flooded(connection)
    connection.pause()
    await asyncio.sleep(0)
    assert transport.told == ["pause", "resume", "pause"], "whoever paused it meanwhile is heeded"
    connection.resume()
    assert transport.told[3:] == ["resume"]


def seconds_for(lines: int) -> float:
    """Return the CPU time of a head with so many lines of one name."""
    connection = Connection(lambda _: None)
    connection.connection_made(cast("asyncio.Transport", Transport()))
    connection.send(b"")
    head = b"HTTP/1.1 200 OK\r\n" + b"a: x\r\n" * lines + b"content-length: 0\r\n\r\n"
    began = time.process_time()
    connection._parse(head)
    took = time.process_time() - began
    assert connection.headers == {"a": ", ".join("x" * lines), "content-length": "0"}
    return took


async def test_a_head_of_many_lines_of_one_name_takes_time_by_their_number_alone() -> None:
    few, many = (min(seconds_for(lines) for _ in range(3)) for lines in (20_000, 160_000))
    assert many < 24 * few, "8 times by their number, 64 times by its square"
