"""Recordings go through as they come: fields first or last, never whole in memory, the model's name changed."""

import asyncio
import re
import struct
import tracemalloc
from collections.abc import AsyncIterator
from email.message import Message
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest
from cores import Core
from gateway.bed import Bed
from openai import APIStatusError, AsyncOpenAI
from server.serving import Site, serving

from daehwa.conversation.ports import Model
from daehwa.gateway.ports import WireRequest
from daehwa.gateway.scripted import ScriptedAnswer, ScriptedTarget, as_events, as_json
from daehwa.gateway.uploads import TOKENS_PER_SECOND

FILE = b"ID3" + bytes(range(256)) * 100 + b"\r\n--not the boundary\r\n" + "녹음".encode()
HEAD = 'form-data; name="file"; filename="a b.mp3"'


def form(*names: str, model: str = "scripted/parrot", boundary: str = "xYz-1") -> bytes:
    """A form with its fields in this order."""
    fields = {
        "model": b'Content-Disposition: form-data; name="model"\r\n\r\n' + model.encode(),
        "file": f"Content-Disposition: {HEAD}\r\nContent-Type: audio/mpeg\r\n\r\n".encode() + FILE,
        "prompt": b'Content-Disposition: form-data; name="prompt"\r\n\r\nA talk',
        "temperature": b'Content-Disposition: form-data; name="temperature"\r\n\r\n0',
    }
    start = f"--{boundary}\r\n".encode()
    return b"".join(start + fields[name] + b"\r\n" for name in names) + f"--{boundary}--\r\n".encode()


def read(request: WireRequest) -> dict[str, bytes]:
    """The fields of a form as it was sent on, read by another parser."""
    assert isinstance(request.body, bytes)
    assert request.length in {None, len(request.body)}
    head = f"Content-Type: {request.content_type}\r\n\r\n".encode()
    parts: Any = BytesParser().parsebytes(head + request.body).get_payload()
    return {str(part.get_param("name", header="content-disposition")): _content(part) for part in parts}


def _content(part: "Message[str, str]") -> bytes:
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content


@pytest.fixture
def bed() -> Bed:
    made = Bed()
    made.models.all[0].script = lambda _request: as_json({"text": "Hi", "usage": {"type": "duration", "seconds": 9}})
    return made


@pytest.fixture
async def site(bed: Bed, tmp_path: Path) -> AsyncIterator[Site]:
    async with serving(Core(), tmp_path, programs=bed.programs()) as made:
        yield made


async def sent(site: Site, body: bytes, *, boundary: str = "xYz-1", **headers: str) -> tuple[int, Any]:
    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 1000):
            yield body[start : start + 1000]

    headers = {"content-type": f"multipart/form-data; boundary={boundary}", **headers}
    async with site.client.post("/v1/audio/transcriptions", data=pieces(), headers=headers) as answer:
        return answer.status, await answer.json()


def announced(body: bytes) -> dict[str, str]:
    """Headers by which the whole length is known."""
    return {"content-length": str(len(body))}


@pytest.mark.parametrize(
    "names",
    [
        ("model", "prompt", "temperature", "file"),
        ("file", "model", "prompt", "temperature"),
        ("prompt", "file", "temperature", "model"),
    ],
)
async def test_a_form_goes_through_in_any_order(site: Site, bed: Bed, names: tuple[str, ...]) -> None:
    status, answer = await sent(site, form(*names))
    assert (status, answer["text"]) == (200, "Hi")
    fields = read(bed.models.all[0].requests[0])
    assert fields == {"model": b"parrot", "prompt": b"A talk", "temperature": b"0", "file": FILE}
    assert bed.meter.outcomes[0].seconds == 9
    assert bed.meter.calls[0].seconds > 1
    assert bed.meter.calls[0].kind == "audio"


@pytest.mark.parametrize("name", [b"Model", b"model[]", b" model"])
async def test_another_spelling_of_the_model_is_refused(site: Site, bed: Bed, name: bytes) -> None:
    other = form("model", "file", model="dear").replace(b'name="model"', b'name="%b"' % name)
    status, answer = await sent(site, form("model")[:-11] + other)
    assert (status, answer["error"]["param"]) == (400, "model")
    assert bed.meter.calls == []


async def test_the_length_is_announced_where_it_is_known(site: Site, bed: Bed) -> None:
    await sent(site, form("file", "model"))
    await sent(site, form("model", "file"), **announced(form("model", "file")))
    kept, passed = bed.models.all[0].requests
    assert isinstance(kept.body, bytes)
    assert kept.length == len(kept.body)
    assert passed.length is None


async def test_a_recording_that_is_gone_is_sent_to_nobody_else(tmp_path: Path) -> None:
    first = ScriptedTarget(lambda _request: as_json({"error": {"message": "no"}}, 503), provider="a")
    second = ScriptedTarget(lambda _request: as_json({"text": "Hi"}), provider="b")
    async with serving(Core(), tmp_path, programs=Bed(first, second).programs()) as site:
        body = form("model", "file", model="a/parrot")
        assert (await sent(site, body, **announced(body)))[0] == 503
        assert not second.requests


@pytest.mark.parametrize("order", [("model", "file"), ("file", "model")])
async def test_a_recording_is_kept_for_the_next_upstream(tmp_path: Path, order: tuple[str, ...]) -> None:
    first = ScriptedTarget(lambda _request: as_json({"error": {"message": "no"}}, 503), provider="a")
    second = ScriptedTarget(lambda _request: as_json({"text": "Hi"}), provider="b")
    async with serving(Core(), tmp_path, programs=Bed(first, second).programs()) as site:
        body = form(*order, model="any")
        assert (await sent(site, body, **announced(body)))[0] == 200
        assert read(second.requests[0])["file"] == FILE


async def test_audio_without_usage_is_paid_by_its_size(site: Site, bed: Bed) -> None:
    bed.models.all[0].script = lambda _request: ScriptedAnswer([b"Hi"], 200, {"content-type": "text/plain"})
    body = form("model", "file")
    headers = {"content-type": "multipart/form-data; boundary=xYz-1"}
    async with site.client.post("/v1/audio/transcriptions", data=body, headers=headers) as answer:
        assert await answer.text() == "Hi"
        assert answer.headers["content-type"] == "text/plain"
    outcome = bed.meter.outcomes[0]
    assert outcome.seconds == pytest.approx(len(FILE) / 8000, rel=0.05)
    assert outcome.usage is not None
    assert outcome.usage.estimated


TOKENS = {"usage": {"type": "tokens", "input_tokens": 9, "output_tokens": 3}}


@pytest.mark.parametrize("said", [{}, TOKENS], ids=["nothing", "tokens"])
@pytest.mark.parametrize("streamed", [False, True])
async def test_a_recording_is_as_long_streamed_as_whole_whatever_else_is_counted(
    site: Site, bed: Bed, said: dict[str, Any], *, streamed: bool
) -> None:
    done = {"type": "transcript.text.done", "text": "Hi", **said}
    bed.models.all[0].script = lambda _request: as_events(done) if streamed else as_json(done)
    headers = {"content-type": "multipart/form-data; boundary=xYz-1"}
    async with site.client.post("/v1/audio/transcriptions", data=form("model", "file"), headers=headers) as answer:
        assert b"Hi" in await answer.read()
    (outcome,) = bed.meter.outcomes
    assert outcome.seconds == pytest.approx(len(FILE) / 8000, rel=0.05)


async def test_what_is_not_announced_is_known_before_it_is_reserved(site: Site, bed: Bed) -> None:
    await sent(site, form("model", "file"))
    assert bed.meter.calls[0].seconds == pytest.approx(len(FILE) / 1000, rel=0.05)


@pytest.mark.parametrize("order", [("model", "file"), ("file", "model")])
async def test_a_name_makes_no_recording_shorter(site: Site, bed: Bed, order: tuple[str, ...]) -> None:
    body = form(*order).replace(b"a b.mp3", b"a b.wav").replace(b"ID3", b"OggS")
    await sent(site, body, **announced(body))
    assert bed.meter.calls[0].seconds == pytest.approx(len(FILE) / 590, rel=0.05)


@pytest.mark.parametrize(
    ("head", "bits", "counted"),
    [
        (b"OggS", 6_000, 4_000),
        (b"\x1a\x45\xdf\xa3", 6_000, 4_000),
        (b"#!AMR\n", 4_750, 4_000),
        (b"\0\0\0\x18ftyp3gp4", 4_750, 4_000),
        (b"ID3\x04", 8_000, 8_000),
        (b"\xff\xf3", 8_000, 8_000),
        (b"\xff\xe3", 8_000, 4_000),
        (b"fLaC", 32_000, 16_000),
    ],
)
async def test_a_sparse_recording_is_reserved_for_as_long_as_it_may_be(
    site: Site, bed: Bed, head: bytes, bits: int, counted: int
) -> None:
    bed.models.all[0].script = lambda _request: ScriptedAnswer([b"Hi"], 200, {"content-type": "text/plain"})
    recording = head + bytes(200_000)
    body = form("model", "file").replace(FILE, recording)
    headers = {"content-type": "multipart/form-data; boundary=xYz-1"}
    async with site.client.post("/v1/audio/transcriptions", data=body, headers=headers) as answer:
        assert answer.status == 200
    assert bed.meter.calls[0].seconds >= len(recording) * 8 / bits
    (outcome,) = bed.meter.outcomes
    assert outcome.seconds == pytest.approx(len(recording) / counted, rel=0.05)
    assert outcome.usage is not None
    assert outcome.usage.input == pytest.approx(outcome.seconds * TOKENS_PER_SECOND, abs=1)


def wave(form: int, channels: int, samples: int, said: int, sample: int) -> bytes:
    """The head of a WAVE file, behind a chunk that has the look of another one."""
    chunks = b"JUNK" + struct.pack("<I", 24) + b"fmt " + b"\xff" * 20
    chunks += b"fmt " + struct.pack("<IHHIIHH", 16, form, channels, samples, said, sample, 0)
    return b"RIFF" + struct.pack("<I", len(chunks)) + b"WAVE" + chunks


@pytest.mark.parametrize(
    ("head", "rate"),
    [
        (wave(1, 2, 44_100, 176_400, 4), 176_400),
        (wave(1, 1, 8_000, 999_999, 2), 16_000),  # what is said beside has no say
        (wave(7, 1, 8_000, 1, 1), 8_000),  # µ-law, as telephones have it
        (wave(0x31, 1, 8_000, 1_625, 65), 590),  # GSM: what it says may be as little true as of any other
        (wave(0x31, 1, 8_000, 300, 65), 300),
        (wave(1, 2, 4_000_000_000, 1, 60_000), 1_152_000),
        (b"RIFF????WAVEfm", 590),
    ],
)
async def test_a_wave_file_says_how_long_it_is(site: Site, bed: Bed, head: bytes, rate: int) -> None:
    body = form("model", "file").replace(FILE, head + bytes(100_000))
    await sent(site, body, **announced(body))
    assert bed.meter.calls[0].seconds == pytest.approx(100_000 / rate, rel=0.05)


@pytest.mark.parametrize(
    "head",
    [
        'Content-Disposition: form-data; name="mo\0del"',
        "Content-Disposition: form-data; name=x; name*=utf-8''model",
        'X-A: b\nContent-Disposition: form-data; name="model"\r\nContent-Disposition: form-data; name="x"',
        'Content-Disposition: form-data; name="x"\r\nContent-Type: a\rContent-Disposition: form-data; name="model"',
        'Content-Disposition: form-data; name="x\\"; name=\\"model"',
    ],
)
async def test_no_other_model_hides_in_a_header(site: Site, bed: Bed, head: str) -> None:
    hidden = f"--xYz-1\r\n{head}\r\n\r\ndear\r\n".encode()
    status, _ = await sent(site, hidden + form("model", "file"))
    if status == 200:
        request = bed.models.all[0].requests[0]
        assert isinstance(request.body, bytes)
        lines = re.split(rb"[\r\n]+", request.body)
        assert sum(line.startswith(b"Content-Disposition") and b'name="model"' in line for line in lines) == 1
        assert read(request)["model"] == b"parrot"
    else:
        assert status == 400


async def test_no_other_form_hides_behind_a_boundary_that_is_read_otherwise(site: Site, bed: Bed) -> None:
    hidden = form("model", "file", model="dear", boundary="ab")
    start = b"--a\\b\r\nContent-Disposition: form-data; "
    body = start + b'name="model"\r\n\r\nparrot\r\n' + start + b'name="file"; filename="a"\r\n\r\n' + hidden
    status, _ = await sent(site, body + b"\r\n--a\\b--\r\n", boundary='"a\\\\b"')
    assert status in {200, 400}
    for request in bed.models.all[0].requests:
        assert request.content_type.partition("boundary=")[2].isalnum()
        assert read(request)["model"] == b"parrot"


async def test_a_model_is_no_file(site: Site, bed: Bed) -> None:
    extra = b'--xYz-1\r\nContent-Disposition: form-data; name="model"; filename=""\r\n\r\ndear\r\n'
    for body in (
        extra + form("model", "file"),
        form("file", "model")[: -len(b"--xYz-1--\r\n")] + extra + b"--xYz-1--\r\n",
    ):
        status, answer = await sent(site, body)
        assert (status, answer["error"]["param"]) == (400, "model")
    assert not bed.models.all[0].requests


async def test_forms_that_are_none_are_refused(site: Site, bed: Bed) -> None:
    whole = form("model", "file")
    for body, boundary in [(b"", "xYz-1"), (whole[:-10], "xYz-1"), (b"nonsense", "xYz-1")]:
        status, answer = await sent(site, body, boundary=boundary)
        assert (status, answer["error"]["code"]) == (400, "invalid_request")
    assert not bed.meter.outcomes or all(outcome.usage is None for outcome in bed.meter.outcomes)
    status, answer = await site.call("POST", "/v1/audio/transcriptions", {"model": "x"})
    assert (status, answer["error"]["code"]) == (400, "invalid_request")
    status, answer = await sent(site, form("model", "file", model="nobody"))
    assert (status, answer["error"]["code"]) == (404, "model_not_found")


async def test_a_recording_that_is_too_long_is_refused_in_a_way_that_clients_see(site: Site, bed: Bed) -> None:
    async with AsyncOpenAI(base_url=f"http://127.0.0.1:{site.port}/v1", api_key="none", max_retries=0) as client:
        with pytest.raises(APIStatusError, match="at most 20,000,000 bytes") as refused:
            await client.audio.transcriptions.create(model="scripted/parrot", file=("a.wav", b"\0" * 21_000_000))
    assert (refused.value.status_code, refused.value.code) == (413, "too_large")
    assert not bed.models.all[0].requests


async def test_one_without_a_length_that_grows_too_long_is_refused_too(site: Site) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield form("model", "file")[: -len(b"--xYz-1--\r\n") - 2]
        for _ in range(21):
            yield bytes(1_000_000)

    headers = {"content-type": "multipart/form-data; boundary=xYz-1"}
    async with site.client.post("/v1/audio/transcriptions", data=pieces(), headers=headers) as answer:
        assert (answer.status, (await answer.json())["error"]["code"]) == (413, "too_large")


async def test_who_waits_with_too_long_a_recording_is_told_before_it(site: Site, bed: Bed) -> None:
    headers = {
        "content-type": "multipart/form-data; boundary=x",
        "content-length": "20000001",
        "expect": "100-continue",
    }
    answer = await site.raw(
        b"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        + "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
        + b"\r\n"
    )
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"code":"too_large"' in answer
    assert not bed.models.all[0].requests


class CountingTarget:
    """A target that takes a recording in without keeping it."""

    model = Model(id="scripted/parrot", name="parrot", provider="scripted", kind="audio")
    upstream_name = "parrot"

    def __init__(self) -> None:
        self.received = 0
        self.first = asyncio.Event()

    searches = False

    def default_limit(self, _endpoint: str) -> None:
        return None

    async def send(self, request: WireRequest) -> ScriptedAnswer:
        assert not isinstance(request.body, bytes)
        async for piece in request.body:
            self.received += len(piece)
            self.first.set()
        return as_json({"text": "Hi"})


@pytest.mark.parametrize("model_first", [True, False])
async def test_a_recording_is_never_whole_in_memory(tmp_path: Path, *, model_first: bool) -> None:
    size, target = 12_000_000, CountingTarget()
    bed = Bed()
    bed.models.all = (target,)  # type: ignore[assignment] # any target does
    head = b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nparrot\r\n'
    file_head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'

    async def pieces() -> AsyncIterator[bytes]:
        if model_first:
            yield head
        yield file_head
        for _ in range(size // 40_000):
            yield bytes(40_000)
            await asyncio.sleep(0)
        yield b"\r\n" + (b"" if model_first else head) + b"--x--\r\n"

    headers = {"content-type": "multipart/form-data; boundary=x"}
    async with serving(Core(), tmp_path, programs=bed.programs()) as site:
        await site.call("GET", "/v1/models")
        tracemalloc.start()
        try:
            async with site.client.post("/v1/audio/translations", data=pieces(), headers=headers) as answer:
                assert answer.status == 200
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert target.received > size - 40_000
    assert peak < size / 3


async def test_a_client_that_leaves_while_it_sends_ends_the_call(tmp_path: Path) -> None:
    target, bed = CountingTarget(), Bed()
    bed.models.all = (target,)  # type: ignore[assignment] # any target does
    async with serving(Core(), tmp_path, programs=bed.programs()) as site:
        _, writer = await asyncio.open_connection("127.0.0.1", site.port)
        body = form("model", "file")
        writer.write(
            b"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n" % (len(body) + 9999)
            + b"Content-Type: multipart/form-data; boundary=xYz-1\r\n\r\n"
            + body[:5000]
        )
        async with asyncio.timeout(5):
            await target.first.wait()
            writer.close()
            await bed.meter.settled.wait()
    (outcome,) = bed.meter.outcomes
    assert (outcome.usage, outcome.seconds) == (None, 0)  # the upstream never had all of it
