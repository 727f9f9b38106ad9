"""Conversations to fill a store with: Korean stems with particles, real English from Python's manual, code."""

import random
import re
import sqlite3
from itertools import accumulate
from pydoc_data import topics

import msgspec

from daehwa.conversation.ids import new_id
from daehwa.conversation.messages import Message, TextPart, Usage
from daehwa.conversation.ports import NewTurn
from daehwa.stores import sqlite_turns

OWNER = "local"
_USAGE = Usage(input=3_000, output=200, cached=2_048, cost=1_250)
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


def store_turns(database: sqlite3.Connection, writer: Writer, conversation: str, parent: str | None, turns: int) -> str:
    """Store turns through the store's own functions, below a reply or as the first ones; return the last reply.

    Each turn begun reads the whole path above it, so of many turns only the first and the last are begun: with all of
    them 10,000 messages took longer to write than anybody waits.
    """
    for turn in range(turns):
        new = _ended_turn(writer, conversation, parent, 1_700_000_000_000 + turn)
        if parent is None or turn == turns - 1:
            growing = msgspec.structs.replace(new.reply, parts=(), status="streaming")
            sqlite_turns.begin_turn(database, msgspec.structs.replace(new, reply=growing))
            sqlite_turns.finish_reply(database, new.reply)
        else:
            _insert(database, new)
        parent = new.reply.id
    return parent or ""


def turn_to_come(conversation: str, parent: str | None, words: str, at: int) -> NewTurn:
    """Return a question in a conversation, with its reply to come."""
    question = Message(
        id=new_id(), conversation=conversation, parent=parent, role="user", parts=(TextPart(words),), created=at
    )
    reply = Message(
        id=new_id(),
        conversation=conversation,
        parent=question.id,
        role="assistant",
        parts=(),
        status="streaming",
        model="test/parrot",
        created=at,
        heartbeat=at,
    )
    return NewTurn(
        owner=OWNER, conversation=conversation, question=question, reply=reply, title=words[:60], runner="benchmark"
    )


def _ended_turn(writer: Writer, conversation: str, parent: str | None, at: int) -> NewTurn:
    new = turn_to_come(conversation, parent, writer.text(2.5), at)
    said = (TextPart(writer.text(4.7)),)
    reply = msgspec.structs.replace(new.reply, parts=said, status="complete", heartbeat=None, usage=_USAGE)
    return msgspec.structs.replace(new, reply=reply)


def _insert(database: sqlite3.Connection, new: NewTurn) -> None:
    """Store a turn of a conversation that is there, without reading what is above it."""
    (number,) = database.execute("SELECT seq FROM conversations WHERE id = ?", (new.conversation,)).fetchone()
    for message in (new.question, new.reply):
        if message is not None:
            sqlite_turns.insert_message(database, message, number)
