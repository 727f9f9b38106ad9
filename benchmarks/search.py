"""How long does a search take? 10,000 conversations, 200,000 messages, Korean and English; as the page asks, letter
by letter. `python benchmarks/search.py [messages] [database file to keep]`.
"""

import asyncio
import random
import re
import sqlite3
import sys
import tempfile
import time
from functools import partial
from itertools import accumulate
from pathlib import Path
from pydoc_data import topics
from statistics import median, quantiles

from daehwa.conversation.ids import new_id
from daehwa.conversation.messages import Message, TextPart
from daehwa.conversation.ports import NewTurn
from daehwa.stores import sqlite_turns
from daehwa.stores.sqlite import SqliteStore

OWNER = "local"
MESSAGES_PER_CONVERSATION = 20
KOREAN = (
    "한국",
    "한국어",
    "대한민국",
    "데이터",
    "데이터베이스",
    "파이썬",
    "함수",
    "오류",
    "질문",
    "서버",
    "요청",
    "응답",
    "코드",
    "설명",
    "방법",
    "문제",
    "해결",
    "사용",
    "가능",
    "확인",
    "필요",
    "경우",
    "결과",
    "처리",
    "기능",
    "프로그램",
    "개발",
    "컴퓨터",
    "인공지능",
    "모델",
    "학습",
    "언어",
    "번역",
    "문장",
    "단어",
    "여행",
    "서울",
    "부산",
    "제주도",
    "음식",
    "요리",
    "김치",
)
SYLLABLES = (
    "가나다라마바사아자차카타파하거너더러머버서어저처고노도로모보소오조구누두루무부수"
    "우주그느드르므브스으즈기니디리미비시이지강남산물불말글길문인생성정선전국민대학교"
    "회람일월화목금토"
)
PARTICLES = (
    "이",
    "가",
    "을",
    "를",
    "은",
    "는",
    "에",
    "에서",
    "으로",
    "로",
    "와",
    "과",
    "도",
    "만",
    "까지",
    "부터",
    "의",
    "하는",
    "합니다",
    "입니다",
    "했습니다",
    "하세요",
    "하고",
    "한",
    "할",
    "된",
)
TYPED = (
    "한국어 데이터베이스 오류",
    "파이썬 함수",
    "제주도 여행",
    "import module",
    "the statement",
    "python class method",
    "GPT모델",
    "에서",
    "하는",
    "a",
    "exception handling 오류",
    "zzzz",
)


class Writer:
    """Makes up texts: Zipf-distributed Korean stems with particles, real English from Python's manual, code."""

    def __init__(self) -> None:
        self._random = random.Random(7)  # noqa: S311 - the same texts in every run
        made = ["".join(self._random.choices(SYLLABLES, k=self._random.choice((2, 2, 3, 4)))) for _ in range(30_000)]
        self._stems = [*KOREAN, *made]
        self._weights = list(accumulate(1 / (n + 3) for n in range(len(self._stems))))
        self._english = re.findall(r"\S+", " ".join(topics.topics.values()))

    def korean(self, words: int) -> str:
        """Return Korean with particles."""
        stems = self._random.choices(self._stems, cum_weights=self._weights, k=words)
        return " ".join(stem + self._random.choice(["", *PARTICLES]) for stem in stems)

    def english(self, words: int) -> str:
        """Return a piece of the manual."""
        start = self._random.randrange(len(self._english) - words)
        return " ".join(self._english[start : start + words])

    def text(self, typical_words: float) -> str:
        """Return a message whose length is log-normal."""
        words = max(2, int(self._random.lognormvariate(typical_words, 0.6)))
        kind = self._random.random()
        if kind < 0.45:
            return self.korean(words)
        if kind < 0.75:
            return self.english(words)
        return f"{self.korean(words // 2 + 1)}\n\n```python\n{self.english(words // 2 + 1)}\n```"


def store_conversation(database: sqlite3.Connection, writer: Writer, number: int, turns: int) -> None:
    """Store a conversation through the store's own functions, question and answer in turn."""
    conversation, parent = new_id(), None
    for turn in range(turns):
        at = 1_700_000_000_000 + number * 100_000 + turn
        words = writer.text(2.5)
        question = Message(
            id=new_id(), conversation=conversation, parent=parent, role="user", parts=(TextPart(words),), created=at
        )
        reply = Message(
            id=new_id(),
            conversation=conversation,
            parent=question.id,
            role="assistant",
            parts=(TextPart(writer.text(4.7)),),
            created=at,
        )
        new = NewTurn(
            owner=OWNER, conversation=conversation, question=question, reply=reply, title=words[:60], runner="benchmark"
        )
        sqlite_turns.begin_turn(database, new)
        parent = reply.id


async def fill(store: SqliteStore, messages: int) -> None:
    """Store conversations until there are so many messages."""
    writer, began = Writer(), time.perf_counter()
    for number in range(messages // MESSAGES_PER_CONVERSATION):
        work = partial(store_conversation, writer=writer, number=number, turns=MESSAGES_PER_CONVERSATION // 2)
        await store._writer.run(work)  # noqa: SLF001 - the sizes of its tables are nobody else's business - a hundred thousand turns without their streaming
        if sys.stdout.isatty():
            print(f"\r{number + 1} conversations", end="", flush=True)
    print(f"\nfilled in {time.perf_counter() - began:.0f} s")


async def timed(store: SqliteStore, query: str) -> tuple[float, float, int]:
    """Return the milliseconds that a search took, those of CPU in it, and how much it found."""
    began, cpu = time.perf_counter(), time.process_time()
    hits = await store.search_conversations(OWNER, query)
    return (time.perf_counter() - began) * 1000, (time.process_time() - cpu) * 1000, len(hits)


async def measure(store: SqliteStore) -> None:
    """Type every query letter by letter and print how long the answers took."""
    every: list[tuple[float, float]] = []
    print(f"{'query':28} {'hits':>4} {'median ms':>10} {'worst ms':>9} {'CPU ms':>9}")
    for query in TYPED:
        for length in range(1, len(query) + 1):
            if query[length - 1] == " ":
                continue
            runs = [await timed(store, query[:length]) for _ in range(5)]
            times, cpu = [run[0] for run in runs], median(run[1] for run in runs)
            every += [run[:2] for run in runs]
            print(f"{query[:length]:28} {runs[0][2]:4} {median(times):10.1f} {max(times):9.1f} {cpu:9.1f}")
    for name, values in (("time", [run[0] for run in every]), ("CPU", [run[1] for run in every])):
        cuts = quantiles(values, n=100)
        print(f"{name:4} of {len(every)}: p50 {cuts[49]:.1f}, p95 {cuts[94]:.1f} (target 50), p99 {cuts[98]:.1f} ms")


async def main(messages: int, path: Path) -> None:
    """Print everything."""
    is_new = not path.exists()  # noqa: ASYNC240 - before anything else runs
    store = await SqliteStore.open(path)
    if is_new:
        await fill(store, messages)
    sizes = await store._reader.run(  # noqa: SLF001 - the sizes of its tables are nobody else's business
        lambda database: database.execute(
            "SELECT (SELECT count(*) FROM messages), (SELECT sum(length(CAST(parts AS BLOB))) FROM messages), "
            "(SELECT sum(length(block)) FROM message_index_data)"
        ).fetchone()
    )
    print(f"{sizes[0]} messages, text {sizes[1] / 1e6:.0f} MB, index {sizes[2] / 1e6:.0f} MB")
    await measure(store)
    await store.aclose()


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(main(count, Path(sys.argv[2]) if len(sys.argv) > 2 else Path(folder) / "daehwa.db"))
