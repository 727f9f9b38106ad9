"""The function wired by its environment alone, with a double in place of AWS's services."""

import json
from collections.abc import AsyncIterator

import pytest
from aws.test_start import FUNCTION
from wire_server import Line, WireServer

from daehwa.conversation.errors import ConversationNotFound, KeyNotSet, StoreError
from daehwa.conversation.ids import new_id
from daehwa.services.aws import FunctionServices
from daehwa.settings import load_aws_surroundings, load_settings

LENT = {"AccessKeyId": "ALENT", "SecretAccessKey": "s", "Token": "t", "Expiration": "2099-01-01T00:00:00Z"}


class Aws:
    """Lends credentials to who brings the word, holds an empty table and no parameters; `heads` are the requests."""

    def __init__(self) -> None:
        self.heads: list[str] = []

    async def talk(self, line: Line) -> None:
        while True:
            head = (await line.reader.readuntil(b"\r\n\r\n")).decode()
            lengths = [int(row.split(":")[1]) for row in head.lower().split("\r\n") if row.startswith("content-length")]
            await line.reader.readexactly(sum(lengths))
            self.heads.append(head)
            status, answer = self._answer(head)
            body = json.dumps(answer).encode()
            await line.say(b"HTTP/1.1 %d Said\r\ncontent-length: %d\r\n\r\n" % (status, len(body)) + body)

    def _answer(self, head: str) -> tuple[int, object]:
        if head.startswith("GET /lent "):
            return (200, LENT) if "authorization: let me\r\n" in head else (403, {})
        return (200, {"Items": [], "Count": 0}) if "DynamoDB" in head else (400, {"__type": "ParameterNotFound"})


@pytest.fixture
async def aws() -> AsyncIterator[tuple[Aws, str]]:
    aws = Aws()
    async with WireServer(aws.talk) as server:
        yield aws, server.base_url.removesuffix("/v1")


def services(**told: str) -> FunctionServices:
    known = {name: text for name, text in FUNCTION.items() if not name.endswith("KEY_ID") and "SECRET" not in name}
    given = {**known, **told}
    ours = {name: text for name, text in given.items() if name.startswith("DAEHWA_")}
    return FunctionServices(load_settings(environment=ours), load_aws_surroundings(given))


async def test_after_a_snapshot_every_service_is_asked_by_what_one_address_lends(aws: tuple[Aws, str]) -> None:
    asked, address = aws
    lent = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{address}/lent", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "let me"}
    function = services(AWS_ENDPOINT_URL=address, **lent)
    with pytest.raises(ConversationNotFound):
        await function.store.get_conversation("me", new_id())
    assert await function.catalogue.models() == []
    assert function.catalogue.problems()["openai"].type == "key_not_set"
    await function.aclose()
    first, *others = asked.heads
    assert first.startswith("GET /lent ")
    assert [("Credential=ALENT/" in head, "GET /lent" in head) for head in others] == [(True, False)] * len(others)
    assert {"dynamodb", "ssm"} == {head.partition("/us-east-1/")[2].partition("/")[0] for head in others}


async def test_credentials_that_are_not_lent_are_told_at_once(aws: tuple[Aws, str]) -> None:
    asked, address = aws
    function = services(AWS_ENDPOINT_URL=address, AWS_CONTAINER_CREDENTIALS_FULL_URI=f"{address}/lent")
    with pytest.raises(StoreError, match=r"credentials cannot be read \(403\)"):
        await function.store.get_conversation("me", new_id())
    assert len(asked.heads) == 1, "and nobody else is asked for some"
    await function.aclose()


async def test_a_route_is_known_here_too_and_offered_once_there_is_a_key(aws: tuple[Aws, str]) -> None:
    _, address = aws
    lent = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{address}/lent", "AWS_CONTAINER_AUTHORIZATION_TOKEN": "let me"}
    told = {"DAEHWA_MODELS": "one,two", "DAEHWA_ROUTES": "fast two one"}
    function = services(AWS_ENDPOINT_URL=address, **lent, **told)
    assert await function.catalogue.models() == []
    with pytest.raises(KeyNotSet):
        await function.catalogue.resolve("fast")
    await function.aclose()
