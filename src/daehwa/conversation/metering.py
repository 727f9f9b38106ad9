"""What a call to a model costs: asked before the call, told after it. The core knows no prices; `Meter` does."""

from collections.abc import Callable, Iterable, Mapping
from typing import Literal, Protocol, TypeAlias

import msgspec

from daehwa.conversation.budget import BudgetKind
from daehwa.conversation.errors import DaehwaError
from daehwa.conversation.messages import Usage
from daehwa.conversation.transcript import estimated_tokens

AskedBy = Literal["page", "program"]
CallKind = Literal[
    "turn", "title", "chat", "completion", "response", "embedding", "audio", "speech", "image", "moderation"
]

MOST_COUNTED = 1_000_000_000
"""Tokens that an upstream may say a call has used; nobody has used more."""
_AROUND_SHARE = 32


class GroupShare(msgspec.Struct, frozen=True, kw_only=True):
    """A group of the caller's that was made on the page, and what its members may spend together, in micro-dollars."""

    id: str
    name: str
    limits: Mapping[BudgetKind, int] = {}


class PaidCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call that is about to be made. It is opened once: what is kept of it is known by `id` and by that moment.

    `model` is `provider/name-at-the-upstream`, and `others` those that may answer in its place; `input_tokens` are
    estimated from the prompt; `output_limit` is the limit that the request sets, or the settings for it, None where
    neither does; `room` is how many tokens its model most likely has left for it, None where nobody knows;
    `may_be_shorter`: the request sets none, so a lower one may be sent along where a budget has no room. `choices` is
    how many answers are asked for. `seconds` of audio and `images` are those that it will be about, as far as that can
    be told before, and so are `partial_images` of each image, and of a speech its `characters` and the tokens that it
    is at most (`spoken_tokens`). `key_limits` are the key's own, in micro-dollars, and `groups` those of the caller.
    """

    id: str
    kind: CallKind
    user: str
    model: str
    input_tokens: int
    output_limit: int | None = None
    room: int | None = None
    may_be_shorter: bool = False
    choices: int = 1
    others: tuple[str, ...] = ()
    seconds: float = 0.0
    images: int = 0
    partial_images: int = 0
    characters: int = 0
    spoken_tokens: int = 0
    key: str | None = None
    key_limits: Mapping[BudgetKind, int] = {}
    groups: tuple[GroupShare, ...] = ()
    conversation: str | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a call ended. `usage` None: nothing was asked of the model, or it gave nothing that is paid for.

    `model` names the model that answered, where it is another than the one that was asked (fall-over). `error` is the
    type of an error. `first_ms` is the time to the first content. `seconds` of audio, and `images`, are paid for by
    their number. `shown` are the tokens of the prompt that are pictures.
    """

    usage: Usage | None
    model: str | None = None
    error: str | None = None
    first_ms: float | None = None
    seconds: float = 0.0
    images: int = 0
    shown: int = 0


class Charge(Protocol):
    """One call's money. `output_limit`: how many tokens the answer may have at most, so that it stays within what was
    reserved; to be sent along where the request has no limit of its own. None: no limit.
    """

    output_limit: int | None

    def priced(self, outcome: Outcome) -> Usage | None:
        """Return the usage with its cost, at once; nothing is counted by this."""
        ...

    def settle_now(self, outcome: Outcome) -> bool:
        """Settle as `settle` does and return True; return False, with nothing done, where that has to wait. Never
        raises.
        """
        ...

    async def settle(self, outcome: Outcome) -> Usage | None:
        """Count what was really used, in place of what was reserved; return the usage with its cost.

        Only the first time counts. Never raises, and returns within seconds: what cannot be stored now is tried again
        for a while, then logged, and stays reserved, which errs on the safe side. Cancelling it ends the waiting alone.
        """
        ...


class Meter(Protocol):
    """Counts every call, and refuses those that no budget has room for."""

    async def open(self, call: PaidCall) -> Charge:
        """Reserve what the call may cost at most. Raise `BudgetExceeded`, or `PriceUnknown` where a budget applies to
        a model without a price; `StoreError` when it cannot be counted: then the call is not made.
        Cancelling it leaves nothing reserved, and nor does a `StoreError`, once the store can be asked again.
        """
        ...

    def note_refused(self, by: AskedBy, error: DaehwaError) -> None:
        """Note that a call was not made, for whoever watches over calls; an error that is no refusal is no matter."""
        ...


class CallEnded(msgspec.Struct, frozen=True, kw_only=True):
    """A call that has ended, for whoever watches over calls. `usage` has its cost; times are ms since 1970."""

    call: PaidCall
    outcome: Outcome
    usage: Usage | None
    began: int
    ended: int


CallObserver: TypeAlias = Callable[[CallEnded], None]
RefusalObserver: TypeAlias = Callable[[AskedBy, str], None]
"""Is told who asked, and the word for why the call was not made: of errors' `refusal`, so there are only so many."""


def room_beside(prompt: int, context_window: int | None) -> int | None:
    """Return how many tokens a model most likely has left beside so many of a prompt; None where nobody knows. A little
    of its window goes to what stands around the messages.
    """
    return None if context_window is None else context_window - context_window // _AROUND_SHARE - prompt


def estimated_usage(prompt: int, texts: Iterable[str]) -> Usage:
    """Return our own guess of what a call has used, where nobody counted: of a prompt's tokens and the texts."""
    return Usage(input=prompt, output=sum(estimated_tokens(text) for text in texts if text), estimated=True)


def as_counted(usage: Usage | None) -> Usage | None:
    """Return what an upstream counted; None where it counted nothing, for which some report noughts, or what cannot be
    and would fit into no ledger.
    """
    if usage is None or not (usage.input or usage.output):
        return None
    counts = (usage.input, usage.output, usage.cached, usage.reasoning)
    return usage if min(counts) >= 0 and max(counts) <= MOST_COUNTED else None


class _FreeCharge:
    output_limit: int | None = None

    def priced(self, outcome: Outcome) -> Usage | None:
        return outcome.usage

    def settle_now(self, outcome: Outcome) -> bool:  # noqa: ARG002 - nothing is counted
        return True

    async def settle(self, outcome: Outcome) -> Usage | None:
        return outcome.usage


class Unmetered:
    """A `Meter` that counts nothing: for trials and tests, and where nobody pays."""

    async def open(self, call: PaidCall) -> Charge:  # noqa: ARG002 - every call is welcome
        """Let the call pass."""
        return _FreeCharge()

    def note_refused(self, by: AskedBy, error: DaehwaError) -> None:
        """Do nothing."""
