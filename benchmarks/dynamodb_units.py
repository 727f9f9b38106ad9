"""How many units does a turn cost in DynamoDB? A turn of ten seconds with an answer of 2,000 characters, as on AWS; a
follower on another Lambda; opening and listing. `python benchmarks/dynamodb_units.py`.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from dynamodb_capacity import CountingTransport, Units, counted_table  # isort: skip - it says where the tests are
from cores import OneProviderCatalogue
from dynamodb_local import DynamoServer, dynamodb_server
from dynamodb_search import record
from texts import OWNER, Writer

from daehwa.accounts.ledger import Entry
from daehwa.accounts.people import Profile, Session
from daehwa.accounts.ports import Budget
from daehwa.conversation.events import Finished, TextDelta, UsageReported
from daehwa.conversation.ids import new_id, now_ms
from daehwa.conversation.messages import Message, TextPart, Usage
from daehwa.conversation.ports import GenerationRequest
from daehwa.conversation.running import Question, RunningOptions, RunningTurns, TurnRequest
from daehwa.http_client.client import HttpClient
from daehwa.providers.scripted import ScriptedProvider, Step
from daehwa.stores.dynamodb import DynamoStore
from daehwa.stores.dynamodb_accounts import DynamoAccounts
from daehwa.stores.dynamodb_ledger import DynamoLedger

SECONDS, CHARACTERS, PIECES = 9.5, 2_000, 50
"""It ends before the fifth checkpoint, on a busy machine too; a turn that ends after it writes a unit more."""
KOREAN = Path(__file__).with_name("korean_answer.txt")
"""Written for this, as a model answers: made-up words compress neither as well nor as badly as a language."""
AS_ON_AWS = RunningOptions(checkpoint=2.0, stored_heartbeat=8.0, store_poll=1.0)
QUESTION = "파이썬에서 데이터베이스를 쓰는 방법을 예제와 함께 자세히 설명해 주세요. Please be brief."


class Answering(ScriptedProvider):
    """Says the answer over ten seconds, and a title at once."""

    def __init__(self) -> None:
        super().__init__(self._steps)
        self.answer = ""

    def _steps(self, request: GenerationRequest) -> list[Step]:
        end = (Finished("stop"), UsageReported(Usage(input=300, output=700)))
        if request.messages[-1].text != QUESTION:
            return [(TextDelta("파이썬과 데이터베이스 쓰기"),), end]
        steps: list[Step] = []
        size = len(self.answer) // PIECES
        for start in range(0, len(self.answer), size):
            steps += [SECONDS / PIECES, (TextDelta(self.answer[start : start + size]),)]
        return [*steps, end]


class Lambda:
    """One function: its own connections, its own turns, what it consumed."""

    def __init__(self, server: DynamoServer, table: str, provider: Answering) -> None:
        self.units = Units()
        self.http = HttpClient()
        self.table = counted_table(server, table, CountingTransport(self.http, self.units))
        self.store = DynamoStore(self.table)
        self.running = RunningTurns(
            self.store, OneProviderCatalogue(provider, titles=True), runner=new_id(), options=AS_ON_AWS
        )

    async def aclose(self) -> None:
        """Give back what it holds."""
        await self.running.aclose()
        await self.store.aclose()
        await self.http.aclose()


def say(what: str, units: Units) -> None:
    """Print one line and begin again."""
    calls = ", ".join(f"{count} {action}" for action, count in sorted(units.calls.items()))
    print(f"{what:52} {units.written:6.1f} {units.read:6.1f} {units.dollars * 1e6:8.2f}  {calls}")
    units.clear()


async def turn(here: Lambda, other: Lambda | None, conversation: str, parent: str | None, what: str) -> str:
    """Make a turn, followed by another Lambda where there is one; print what each part took. Return the reply's id."""
    request = TurnRequest(
        owner=OWNER,
        conversation=conversation,
        reply=new_id(),
        question=Question(new_id(), parent, (TextPart(QUESTION),)),
    )
    # Its checkpoints follow its own beginning, not that of the turn before.
    await asyncio.sleep(AS_ON_AWS.checkpoint + 0.5)
    here.units.clear()
    reply = await here.running.start(request)
    whole = Units()
    whole.add(here.units)
    say(f"{what}: begin", here.units)
    following = asyncio.create_task(_follow(other, reply)) if other is not None else None
    await _follow(here, reply)
    whole.add(here.units)
    say(f"{what}: grow, end, search, title", here.units)
    say(f"{what}: WHOLE TURN (target 20 WRU)", whole)
    if following is not None and other is not None:
        await following
        say("  a follower on another Lambda, 10 s", other.units)
    return reply.id


async def _follow(where: Lambda, reply: Message) -> None:
    async for _ in where.running.follow(OWNER, reply.id):
        pass


async def reads(here: Lambda, conversation: str) -> None:
    """Print what reading takes."""
    reading: list[tuple[str, Callable[[], Awaitable[object]]]] = [
        ("opening a conversation of 4 messages", lambda: here.store.get_conversation(OWNER, conversation)),
        ("listing the newest 50 of 60", lambda: here.store.list_conversations(OWNER)),
        ("searching 60 conversations", lambda: here.store.search_conversations(OWNER, "데이터베이스")),
    ]
    for what, ask in reading:
        here.units.clear()
        await ask()
        say(what, here.units)


async def people_and_money(here: Lambda) -> None:
    """Print what a session takes, and counting a call."""
    accounts, ledger, now = DynamoAccounts(here.table), DynamoLedger(here.table), now_ms()
    user = await accounts.sign_in(Profile(issuer="i", subject="s", email=None, name="n"), role=None, now=now)
    await accounts.save_session(Session(id="s", user=user.id, created=now, expires=now + 1_000_000))
    here.units.clear()
    await accounts.get_session("s", now=now)
    say("who asks, by a session: each request", here.units)
    for count in (0, 0, 1, 1, 2, 2):  # the first time, the counters begin
        names = tuple(f"g{number}" for number in range(count))
        periods = [Budget(scope=f"group:{name}", period="2026-11", limit=1_000_000) for name in names]
        entry = Entry(id=new_id(), created=now, user="mina", kind="turn", model="test/m", groups=names, reserved=500)
        here.units.clear()
        if count:
            await ledger.reserve(entry, periods)
        else:
            entry = msgspec.structs.replace(entry, reserved=0)
        await ledger.settle(msgspec.structs.replace(entry, usage=Usage(input=9, output=9, cost=300)))
        say(f"a call under {count} budget{'s' * (count != 1)}", here.units)


async def main() -> None:
    """Print everything."""
    writer, provider, chance = Writer(), Answering(), random.Random(11)  # noqa: S311 - the same texts in every run
    with dynamodb_server() as server:
        table = await server.new_table()
        here, other = Lambda(server, table, provider), Lambda(server, table, provider)
        print(f"{server.choice}\n{'':52} {'WRU':>6} {'RRU':>6} {'micro-$':>8}")
        answers = {
            "English": writer.english(600)[:CHARACTERS],
            "Korean": KOREAN.read_text("utf-8")[:CHARACTERS],
            "Korean, made-up words": writer.korean(800)[:CHARACTERS],
        }
        conversation = ""
        for language, answer in answers.items():
            provider.answer = answer
            conversation = new_id()
            parent = await turn(here, other, conversation, None, f"{language}, first turn")
            await turn(here, None, conversation, parent, f"{language}, a later turn")
        for number in range(58):
            await here.store.import_conversation(record(writer, chance, number))
        await reads(here, conversation)
        await people_and_money(here)
        await here.aclose()
        await other.aclose()


if __name__ == "__main__":
    asyncio.run(main())
