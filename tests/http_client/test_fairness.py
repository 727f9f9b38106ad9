"""Whoever sends more than can be read at once does not keep the loop from all others."""

import asyncio
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
