"""Calls that have ended, for whoever counts them."""

from typing import Any

from daehwa.conversation.messages import Usage
from daehwa.conversation.metering import CallEnded, Outcome, PaidCall

USAGE = Usage(input=100, cached=40, output=20, reasoning=5, cost=1_500)


def a_call(
    *, model: str = "openai/gpt-5", usage: Usage | None = USAGE, error: str | None = None, **call: Any
) -> CallEnded:
    """A call of 1.5 s whose first content came after 200 ms."""
    made: dict[str, Any] = {"id": "1", "kind": "chat", "user": "somebody", "key": "their-key", "input_tokens": 90}
    return CallEnded(
        call=PaidCall(model=model, **{**made, **call}),
        outcome=Outcome(usage=usage, error=error, first_ms=200.0),
        usage=usage,
        began=1_790_000_000_000,
        ended=1_790_000_001_500,
    )
