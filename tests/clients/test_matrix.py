"""Each endpoint, streamed and not, with each error of the upstream: what comes through, and what the ledger says."""

import asyncio
from collections.abc import Iterator
from typing import Any, NamedTuple

import aiohttp
import pytest
from clients.asks import HELLO, RECORDING
from clients.home import Home, a_home
from clients.known_differences import differences, without_own_headers
from openai_like.faults import HANGS_SECONDS, MIDWAY, STATUSES
from openai_like.server import Door
from upstream import CUT, Answer, FakeUpstream

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Case(NamedTuple):
    """An endpoint and what it is asked; `model` is added."""

    endpoint: str
    body: dict[str, Any]


_MESSAGES = {"messages": HELLO["messages"]}
_JSON = {
    "chat/completions": _MESSAGES,
    "completions": {"prompt": "Once"},
    "responses": {"input": "Hello", "max_output_tokens": 50},
    "images/generations": {"prompt": "A sea"},
}
CASES = [
    *(Case(endpoint, body) for endpoint, body in _JSON.items()),
    *(Case(endpoint, {**body, "stream": True}) for endpoint, body in _JSON.items()),
    Case("embeddings", {"input": "one"}),
    Case("audio/transcriptions", {"file": RECORDING}),
    Case("audio/transcriptions", {"file": RECORDING, "stream": "true"}),
    Case("audio/translations", {"file": RECORDING}),
    Case("images/edits", {"image": RECORDING, "prompt": "A sea", "n": "2"}),
    Case("images/edits", {"image": RECORDING, "prompt": "A sea", "stream": "true"}),
    Case("images/variations", {"image": RECORDING}),
    Case("audio/speech", {"input": "A quiet sea", "voice": "coral"}),
    Case("audio/speech", {"input": "A quiet sea", "voice": "coral", "stream_format": "sse"}),
    Case("moderations", {"input": "Hello"}),
]
CLIENT_ERRORS = ("fails-400", "fails-403", "fails-404", "fails-409", "fails-413", "fails-422", "fails-429")
SERVER_ERRORS = ("fails-500", "fails-503", "fails-html")
OUR_KEYS = ("fails-401", "fails-403-key")


class Came(NamedTuple):
    """What came, as bytes. `broke`: the connection ended before the answer."""

    status: int
    headers: dict[str, str]
    body: bytes
    broke: bool

    @property
    def record(self) -> dict[str, Any]:
        """The same as plain data."""
        return {**self._asdict(), "body": self.body.decode("utf-8", "replace")}


def _form(body: dict[str, Any]) -> aiohttp.FormData:
    form = aiohttp.FormData()
    for name, value in body.items():
        if isinstance(value, bytes):
            form.add_field(name, value, filename="speech.wav", content_type="audio/wav")
        else:
            form.add_field(name, value)
    return form


async def ask(client: aiohttp.ClientSession, door: Door, model: str, case: Case) -> Came:
    body = {**case.body, "model": model}
    sent: dict[str, Any] = {"data": _form(body)} if RECORDING in body.values() else {"json": body}
    headers = {"Authorization": f"Bearer {door.api_key}"}
    async with client.post(f"{door.base_url}/{case.endpoint}", headers=headers, **sent) as answer:
        came, broke = b"", False
        try:
            async for piece in answer.content.iter_any():
                came += piece
        except aiohttp.ClientError:
            broke = True
        names = {name.lower(): text for name, text in answer.headers.items()}
        return Came(answer.status, names, came, broke)


def _named(case: Case) -> str:
    return f"{case.endpoint}{', streamed' if _is_streamed(case) else ''}"


def _is_streamed(case: Case) -> bool:
    return bool(case.body.get("stream") or case.body.get("stream_format"))


async def _both(direct: Door, through: Door, model: str) -> list[tuple[Case, Came, Came]]:
    seen = []
    async with aiohttp.ClientSession() as client:
        for case in CASES:
            seen.append(
                (case, *await asyncio.gather(ask(client, direct, model, case), ask(client, through, model, case)))
            )
            if model not in CLIENT_ERRORS:  # five faults of an upstream in a row would open its circuit
                assert (await ask(client, through, "talks", CASES[0])).status == 200
        assert (await ask(client, through, "talks", CASES[0])).status == 200
    return seen


def _differing(seen: list[tuple[Case, Came, Came]]) -> Iterator[str]:
    for case, directly, through in seen:
        lines = differences(without_own_headers(directly.record), without_own_headers(through.record))
        yield from (f"{_named(case)}{line}" for line in lines)


@pytest.mark.parametrize("model", ["talks", "fails-slow"])
async def test_what_goes_well_goes_through_byte_by_byte(direct: Door, through: Door, home: Home, model: str) -> None:
    before = await home.spent()
    seen = await _both(direct, through, model)
    assert {came.status for _, came, _ in seen} == {200}
    assert list(_differing(seen)) == []
    after = await home.spent()
    assert (after.failed, after.reserved) == (before.failed, 0)
    assert after.cost > before.cost


@pytest.mark.parametrize("model", [*CLIENT_ERRORS, *SERVER_ERRORS])
async def test_errors_of_the_upstream_go_through_byte_by_byte_and_cost_nothing(
    direct: Door, through: Door, home: Home, model: str
) -> None:
    before = await home.rows()
    seen = await _both(direct, through, model)
    assert {came.status for _, came, _ in seen} == {STATUSES[model]}
    assert list(_differing(seen)) == []
    _check_failed(before, await home.rows(), model)


@pytest.mark.parametrize("model", OUR_KEYS)
async def test_that_our_key_is_refused_is_said_in_the_same_words_everywhere(
    direct: Door, through: Door, home: Home, model: str
) -> None:
    before = await home.rows()
    seen = await _both(direct, through, model)
    assert {came.status for _, _, came in seen} == {502}
    assert all(
        b'"code":"upstream_auth"' in came.body and direct.api_key.encode() not in came.body for _, _, came in seen
    )
    _check_failed(before, await home.rows(), model)


@pytest.mark.parametrize("model", MIDWAY)
async def test_what_breaks_off_is_counted_as_far_as_it_came(
    direct: Door, through: Door, home: Home, model: str
) -> None:
    before = await home.rows()
    seen = await _both(direct, through, model)
    for case, directly, came in seen:
        if _is_streamed(case):
            assert came.status == 200, _named(case)
            assert came.body.startswith(directly.body), _named(case)
            assert b'"error"' in came.body, _named(case)
        elif model == "fails-cut" and case.endpoint == "audio/speech":
            assert came == directly._replace(headers=came.headers), "it breaks off here too: words would be no sound"
            assert (came.status, came.broke) == (200, True)
        elif model == "fails-cut":
            assert came.status == 502, _named(case)
            assert b'"code":"upstream_cut"' in came.body, _named(case)
        else:
            assert (came.status, came.body) == (directly.status, directly.body), _named(case)
    calls, failed, _, reserved = _grown(before, await home.rows(), model)
    assert (calls, reserved) == (len(CASES), 0)
    assert failed == len(CASES), "an entry with the error each"


def _grown(before: list[dict[str, Any]], after: list[dict[str, Any]], model: str) -> tuple[int, ...]:
    """Return how much a model's rows have grown: calls, failed, cost, reserved."""
    sums = [
        [sum(row[name] for row in rows if row["model"] == f"double/{model}") for name in _SUMS]
        for rows in (before, after)
    ]
    return tuple(late - early for early, late in zip(*sums, strict=True))


_SUMS = ("calls", "failed", "cost", "reserved")


def _check_failed(before: list[dict[str, Any]], after: list[dict[str, Any]], model: str) -> None:
    """Each call has an entry with its error; none costs anything, and nothing stays reserved."""
    assert _grown(before, after, model) == (len(CASES), len(CASES), 0, 0)
    assert sum(row["reserved"] for row in after) == 0


CLOSED_PORT = 9
_UNANSWERED = {
    "gone": (502, "upstream_unreachable"),
    "mute": (502, "upstream_unreachable"),
    "late": (504, "upstream_timeout"),
}
_SILENT = """
[[providers]]
name = "silent{number}"
base_url = "{base_url}"
models = ["silent"]
first_byte_timeout = 0.3

[[prices]]
model = "silent{number}/*"
input = 2
output = 8
per_minute = 0.6
per_image = 0.04
"""


@pytest.mark.parametrize("how", _UNANSWERED)
async def test_an_upstream_that_gives_no_answer_is_told_of_in_the_same_words_everywhere(
    tmp_path_factory: pytest.TempPathFactory, how: str
) -> None:
    silence = Answer(before=HANGS_SECONDS) if how == "late" else Answer([CUT], framing="raw")
    status, code = _UNANSWERED[how]
    async with FakeUpstream(silence) as upstream, aiohttp.ClientSession() as client:
        base_url = f"http://127.0.0.1:{CLOSED_PORT}/v1" if how == "gone" else upstream.base_url
        # A provider each: five faults of one in a row would open its circuit.
        tables = "".join(_SILENT.format(number=number, base_url=base_url) for number in range(len(CASES)))
        async with a_home(tmp_path_factory.mktemp(how), tables=tables) as home:
            door = Door(home.base_url, (await home.make_key(how, total=9_000_000))["secret"])
            for number, case in enumerate(CASES):
                came = await ask(client, door, f"silent{number}/silent", case)
                assert came.status == status, (_named(case), came)
                assert f'"code":"{code}"'.encode() in came.body, (_named(case), came)
            spent = await home.spent()
            assert (spent.calls, spent.failed, spent.reserved) == (len(CASES), len(CASES), 0)
            assert (spent.cost > 0) is (how == "late"), "only who was late has read the prompt"


_ROUTES = """
[[routes]]
name = "refused-first"
targets = ["double/fails-400", "double/talks"]

[[routes]]
name = "broken-first"
targets = ["double/fails-503", "double/talks"]
"""


async def test_who_asks_wrongly_is_told_so_and_nobody_else_is_asked(tmp_path_factory: pytest.TempPathFactory) -> None:
    async with a_home(tmp_path_factory.mktemp("routes"), tables=_ROUTES) as home, aiohttp.ClientSession() as client:
        door = Door(home.base_url, (await home.make_key("routes", total=9_000_000))["secret"])
        assert (await ask(client, door, "refused-first", CASES[0])).status == 400
        assert len(home.upstream.turns) == 1
        assert (await ask(client, door, "broken-first", CASES[0])).status == 200
        assert [turn.json["model"] for turn in home.upstream.turns[1:]] == ["fails-503", "talks"]
        assert (await home.spent()).reserved == 0


async def test_the_circuit_opens_for_faults_and_closes_again(tmp_path_factory: pytest.TempPathFactory) -> None:
    async with a_home(tmp_path_factory.mktemp("circuit")) as home, aiohttp.ClientSession() as client:
        door = Door(home.base_url, (await home.make_key("circuit", total=9_000_000))["secret"])
        for _ in range(5):
            assert (await ask(client, door, "fails-503", CASES[0])).status == 503
        refused = await ask(client, door, "talks", CASES[0])
        assert refused.status == 503
        assert b'"code":"upstream_unavailable"' in refused.body
        assert int(refused.headers["retry-after"]) >= 1
        assert len(home.upstream.turns) == 5, "it is not asked"
        await asyncio.sleep(1.1)
        assert (await ask(client, door, "talks", CASES[0])).status == 200
        assert (await home.spent()).reserved == 0
