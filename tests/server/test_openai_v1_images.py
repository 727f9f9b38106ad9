"""Pictures that are changed: forms in any order, with what they may cost read wherever it stands."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cores import Core
from gateway.bed import Bed
from server.serving import Site, serving
from server.test_openai_v1_audio import read

from daehwa.conversation.image_tokens import IMAGE_TOKENS
from daehwa.gateway.scripted import ScriptedAnswer, ScriptedTarget, as_json

PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40 + b"\r\n--not the boundary\r\n"
USAGE = {
    "input_tokens": 310,
    "input_tokens_details": {"text_tokens": 10, "image_tokens": 300},
    "output_tokens": 100,
    "total_tokens": 410,
}
MODEL = ("model", b"scripted/parrot")


def part(name: str, value: bytes, filename: str | None = None) -> bytes:
    more = "" if filename is None else f'; filename="{filename}"\r\nContent-Type: image/png'
    return f'--xYz-1\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + value + b"\r\n"


def form(*fields: tuple[str, bytes]) -> bytes:
    """A form of these fields, those with a picture as files."""
    parts = [part(name, value, "a.png" if value.startswith(b"\x89PNG") else None) for name, value in fields]
    return b"".join([*parts, b"--xYz-1--\r\n"])


@pytest.fixture
def bed() -> Bed:
    made = Bed()
    made.models.all[0].script = lambda _request: as_json({"data": [{"b64_json": "x"}] * 2, "usage": USAGE})
    return made


@pytest.fixture
async def site(bed: Bed, tmp_path: Path) -> AsyncIterator[Site]:
    async with serving(Core(), tmp_path, programs=bed.programs()) as made:
        yield made


async def sent(site: Site, body: bytes, *, path: str = "edits", **headers: str) -> tuple[int, Any]:
    headers = {"content-type": "multipart/form-data; boundary=xYz-1", **headers}
    async with site.client.post(f"/v1/images/{path}", data=body, headers=headers) as answer:
        return answer.status, await answer.json()


ORDERS = [
    (MODEL, ("prompt", b"A sea "), ("n", b"2"), ("image[]", PICTURE), ("mask", PICTURE)),
    (("image[]", PICTURE), ("mask", PICTURE), ("prompt", b"A sea "), ("n", b"2"), MODEL),
    (MODEL, ("image[]", PICTURE), ("n", b"2"), ("mask", PICTURE), ("prompt", b"A sea ")),
    (("n", b"1"), MODEL, ("image[]", PICTURE), ("mask", PICTURE), ("n", b"2"), ("prompt", b"A sea ")),
    (("n", b"2"), MODEL, ("image[]", PICTURE), ("mask", PICTURE), ("n", b"1"), ("prompt", b"A sea ")),
]


@pytest.mark.parametrize("fields", ORDERS)
@pytest.mark.parametrize("path", ["edits", "variations"])
async def test_a_form_goes_through_in_any_order_and_all_that_it_asks_for_is_reserved(
    site: Site, bed: Bed, fields: tuple[tuple[str, bytes], ...], path: str
) -> None:
    status, answer = await sent(site, form(*fields), path=path)
    assert (status, len(answer["data"])) == (200, 2)
    got = read(bed.models.all[0].requests[0])
    assert {name: got[name] for name in ("model", "prompt", "image[]", "mask")} == {
        "model": b"parrot",
        "prompt": b"A sea ",
        "image[]": PICTURE,
        "mask": PICTURE,
    }
    (call,) = bed.meter.calls
    assert (call.kind, call.choices, call.images) == ("image", 2, 2)
    assert 2 * IMAGE_TOKENS < call.input_tokens < 2 * IMAGE_TOKENS + 50
    (outcome,) = bed.meter.outcomes
    assert (outcome.images, outcome.shown) == (2, 300)


async def test_pictures_that_are_only_named_count_and_so_do_partial_ones(site: Site, bed: Bed) -> None:
    named = (MODEL, ("image[]", b"https://a.example/1.png"), ("image[]", b"file-2"), ("partial_images", b"3"))
    assert (await sent(site, form(*named)))[0] == 200
    (call,) = bed.meter.calls
    assert call.input_tokens > 2 * IMAGE_TOKENS
    assert (call.partial_images, call.choices) == (3, 1)


async def test_each_picture_counts_whatever_it_is_called_and_in_whatever_letters(site: Site, bed: Bed) -> None:
    named = (MODEL, ("IMAGE", b"https://a.example/1.png"), ("image", b"https://a.example/2.png"), ("other", PICTURE))
    assert (await sent(site, form(*named)))[0] == 200
    assert 3 * IMAGE_TOKENS < bed.meter.calls[0].input_tokens < 4 * IMAGE_TOKENS


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ((("n", b"0"),), "n"),
        ((("n", b"-1"),), "n"),
        ((("n", b"1e3"),), "n"),
        ((("n", b"2.0"),), "n"),
        ((("n", b" 2"),), "n"),
        ((("n", "\u0662".encode()),), "n"),
        ((("n", b"9" * 5000),), "n"),
        ((("n", b""),), "n"),
        ((("n", b"\xff"),), "n"),
        ((("n", b"1"), ("n", b"99999")), "n"),
        ((("partial_images", b"-1"),), "partial_images"),
        ((("partial_images", b"101"),), "partial_images"),
        *(((("n", b"1"), (name, b"9")), "n") for name in ("N", "n[]", "n ", " n", "N []")),
        ((("Model", b"dear"),), "model"),
        ((("model[]", b"dear"),), "model"),
        ((("model", PICTURE),), "model"),
        ((("n", PICTURE),), "n"),
        ((("prompt", PICTURE),), "prompt"),
    ],
)
@pytest.mark.parametrize("is_first", [True, False])
async def test_what_cannot_be_meant_is_refused_and_reserves_nothing(
    site: Site, bed: Bed, fields: tuple[tuple[str, bytes], ...], param: str, *, is_first: bool
) -> None:
    beside = (MODEL, ("image", PICTURE))
    status, answer = await sent(site, form(*(*fields, *beside) if is_first else (*beside, *fields)))
    assert (status, answer["error"]["param"]) == (400, param)
    assert bed.meter.calls == []
    assert bed.models.all[0].requests == []


async def test_of_two_models_one_is_sent_and_it_is_the_one_that_was_allowed(site: Site, bed: Bed) -> None:
    fields = (("model", b"dear"), ("image", PICTURE), ("prompt", b"A sea"), MODEL)
    assert (await sent(site, form(*fields)))[0] == 200
    body = bed.models.all[0].requests[0].body
    assert isinstance(body, bytes)
    assert body.count(b'name="model"') == 1
    assert read(bed.models.all[0].requests[0])["model"] == b"parrot"


async def test_names_that_would_end_a_line_end_none(site: Site, bed: Bed) -> None:
    evil = part("image", PICTURE, 'a%0D%0A"; name="model"; x="')
    status, _ = await sent(site, part("model", b"scripted/parrot") + evil + b"--xYz-1--\r\n")
    assert status in {200, 400}
    if status == 200:
        body = bed.models.all[0].requests[0].body
        assert isinstance(body, bytes)
        assert body.count(b'name="model"') == 1


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b'{"model":"scripted/parrot","prompt":"A sea"}'),
        ("multipart/form-data; boundary=xYz-1", form(MODEL, ("image", PICTURE))[:-60]),
        ("multipart/form-data", form(MODEL)),
        ("multipart/form-data; boundary=xYz-1", b""),
    ],
)
async def test_what_is_no_form_is_told_so(site: Site, bed: Bed, kind: str, body: bytes) -> None:
    status, answer = await sent(site, body, **{"content-type": kind})
    assert (status, answer["error"]["type"]) == (400, "invalid_request_error")
    assert bed.meter.calls == []


async def test_the_same_form_under_the_same_key_is_made_once_and_another_is_refused(site: Site, bed: Bed) -> None:
    fields = (MODEL, ("image", PICTURE), ("prompt", b"A sea"))
    key = {"idempotency-key": "once"}
    assert await sent(site, form(*fields), **key) == await sent(site, form(*fields), **key)
    assert len(bed.meter.calls) == 1
    assert (await sent(site, form(*fields, ("n", b"2")), **key))[0] == 409


async def test_the_next_upstream_is_sent_the_same_form(tmp_path: Path) -> None:
    first = ScriptedTarget(lambda _: as_json({"error": {"message": "Overloaded."}}, 503), name="first")
    second = ScriptedTarget(lambda _: as_json({"data": [{"b64_json": "x"}], "usage": USAGE}), name="second")
    bed = Bed(first, second)
    async with serving(Core(), tmp_path, programs=bed.programs()) as site:
        fields = (("model", b"any"), ("image", PICTURE), ("prompt", b"A sea"))
        assert (await sent(site, form(*fields)))[0] == 200
    sizes = [read(target.requests[0]) for target in (first, second)]
    assert [each.pop("model") for each in sizes] == [b"first", b"second"]
    assert sizes[0] == sizes[1]


async def test_a_client_that_leaves_ends_the_call(tmp_path: Path) -> None:
    never = asyncio.Event()
    target = ScriptedTarget(lambda _: ScriptedAnswer([never]))
    bed = Bed(target)
    async with serving(Core(), tmp_path, programs=bed.programs()) as site:
        asking = asyncio.create_task(sent(site, form(MODEL, ("image", PICTURE))))
        async with asyncio.timeout(10):
            while not target.answers:  # noqa: ASYNC110 - what has come sets no event
                await asyncio.sleep(0.01)
            asking.cancel()
            await target.answers[0].closed.wait()
            await bed.meter.settled.wait()
    (outcome,) = bed.meter.outcomes
    assert outcome.usage is not None
    assert outcome.usage.estimated
    assert outcome.shown == IMAGE_TOKENS
