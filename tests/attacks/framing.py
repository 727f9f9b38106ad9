"""Messages whose end two servers might see at different places (request smuggling)."""

from collections.abc import AsyncIterator

from attacks.outcome import Attempt, Recorded, said_to

_HIDDEN = b"GET /smuggled HTTP/1.1\r\nhost: localhost\r\n\r\n"
_POST = "POST /api/turns HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"

# A head; what is behind it hides a second request, as its body for one reader, and as a request for another.
_LENGTHS = [
    *("content-length: 0\r\ncontent-length: {n}", "content-length: {n}\r\ncontent-length: 0"),
    *("content-length: {n}, 0", "content-length: 0, {n}", "content-length: +{n}", "content-length: -1"),
    *("content-length: {n} 0", "content-length: 0x0", "content-length: 0{n}x", "content-length: {n}.0"),
    *("content-length : {n}", "content-length\t: {n}", "content-length\x0b: {n}", "content-length:\r\n {n}"),
    *(
        "content-length: 99999999999999999999999",
        "content-length: \x0b{n}",
        "content-length: {n}\x00",
        "content-length: {n}\x7f",
    ),
    *(
        "content-length: ",
        "content-length: ;{n}",
        "content-length: {n};",
        "content-length: \xb2",
        "x: y\rcontent-length: {n}",
    ),
]
_CODINGS = [
    *("transfer-encoding: chunked\r\ncontent-length: {n}", "content-length: {n}\r\ntransfer-encoding: chunked"),
    *("content-length: 5\r\ntransfer-encoding: chunked", "transfer-encoding: chunked\r\ncontent-length: 5"),
    *(
        "transfer-encoding: xchunked\r\ncontent-length: {n}",
        "transfer-encoding: chunked, identity\r\ncontent-length: {n}",
    ),
    *(
        "transfer-encoding: identity, chunked\r\ncontent-length: {n}",
        "transfer-encoding:\x0bchunked\r\ncontent-length: {n}",
    ),
    *("transfer-encoding : chunked\r\ncontent-length: {n}", " transfer-encoding: chunked\r\ncontent-length: {n}"),
    *("transfer-encoding:\r\n chunked\r\ncontent-length: {n}", 'transfer-encoding: "chunked"\r\ncontent-length: {n}'),
    *("transfer-encoding: chunked\r\ntransfer-encoding: x\r\ncontent-length: {n}", "transfer-encoding\x00: chunked"),
    *("transfer-encoding: x\r\ntransfer-encoding: chunked\r\ncontent-length: {n}", "x: y\ntransfer-encoding: chunked"),
    *("transfer-encoding: chunked;q=1\r\ncontent-length: {n}", "transfer-encoding: chunke\r\ncontent-length: {n}"),
    *(
        "transfer-encoding: gzip, chunked, chunked\r\ncontent-length: {n}",
        "transfer-encoding: CHUNKED\r\ncontent-length: {n}",
    ),
    *("transfer\xadencoding: chunked\r\ncontent-length: {n}", "x\x0btransfer-encoding: chunked\r\ncontent-length: {n}"),
]
# Bodies in chunks that some readers end too early or too late.
_CHUNKS = [
    *(b"0x0\r\n\r\n", b"-0\r\n\r\n", b"+0\r\n\r\n", b"0 \n\r\n", b"\r\n0\r\n\r\n", b"0\n\n", b"0\r\r", b"G\r\n\r\n"),
    *(b"00000000000000000000000\n\n", b"1\r\nab0\r\n\r\n", b"2\r\na\r\n0\r\n\r\n", b"1\r\na0\r\n\r\n", b"1\na\n0\n\n"),
    *(
        b"10000000000000000\r\n",
        b"ffffffffffffffff1\r\n",
        b"1;\na\r\n0\r\n\r\n",
        b'1;a="\n"\r\na\r\n0\n\n',
        b"3\r\nabc\r0\r\n\r\n",
    ),
    *(b"0;\n\r\n", b"0;x\n\r\n", b"0_0\r\n\r\n", b"\xef\xbc\x90\r\n\r\n", b"0\r\nx y: z\r\n\r\n", b"0\r\n: z\r\n\r\n"),
]
# Whole heads of an odd make.
_HEADS = [
    *("POST /api/turns HTTP/1.1\nhost: localhost\n\n", "POST /api/turns HTTP/1.1\r\rhost: localhost\r\r"),
    *(
        "POST /api/turns HTTP/1.1\r\nhost: localhost\r\nx\r\n\r\n",
        "POST /api/turns HTTP/1.1\r\n : x\r\nhost: localhost\r\n\r\n",
    ),
    *(
        "POST /api/turns HTTP/0.9\r\nhost: localhost\r\n\r\n",
        "POST /api/turns\r\n",
        "POST /api/turns HTTP/2.0\r\nhost: localhost\r\n\r\n",
    ),
    *(
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "POST /api/turns HTTP/1.1x\r\nhost: localhost\r\n\r\n",
        "POST /api/turns HTTP/1.10\r\nhost: localhost\r\n\r\n",
    ),
    "POST\x0b/api/turns HTTP/1.1\r\nhost: localhost\r\n\r\n",
    "POST /api/turns  x HTTP/1.1\r\nhost: localhost\r\n\r\n",
    *(
        "POST /api/turns HTTP/1.1 \r\nhost: localhost\r\n\r\n",
        "\x00POST /api/turns HTTP/1.1\r\nhost: localhost\r\n\r\n",
    ),
    *("post /api/turns HTTP/1.1\r\nhost: localhost\r\n\r\n", "PO\x00ST /api/turns HTTP/1.1\r\nhost: localhost\r\n\r\n"),
    *(
        "POST /api/turns HTTP/1.1\r\nhost: localhost\r\nx: a\x00b\r\n\r\n",
        "POST /api/turns HTTP/1.1\r\nhost: local\nx: y\r\n\r\n",
    ),
    *(
        "POST /api/\x7fturns HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "POST /api/t\turns HTTP/1.1\r\nhost: localhost\r\n\r\n",
    ),
]


def messages() -> list[tuple[str, bytes]]:
    """Return every message and what it is called."""
    behind = _HIDDEN
    n = str(len(behind))
    made = [(each, f"{_POST}{each.replace('{n}', n)}\r\n\r\n".encode("latin-1") + behind) for each in _LENGTHS]
    for each in _CODINGS:
        head = f"{_POST}{each.replace('{n}', str(len(behind) + 5))}\r\n\r\n".encode("latin-1")
        made.append((each, head + b"0\r\n\r\n" + behind))
    chunked = f"{_POST}transfer-encoding: chunked\r\n\r\n".encode()
    made += [(f"chunks {each!r}", chunked + each + behind) for each in _CHUNKS]
    made += [(f"head {each!r}", each.encode("latin-1") + behind) for each in _HEADS]
    # A head that ends its connection: whatever follows it is nobody's request.
    closing = f"{_POST}connection: close\r\ncontent-length: 2\r\n\r\n".encode()
    return [*made, ("behind the end of a connection", closing + b"{}" + behind)]


async def smuggling(recorded: Recorded, port: int) -> AsyncIterator[Attempt]:
    """Send them all; what hides behind is never to be taken for a request."""
    for name, sent in messages():
        before = len(recorded.reached)
        await said_to(port, sent, seconds=0.4)
        yield Attempt(name, any("/smuggled" in reached for reached in recorded.reached[before:]))
