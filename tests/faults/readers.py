"""Spoilt bytes for all that reads what others wrote: streams of events, imports, forms. Each is read or refused."""

import asyncio
import io
import itertools
from collections.abc import AsyncIterator, Sequence

import hypothesis.strategies as st
from hypothesis import HealthCheck, given, settings
from multipart import PushMultipartParser
from stores.asking import ask
from transfer.test_moving import exported
from upstream import DONE, ROLE, chunk, ending, text, usage

from daehwa.conversation.errors import InvalidRequest, TooMuch
from daehwa.conversation.export_file import NotAnExport, read_head
from daehwa.gateway.asking import Habits
from daehwa.gateway.tap import UsageTap
from daehwa.gateway.uploads import UploadAsked
from daehwa.providers.chunks import ChunkReader
from daehwa.providers.sse import EventDecoder
from daehwa.providers.upstream import Upstream
from daehwa.providers.upstream_faults import Faults
from daehwa.stores.memory import MemoryStore
from daehwa.transfer.moving import import_conversations

STREAM = b"".join(
    (
        *(ROLE, text("대화 "), chunk({"reasoning_content": "hm"}), text("🦊"), b": still there\r\n\r\n"),
        chunk({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}]}),
        *(ending(), usage(), DONE),
    )
)
BOUNDARY = "----daehwa-form"
FORM = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="model"\r\n\r\ndouble/hears\r\n'
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="prompt"\r\n\r\n여우\r\n'
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n'
    f'RIFF....WAVE\r\n--{BOUNDARY}\r\nContent-Disposition: form-data; name="temperature"\r\n\r\n0\r\n--{BOUNDARY}--\r\n'
).encode()
_PIECES = (
    b"\r\n",
    b"\n",
    b"\r",
    b"--",
    b'"',
    b"data: ",
    b"\xff",
    b"\x00",
    b"{",
    b"}",
    b"[",
    b'"usage":null',
    b'name="model"',
)

Spoil = tuple[str, float, bytes]
SPOILS = st.lists(
    st.tuples(
        st.sampled_from(["put", "drop", "double", "cut"]),
        st.floats(0, 1),
        st.sampled_from(_PIECES) | st.binary(max_size=4),
    ),
    max_size=6,
)
CUTS = st.lists(st.floats(0, 1), max_size=8)


def spoilt(whole: bytes, spoils: Sequence[Spoil]) -> bytes:
    """Return bytes with pieces put in, left out, doubled, or the end cut off."""
    for kind, share, piece in spoils:
        at = round(share * len(whole))
        length = max(1, len(piece))
        if kind == "put":
            whole = whole[:at] + piece + whole[at:]
        elif kind == "drop":
            whole = whole[:at] + whole[at + length :]
        elif kind == "double":
            whole = whole[:at] + whole[at : at + 40] + whole[at:]
        else:
            whole = whole[:at]
    return whole


def pieces_of(whole: bytes, cuts: Sequence[float]) -> list[bytes]:
    """Return bytes in pieces."""
    edges = [0, *sorted(round(cut * len(whole)) for cut in cuts), len(whole)]
    return [whole[a:b] for a, b in itertools.pairwise(edges) if b > a]


def read_stream(spoils: list[Spoil], cuts: list[float]) -> None:
    """The events, and what they say, are the same however the bytes come; a tap hands on what came."""
    whole = spoilt(STREAM, spoils)
    read = []
    for pieces in ([whole], pieces_of(whole, cuts)):
        decoder = EventDecoder()
        events = [event for piece in pieces for event in decoder.feed(piece)]
        chunks = ChunkReader(Faults(Upstream(name="double", base_url="http://127.0.0.1:9/v1")))
        said = chunks.read(events)
        tap = UsageTap(strip=False)
        shown = b"".join([*map(tap.feed, pieces), tap.feed(b"")])
        assert shown == whole
        ends = (chunks.finish, chunks.is_done, chunks.fault is None, tap.usage, tap.has_failed)
        read.append((events, decoder.rest(), said, ends))
    assert read[0] == read[1]


def read_import(export: bytes, spoils: list[Spoil]) -> None:
    """An import takes what it can read, refuses the rest, and leaves a store that can be exported again."""

    async def moved() -> None:
        store, source = MemoryStore(), io.BytesIO(spoilt(export, spoils))
        try:
            read_head(source)
        except NotAnExport:
            return
        await import_conversations(store, source, owner=lambda was: was, progress=lambda _moved: None)
        await exported(store)

    asyncio.run(moved())


async def _always(_model: str) -> bool:
    return True


async def _never(_model: str) -> bool:
    return False


def read_form(spoils: list[Spoil], cuts: list[float], *, keeps: bool) -> None:
    """A form is refused, or sent on with one model: the one that was allowed."""
    whole = spoilt(FORM, spoils)

    async def come() -> AsyncIterator[bytes]:
        for piece in pieces_of(whole, cuts):
            yield piece

    async def sent() -> tuple[bytes, str] | None:
        kind = f"multipart/form-data; boundary={BOUNDARY}"
        try:
            asked = await UploadAsked.read(
                "audio/transcriptions", kind, come(), keep=_always if keeps else _never, length=len(whole)
            )
            try:
                request = asked.request("allowed", asked.added(Habits(), None))
                assert not isinstance(request.body, bytes)
                return b"".join([piece async for piece in request.body]), request.content_type
            finally:
                asked.close()
        except (InvalidRequest, TooMuch):
            return None

    made = asyncio.run(sent())
    if made is not None:
        assert models_in(*made) == [b"allowed"]


def models_in(body: bytes, content_type: str) -> list[bytes]:
    """Return the texts of a form's fields named `model`, as the strict parser reads them."""
    found: list[bytes] = []
    parser = PushMultipartParser(content_type.partition("boundary=")[2], strict=True)
    is_model = False
    for event in itertools.chain(parser.parse(body), parser.parse(b"")):
        if isinstance(event, bytearray):
            if is_model:
                found[-1] += bytes(event)
        elif event is not None:
            is_model = event.name == "model"
            found += [b""] if is_model else []
    return found


async def _an_export() -> bytes:
    store = MemoryStore()
    for number in range(3):
        await ask(store, f"question {number} 질문", f"answer {number}")
    return await exported(store)


def run_readers(examples: int) -> tuple[int, list[str]]:
    """Read so many spoilt things of each kind; return how many in all, and what went wrong."""
    export = asyncio.run(_an_export())
    count, wrong = 0, list[str]()

    def stream(spoils: list[Spoil], cuts: list[float]) -> None:
        nonlocal count
        count += 1
        read_stream(spoils, cuts)

    def moved(spoils: list[Spoil]) -> None:
        nonlocal count
        count += 1
        read_import(export, spoils)

    def form(spoils: list[Spoil], cuts: list[float], keeps: bool) -> None:  # noqa: FBT001 - hypothesis gives it
        nonlocal count
        count += 1
        read_form(spoils, cuts, keeps=keeps)

    readers = (given(SPOILS, CUTS)(stream), given(SPOILS)(moved), given(SPOILS, CUTS, st.booleans())(form))
    chosen = settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    for read in readers:
        try:
            chosen(read)()
        except Exception as fault:  # noqa: BLE001 - whatever it is, it should not be
            notes = "; ".join(getattr(fault, "__notes__", ()))
            wrong.append(f"{type(fault).__name__}: {fault}; {notes}"[:2000])
    return count, wrong
