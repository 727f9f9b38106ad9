"""The model behind the page, as a test directs it: a real HTTP upstream that answers what it is told."""

import asyncio
from collections import deque

from upstream import Answer, FakeUpstream, Request, Step, stream

TITLE_INSTRUCTION = b"Name the conversation below"


class Model:
    """Answers questions in the order told, the last told again and again; a request for a title gets the title."""

    def __init__(self) -> None:
        self.upstream = FakeUpstream(self._answer)
        self.title = ""
        self.questions: list[Request] = []
        self._arrived: asyncio.Queue[Request] = asyncio.Queue()
        self._told: deque[Answer] = deque()
        self.forget()

    def forget(self) -> None:
        """Begin anew: nothing was asked, and a plain answer is given."""
        self.title = "A short title"
        self.questions = []
        self._arrived = asyncio.Queue()
        self._told = deque([Answer(stream("Hello there."))])

    def says(self, *answers: Answer | str | list[Step]) -> None:
        """Say what the next answers are."""
        self._told = deque(_as_answer(answer) for answer in answers)

    async def question(self) -> Request:
        """Wait for the next question that nobody has waited for."""
        return await asyncio.wait_for(self._arrived.get(), 10)

    def _answer(self, request: Request) -> Answer:
        if TITLE_INSTRUCTION in request.body:
            return Answer(stream(self.title))
        self.questions.append(request)
        self._arrived.put_nowait(request)
        return self._told.popleft() if len(self._told) > 1 else self._told[0]


def _as_answer(answer: Answer | str | list[Step]) -> Answer:
    if isinstance(answer, Answer):
        return answer
    return Answer(stream(answer) if isinstance(answer, str) else answer)
