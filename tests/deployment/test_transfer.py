"""What a person types on a laptop reaches the table on AWS: conversations, keys; moto's server plays AWS."""

import asyncio
import contextlib
import hashlib
import json
import os
import re
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
from deployment.conftest import LIMIT_SECONDS, PROGRAM, REGION, Account, Ended
from stores.asking import ask

from daehwa.accounts.keys import ApiKey
from daehwa.accounts.ledger import Entry
from daehwa.accounts.people import Profile, User
from daehwa.conversation.archive_ports import ConversationRecord
from daehwa.conversation.ids import new_id, now_ms
from daehwa.conversation.messages import Usage
from daehwa.data_folder import DataFolder
from daehwa.services.archives import OpenArchive
from daehwa.services.local import OWNER
from daehwa.stores.dynamodb_accounts import DynamoAccounts
from daehwa.stores.dynamodb_client import DynamoTable
from daehwa.stores.dynamodb_credentials import GivenCredentials
from daehwa.stores.dynamodb_keys import DynamoKeys
from daehwa.stores.dynamodb_ledger import DynamoLedger
from daehwa.stores.dynamodb_table import LIST, LISTED, LISTS, ORDER, PARTITION_KEY, SORT_KEY

TABLE = "daehwa-kept-table"
KEYS = (PARTITION_KEY, SORT_KEY, LIST, ORDER)


def run(account: Account, *arguments: str) -> Ended:
    inherited = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    ended = subprocess.run(  # noqa: S603 - our own program
        [*PROGRAM, *arguments],
        cwd=account.home,
        env={**inherited, "HOME": str(account.home), **account.variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def schema(partition: str, sort: str) -> list[dict[str, str]]:
    return [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]


def make_table(account: Account) -> None:
    account.client("dynamodb").create_table(
        TableName=TABLE,
        KeySchema=schema(PARTITION_KEY, SORT_KEY),
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in KEYS],
        BillingMode="PAY_PER_REQUEST",
        GlobalSecondaryIndexes=[
            {
                "IndexName": LISTS,
                "KeySchema": schema(LIST, ORDER),
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(LISTED)},
            }
        ],
    )


async def testing_key() -> tuple[str, str, str | None]:
    return "testing", "testing", None


@contextlib.asynccontextmanager
async def table_of(account: Account) -> AsyncIterator[DynamoTable]:
    table = DynamoTable.connect(
        table=TABLE,
        region=REGION,
        endpoint=account.address,
        credentials=GivenCredentials(testing_key),
    )
    try:
        yield table
    finally:
        await table.aclose()


async def person(account: Account, email: str) -> User:
    profile = Profile(issuer="https://issuer.example", subject=email, email=email, name="")
    async with table_of(account) as table:
        return await DynamoAccounts(table).sign_in(profile, role=None, now=now_ms())


async def key_of(account: Account, text: str) -> ApiKey | None:
    async with table_of(account) as table:
        return await DynamoKeys(table).find_key(hashlib.sha256(text.encode()).hexdigest())


async def fill(folder: DataFolder) -> list[ConversationRecord]:
    folder.prepare()
    opened = await OpenArchive.local(folder)
    for number in range(12):
        await ask(opened.archive, f"question {number} 질문", "answer " * 50, owner=OWNER)  # type: ignore[arg-type] # a store
    return await records(opened)


async def records(opened: OpenArchive) -> list[ConversationRecord]:
    try:
        return [record async for record in opened.archive.export_conversations(None)]
    finally:
        await opened.aclose()


async def used(account: Account, key: ApiKey) -> None:
    async with table_of(account) as table:
        entry = Entry(id=new_id(), created=now_ms(), user=key.user, kind="chat", model="a/b", key=key.id)
        await DynamoLedger(table).settle(msgspec.structs.replace(entry, usage=Usage(cost=7)))


def test_all_conversations_go_to_aws_and_come_back_the_same(account: Account, tmp_path: Path) -> None:
    make_table(account)
    here = DataFolder(tmp_path / "here")
    before = asyncio.run(fill(here))
    out = run(account, "export", "all.jsonl", "--data-dir", str(here.path))
    assert out.code == 0, out.said
    refused = run(account, "import", "all.jsonl", "--table", TABLE)
    assert "of a home where nobody signs in, and here people do" in refused.said
    assert "once that person has signed in" in refused.said
    nobody = run(account, "import", "all.jsonl", "--table", TABLE, "--owner", OWNER)
    assert "Nobody here is known as 'owner'" in nobody.said
    asyncio.run(person(account, "kim@example.org"))
    sent = run(account, "import", "all.jsonl", "--table", TABLE, "--owner", "kim@example.org")
    assert "12 added, 0 brought up to date, 0 there already" in sent.said
    again = run(account, "import", "all.jsonl", "--table", TABLE, "--owner", "kim@example.org")
    assert "0 added, 0 brought up to date, 12 there already" in again.said
    back = run(account, "export", "back.jsonl", "--table", TABLE, "--owner", "kim@example.org")
    assert back.code == 0, back.said
    other = DataFolder(tmp_path / "other")
    came = run(account, "import", "back.jsonl", "--data-dir", str(other.path), "--owner", OWNER)
    assert "12 added" in came.said
    after = asyncio.run(records(asyncio.run(OpenArchive.local(other))))
    assert [msgspec.json.encode(record) for record in after] == [msgspec.json.encode(record) for record in before]


def test_keys_of_people_on_aws_are_made_listed_and_revoked_from_here(account: Account) -> None:
    make_table(account)
    nobody = run(account, "key", "create", "script", "--table", TABLE, "--user", "kim@example.org")
    assert (nobody.code, "kim@example.org" in nobody.said, "Traceback" in nobody.said) == (2, True, False)
    kim = asyncio.run(person(account, "kim@example.org"))
    made = run(account, "key", "create", "script", "--month", "2.50", "--table", TABLE, "--user", "kim@example.org")
    assert made.code == 0, made.said
    text = made.out.strip()
    assert re.fullmatch(r"dh_\w{8}_\w{32,}", text)
    kept = asyncio.run(key_of(account, text))
    assert kept is not None
    assert (kept.user, kept.name, kept.limits.month, kept.revoked) == (kim.id, "script", 2_500_000, None)
    (listed,) = json.loads(run(account, "key", "list", "--json", "--table", TABLE).out)["keys"]
    assert (listed["prefix"], listed["spent"]["month"]) == (text[:11], 0)
    asyncio.run(used(account, kept))
    (row,) = json.loads(run(account, "usage", "--json", "--table", TABLE, "--user", "kim@example.org").out)["rows"]
    assert (row["user"], row["key"], row["cost"]) == (kim.id, kept.id, 7)
    table = run(account, "usage", "--table", TABLE)
    assert ("script" in table.out, "1 call, $0.000007." in table.said) == (True, True), table.said
    assert run(account, "key", "revoke", text[:11], "--table", TABLE).code == 0
    kept = asyncio.run(key_of(account, text))
    assert kept is not None
    assert kept.revoked is not None
    assert json.loads(run(account, "key", "list", "--json", "--table", TABLE).out)["keys"] == []


def test_a_home_that_is_not_there_is_named(account: Account, tmp_path: Path) -> None:
    (tmp_path / "daehwa-aws.toml").write_text('name = "nowhere"\n')
    out = run(account, "export", "all.jsonl", "--aws")
    assert out.code != 0
    assert "There is no installation 'nowhere'" in out.said
    assert "Traceback" not in out.said


def test_a_table_that_is_not_there_is_named(account: Account) -> None:
    out = run(account, "export", "all.jsonl", "--table", "typo")
    assert (out.code, "Traceback" in out.said, "fault in the program" in out.said) == (1, False, False)
    assert "typo" in out.said
