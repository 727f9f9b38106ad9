"""Parameters read from a server that says exactly what SSM says: found, missing, refused, changed, out of order."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from wire_server import Line, Talk, WireServer

from daehwa.aws.credentials import LentCredentials, known_credentials
from daehwa.aws.parameter_store import KeptParameter, ParameterStore, UpstreamKey
from daehwa.aws.signature import AwsCredentials
from daehwa.conversation.errors import KeyNotSet, ProviderUnavailableError, StoreError
from daehwa.http_client.client import HttpClient

NAME = "/daehwa/openai-key"
KEY = "sk-very-secret-0123456789"
KEYS = AwsCredentials(access_key="AKID", secret_key="hidden", session_token="also hidden")
MISSING = 400, {"__type": "ParameterNotFound"}
DENIED = 400, {"__type": "com.amazonaws.ssm#AccessDeniedException", "Message": f"role/x may not read {KEY}"}
BUSY = 400, {"__type": "ThrottlingException", "message": "Rate exceeded"}


def found(value: str) -> tuple[int, object]:
    return 200, {"Parameter": {"Name": NAME, "Type": "SecureString", "Value": value, "Version": 3}}


class Ssm:
    """Plays answers, the last again and again; `heads` and `bodies` are what it was asked."""

    def __init__(self, *answers: tuple[int, object]) -> None:
        self.answers = list(answers)
        self.heads: list[str] = []
        self.bodies: list[object] = []

    async def talk(self, line: Line) -> None:
        while True:
            head = (await line.reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = next(int(row.split(":")[1]) for row in head.split("\r\n") if row.startswith("content-length:"))
            self.heads.append(head)
            self.bodies.append(json.loads(await line.reader.readexactly(length)))
            status, answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            body = json.dumps(answer).encode()
            await line.say(b"HTTP/1.1 %d Said\r\ncontent-length: %d\r\n\r\n" % (status, len(body)) + body)


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    client = HttpClient(connect_seconds=2)
    yield client
    await client.aclose()


def store(http: HttpClient, server: WireServer) -> ParameterStore:
    endpoint = server.base_url.removesuffix("/v1")
    return ParameterStore(http, region="us-east-1", credentials=known_credentials(KEYS), endpoint=endpoint)


async def test_a_parameter_is_asked_for_decrypted_and_signed(http: HttpClient) -> None:
    ssm = Ssm(found(f" {KEY}\n"))
    async with WireServer(ssm.talk) as server:
        assert await store(http, server).read(NAME) == KEY
    assert ssm.bodies == [{"Name": NAME, "WithDecryption": True}]
    assert ssm.heads[0].startswith("post / http/1.1\r\n")
    for said in (
        "x-amz-target: amazonssm.getparameter\r\n",
        "content-type: application/x-amz-json-1.1\r\n",
        "x-amz-security-token: also hidden\r\n",
        "/us-east-1/ssm/aws4_request, signedheaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, ",
    ):
        assert said in ssm.heads[0]


async def test_it_is_kept_for_five_minutes_and_read_once_by_many(http: HttpClient) -> None:
    now = 1000.0
    ssm = Ssm(found(KEY), found("sk-the-next"))
    async with WireServer(ssm.talk) as server:
        kept = KeptParameter(store(http, server), NAME, clock=lambda: now)
        assert await asyncio.gather(*(kept.read() for _ in range(20))) == [KEY] * 20
        now += 299
        assert await kept.read() == KEY
        assert len(ssm.bodies) == 1
        now += 2
        assert await kept.read() == "sk-the-next"


@pytest.mark.parametrize("missing", [MISSING, (400, {"__type": "com.amazonaws.ssm#ParameterNotFound"}), found(" ")])
async def test_one_that_is_set_works_within_seconds(http: HttpClient, missing: tuple[int, object]) -> None:
    now = 1000.0
    ssm = Ssm(missing, found(KEY))
    async with WireServer(ssm.talk) as server:
        key = UpstreamKey(KeptParameter(store(http, server), NAME, clock=lambda: now))
        for _ in range(3):
            with pytest.raises(KeyNotSet, match="daehwa deploy set-key"):
                await key.read()
        assert len(ssm.bodies) == 1
        now += 2.5
        assert await key.read() == KEY


async def test_a_key_that_is_not_accepted_is_read_anew(http: HttpClient) -> None:
    ssm = Ssm(found(KEY), found("sk-rotated"))
    async with WireServer(ssm.talk) as server:
        key = UpstreamKey(KeptParameter(store(http, server), NAME))
        assert await key.read() == KEY
        key.forget()
        assert await key.read() == "sk-rotated"


@pytest.mark.parametrize("fault", [BUSY, (500, {"__type": "InternalServerError"}), (503, "not an object")])
async def test_a_fault_that_passes_is_tried_again(http: HttpClient, fault: tuple[int, object]) -> None:
    ssm = Ssm(fault, fault, fault, found(KEY))
    async with WireServer(ssm.talk) as server:
        assert await store(http, server).read(NAME) == KEY


@pytest.mark.parametrize(
    ("answers", "asked", "sentence"),
    [([DENIED], 1, "AccessDeniedException"), ([BUSY], 4, "ThrottlingException"), ([(502, [])], 4, "502")],
)
async def test_a_fault_that_stays_is_named_without_its_text(
    http: HttpClient, answers: list[tuple[int, object]], asked: int, sentence: str
) -> None:
    ssm = Ssm(*answers)
    async with WireServer(ssm.talk) as server:
        kept = KeptParameter(store(http, server), NAME)
        with pytest.raises(ProviderUnavailableError, match=sentence) as caught:
            await UpstreamKey(kept).read()
        assert KEY not in caught.value.message
        assert len(ssm.bodies) == asked
        with pytest.raises(StoreError, match=sentence):
            await kept.read()


@pytest.mark.parametrize("answer", [{"Parameter": KEY}, {}, [KEY]])
async def test_an_answer_that_cannot_be_read_is_not_shown(http: HttpClient, answer: object) -> None:
    async with WireServer(Ssm((200, answer)).talk) as server:
        with pytest.raises(StoreError, match="cannot be read") as caught:
            await store(http, server).read(NAME)
        assert KEY not in f"{caught.value} {caught.value.__cause__}"


async def test_a_store_that_is_not_there(http: HttpClient, unused_tcp_port: int) -> None:
    nowhere = ParameterStore(
        http, region="us-east-1", credentials=known_credentials(KEYS), endpoint=f"http://127.0.0.1:{unused_tcp_port}"
    )
    with pytest.raises(StoreError, match="cannot be asked"):
        await nowhere.read(NAME)


async def test_what_is_known_serves_on_while_aws_cannot_be_asked(http: HttpClient) -> None:
    now = 1000.0
    ssm = Ssm(found(KEY), DENIED, found("sk-the-next"))
    async with WireServer(ssm.talk) as server:
        kept = KeptParameter(store(http, server), NAME, clock=lambda: now)
        assert await kept.read() == KEY
        kept.forget()
        assert [await kept.read() for _ in range(3)] == [KEY] * 3
        assert len(ssm.bodies) == 2
        now += 11
        assert await kept.read() == "sk-the-next"


async def test_a_clock_that_was_set_back_keeps_nothing_longer(http: HttpClient) -> None:
    now = 10_000.0
    ssm = Ssm(found(KEY), found("sk-the-next"))
    async with WireServer(ssm.talk) as server:
        kept = KeptParameter(store(http, server), NAME, clock=lambda: now)
        assert await kept.read() == KEY
        now -= 1
        assert await kept.read() == "sk-the-next"


# ---------------------------------------------------------------- credentials after a start from a snapshot


def lending(*expirations: datetime) -> Talk:
    left = list(expirations)

    async def talk(line: Line) -> None:
        while True:
            head = await line.request()
            status = 200 if b"authorization: let me\r\n" in head else 403
            said = {"AccessKeyId": f"A{len(left)}", "SecretAccessKey": "s", "Token": "t"}
            body = json.dumps({**said, "Expiration": left.pop(0).isoformat()}).encode()
            await line.say(b"HTTP/1.1 %d Said\r\ncontent-length: %d\r\n\r\n" % (status, len(body)) + body)

    return talk


async def test_lent_credentials_are_renewed_before_they_end(http: HttpClient) -> None:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    hour = timedelta(hours=1)
    async with WireServer(lending(now + hour, now + 2 * hour)) as server:
        lent = LentCredentials(http, server.base_url, "let me", clock=lambda: now)
        assert (await lent()).access_key == "A2"
        now += timedelta(minutes=49)
        assert (await lent()).access_key == "A2"
        now += timedelta(minutes=2)
        assert (await lent()).access_key == "A1"


async def test_credentials_that_are_not_lent(http: HttpClient) -> None:
    async with WireServer(lending(datetime(2026, 11, 22, tzinfo=UTC))) as server:
        with pytest.raises(StoreError, match="403"):
            await LentCredentials(http, server.base_url, None)()


async def test_what_is_no_credentials_is_told_without_its_text(http: HttpClient) -> None:
    async def talk(line: Line) -> None:
        await line.request()
        await line.say(b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n{hidden}")

    async with WireServer(talk) as server:
        with pytest.raises(StoreError, match="cannot be read") as caught:
            await LentCredentials(http, server.base_url, None)()
        assert "hidden" not in caught.value.message
