"""The event stream decoder: the WHATWG rules, and the same events however the bytes are cut."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daehwa.providers.sse import EventDecoder, EventTooLong


def decoded(*pieces: bytes, limit: int = 1_000_000) -> list[bytes]:
    decoder = EventDecoder(limit)
    return [event for piece in pieces for event in decoder.feed(piece)]


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\n", [b"a"]),
        (b"data:a\n\n", [b"a"]),
        (b"data:  a\n\n", [b" a"]),
        (b"data: a\n\ndata: b\n\n", [b"a", b"b"]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
        (b"data: a\r\rdata: b\r\r", [b"a", b"b"]),
        (b"data: a\r\n\ndata: b\n\r\n", [b"a", b"b"]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b"event: x\nid: 7\nretry: 3\ndata: a\n\n", [b"a"]),
        (b"data: a\nevent: x\n\n", [b"a"]),
        (b": keep-alive\n\ndata: a\n\n", [b"a"]),
        (b":\n:\n\n\n\n\ndata: a\n\n\n\ndata: b\n\n", [b"a", b"b"]),
        (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
        (b"\n\xef\xbb\xbfdata: a\n\n", []),
        (b"data\n\n", [b""]),
        (b"data:\n\n", [b""]),
        (b"database: no\n\ndata: a\n\n", [b"a"]),
        (b"nonsense\n\n", []),
        (b"data: a\n", []),
        (b"data: a", []),
        ("data: 대화\n\n".encode(), ["대화".encode()]),
        (b"", []),
    ],
)
def test_the_rules_whole_and_byte_by_byte(stream: bytes, events: list[bytes]) -> None:
    assert decoded(stream) == events
    assert decoded(*(stream[i : i + 1] for i in range(len(stream)))) == events


LINES = st.sampled_from(
    [
        "data: ",
        "data:",
        "data",
        "data: {}",
        "data: 한국어",
        "data: \U0001f600 b",
        ": c",
        ":",
        "event: e",
        "id: 1",
        "",
        "",
        "x",
        "\ufeff",
    ]
)
ENDS = st.sampled_from(["\n", "\r\n", "\r"])
STREAMS = st.lists(st.tuples(LINES, ENDS), max_size=25).map(lambda rows: "".join(a + b for a, b in rows).encode())


def by_the_book(stream: bytes) -> list[bytes]:
    """The specification's algorithm, word for word, over the whole stream at once."""
    text = stream.decode().removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    events, data = [], ""
    for line in text.split("\n")[:-1]:
        name, _, value = line.partition(":")
        if not line:
            if data:
                events.append(data.removesuffix("\n").encode())
            data = ""
        elif name == "data":
            data += value.removeprefix(" ") + "\n"
    return events


@given(STREAMS, st.lists(st.integers(0, 400), max_size=12))
def test_any_split_gives_the_events_of_the_specification(stream: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    pieces = [stream[a:b] for a, b in itertools.pairwise(edges)]
    assert decoded(*pieces) == by_the_book(stream)


@pytest.mark.parametrize("size", [1, 7, 4096, 10**9])
def test_a_line_up_to_the_limit_passes_and_a_longer_one_is_an_error(size: int) -> None:
    def pieces(stream: bytes) -> list[bytes]:
        return [stream[i : i + size] for i in range(0, len(stream), size)]

    assert decoded(*pieces(b"data: " + b"x" * 994 + b"\n\n"), limit=1000) == [b"x" * 994]
    with pytest.raises(EventTooLong, match="1000 bytes"):
        decoded(*pieces(b"data: " + b"x" * 995 + b"\n\n"), limit=1000)
    with pytest.raises(EventTooLong):
        decoded(*pieces(b"data: xxxxxxxxx\n" * 101 + b"\n"), limit=1000)


def test_the_rest_is_what_an_unfinished_event_had() -> None:
    decoder = EventDecoder()
    decoder.feed(b"data: a\n\ndata: [DO")
    assert decoder.rest() == b"[DO"
    decoder.feed(b"NE]\n")
    assert decoder.rest() == b"[DONE]"
    assert EventDecoder().rest() == b""
