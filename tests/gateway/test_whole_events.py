"""What goes on to a client are whole events, so that an error after them can be read."""

import pytest

from daehwa.gateway.tap import UsageTap

EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'


@pytest.mark.parametrize("strip", [False, True])
@pytest.mark.parametrize("ending", [b"\n\n", b"\r\n\r\n", b"\r\r"])
def test_part_of_an_event_waits_for_the_rest(ending: bytes, *, strip: bool) -> None:
    event = EVENT.replace(b"\n\n", ending)
    tap = UsageTap(strip=strip)
    shown = [tap.feed(event[n : n + 1]) for n in range(len(event))]
    assert not any(shown[:-1])
    assert shown[-1] == event


@pytest.mark.parametrize("strip", [False, True])
def test_what_has_no_end_is_shown_when_the_stream_ends_well(*, strip: bool) -> None:
    tap = UsageTap(strip=strip)
    assert tap.feed(EVENT + b"data: [DO") == EVENT
    assert tap.feed(b"NE]") == b""
    assert tap.feed(b"") == b"data: [DONE]"
