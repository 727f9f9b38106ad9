"""A store that crashes between any two steps, beside one in memory that never does: both always hold the same."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from stores.asking import ME, RUNNER, beat, ended, grown, make_turn

from daehwa.conversation.errors import DaehwaError
from daehwa.conversation.messages import Failure, Message
from daehwa.conversation.ports import ConversationChanges, ConversationStore
from daehwa.stores.memory import MemoryStore
from daehwa.stores.sqlite import SqliteStore

TEXTS = st.text("ab 안\u0000\ud800'\"\n", max_size=12).map(lambda text: f"q{text}")
NUMBER = st.integers(0, 30)
_LIVE = ("streaming",)


class StoreMachine(RuleBasedStateMachine):
    """Steps of turns, in any order, right ones and wrong ones; a crash leaves a copy of the files as they are."""

    crashes = 0
    steps = 0

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self._folder = TemporaryDirectory()
        self._generation = 0
        self._path = self._place()
        self._model = MemoryStore()
        self._store = self._runner.run(SqliteStore.open(self._path))
        self._conversations: list[str] = []
        self._replies: list[Message] = []
        self._turns: list[Any] = []

    def teardown(self) -> None:
        """Close all."""
        self._runner.run(self._store.aclose())
        self._runner.close()
        self._folder.cleanup()

    # ------------------------------------------------------------ steps

    @rule(words=TEXTS)
    def ask(self, words: str) -> None:
        """Begin a conversation."""
        self._begin(make_turn(words))

    @precondition(lambda self: self._replies)
    @rule(words=TEXTS, number=NUMBER)
    def ask_more(self, words: str, number: int) -> None:
        """Ask after some reply, which may still be growing."""
        reply = self._replies[number % len(self._replies)]
        self._begin(make_turn(words, conversation=reply.conversation, parent=reply.id))

    @precondition(lambda self: self._replies)
    @rule(number=NUMBER, continues=st.booleans())
    def answer_again(self, number: int, *, continues: bool) -> None:
        """Ask for a further answer, or for the rest of one."""
        reply = self._replies[number % len(self._replies)]
        parent = reply.id if continues else reply.parent
        self._begin(make_turn(None, conversation=reply.conversation, parent=parent, continue_reply=continues))

    @precondition(lambda self: self._turns)
    @rule(number=NUMBER)
    def repeat(self, number: int) -> None:
        """Send a turn again."""
        self._begin(self._turns[number % len(self._turns)])

    @precondition(lambda self: self._replies)
    @rule(number=NUMBER, words=TEXTS, only_beats=st.booleans())
    def checkpoint(self, number: int, words: str, *, only_beats: bool) -> None:
        """Store how far a reply has grown, or that it lives."""
        reply = self._replies[number % len(self._replies)]
        made = beat(reply, reply.created + 1) if only_beats else grown(reply, words)
        self._both(lambda store: store.save_checkpoints([made]))

    @precondition(lambda self: self._replies)
    @rule(number=NUMBER, words=TEXTS, status=st.sampled_from(["complete", "stopped", "failed", "interrupted"]))
    def end(self, number: int, words: str, status: str) -> None:
        """Store a reply's end."""
        error = Failure(type="upstream_cut", message="Cut.") if status in {"failed", "interrupted"} else None
        finish = "stop" if status == "complete" else None
        reply = ended(self._replies[number % len(self._replies)], words, status=status, finish=finish, error=error)
        self._both(lambda store: store.finish_reply(reply))

    @precondition(lambda self: self._replies)
    @rule(number=NUMBER)
    def stop(self, number: int) -> None:
        """Ask a reply to stop."""
        reply = self._replies[number % len(self._replies)].id
        self._both(lambda store: store.request_stop(ME, reply))

    @precondition(lambda self: self._conversations)
    @rule(number=NUMBER, words=TEXTS, archived=st.booleans())
    def change(self, number: int, words: str, *, archived: bool) -> None:
        """Name and file a conversation."""
        changes = ConversationChanges(title=words, archived=archived)
        conversation = self._conversations[number % len(self._conversations)]
        self._both(lambda store: store.change_conversation(ME, conversation, changes))

    @precondition(lambda self: self._conversations)
    @rule(number=NUMBER)
    def delete(self, number: int) -> None:
        """Take a conversation away."""
        conversation = self._conversations[number % len(self._conversations)]
        self._both(lambda store: store.delete_conversation(ME, conversation))

    @precondition(lambda self: self._conversations)
    @rule(number=NUMBER)
    def restore(self, number: int) -> None:
        """Bring a conversation back."""
        conversation = self._conversations[number % len(self._conversations)]
        self._both(lambda store: store.restore_conversation(ME, conversation))

    @rule(is_orderly=st.booleans())
    def crash(self, *, is_orderly: bool) -> None:
        """End in the midst of it, or in an orderly way, and start again on the files as they are."""
        before = self._path
        if is_orderly:
            self._runner.run(self._store.aclose())
        self._generation += 1
        self._path = self._place()
        for ending in ("", "-wal"):
            if (file := Path(f"{before}{ending}")).exists():
                shutil.copy(file, f"{self._path}{ending}")
        if not is_orderly:
            self._runner.run(self._store.aclose())
        self._store = self._runner.run(SqliteStore.open(self._path))
        StoreMachine.crashes += 1
        self._both(lambda store: store.interrupt_replies(heartbeat_before=0, runner=RUNNER))

    @invariant()
    def both_hold_the_same(self) -> None:
        """Compare everything that can be read."""
        StoreMachine.steps += 1
        for conversation in self._conversations:
            self._both(partial(_opened, conversation=conversation))
        self._both(lambda store: store.list_conversations(ME, limit=100))
        self._both(lambda store: store.list_conversations(ME, archived=True, limit=100))

    # ------------------------------------------------------------ how

    def _place(self) -> Path:
        folder = Path(self._folder.name) / str(self._generation)
        folder.mkdir()
        return folder / "daehwa.db"

    def _begin(self, turn: Any) -> None:
        self._turns.append(turn)
        if turn.conversation not in self._conversations:
            self._conversations.append(turn.conversation)
        begun = self._both(lambda store: store.begin_turn(turn))
        if begun is not None and begun.created:
            self._replies.append(begun.reply)

    def _both(self, step: Callable[[ConversationStore], Awaitable[Any]]) -> Any:
        """Take a step in both; both must answer the same, or refuse it for the same reason."""

        async def taken(store: ConversationStore) -> tuple[Any, str]:
            try:
                return await step(store), ""
            except DaehwaError as error:
                return None, error.type

        here, there = self._runner.run(taken(self._store)), self._runner.run(taken(self._model))
        assert here == there, f"{here} here, {there} in memory"
        return here[0]


async def _opened(store: ConversationStore, conversation: str) -> Any:
    return await store.get_conversation(ME, conversation)


def run_machine(examples: int, steps: int) -> tuple[int, int]:
    """Try so many runs of so many steps; return how many steps and crashes that made. Raise what does not hold."""
    StoreMachine.crashes = StoreMachine.steps = 0
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(StoreMachine, settings=chosen)
    return StoreMachine.steps, StoreMachine.crashes
