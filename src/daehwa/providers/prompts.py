"""Pure: a transcript becomes a prompt that a model of the completion kind goes on with.

Each message is a paragraph that begins with its role. The last line is the assistant's role, or, where a reply is gone
on with, that reply as far as it goes: going on is what such a model does anyway.
"""

from collections.abc import Sequence

from daehwa.conversation.ports import PromptMessage
from daehwa.conversation.transcript import CONTINUE, estimated_tokens

_LABELS = {"system": "Instructions", "user": "User", "assistant": "Assistant"}

STOPS = tuple(f"\n{label}:" for label in _LABELS.values())
"""Where an answer ends: the model would go on with somebody else's part. (OpenAI takes four at most.)"""

MOST_TOKENS = 4096
"""An answer's limit, where the context window has room for it. Without any, OpenAI ends an answer after 16 tokens."""
UNKNOWN_WINDOW_TOKENS = 1024
"""An answer's limit where the context window is not known."""
_FEWEST_TOKENS = 16
_BLANK = " \t\r\n"


def prompt_of(messages: Sequence[PromptMessage]) -> str:
    """Return the prompt."""
    messages = _without_instruction(messages)
    paragraphs = [f"{_LABELS[message.role]}: {message.text.strip()}" for message in messages]
    if not _goes_on(messages):
        paragraphs.append(f"{_LABELS['assistant']}:")
    else:
        # A blank at the end would be a token of its own, after which models go on badly; see `trim_of`.
        paragraphs[-1] = f"{_LABELS['assistant']}: {messages[-1].text.lstrip().rstrip(' ')}"
    return "\n\n".join(paragraphs)


def trim_of(messages: Sequence[PromptMessage]) -> str:
    """Return the letters that do not belong to the answer where it begins with them: what separates it from its label,
    or the blank that was taken from the end of the reply that it goes on with.
    """
    messages = _without_instruction(messages)
    if not _goes_on(messages):
        return _BLANK
    return " " if messages[-1].text.endswith(" ") else ""


def output_limit(prompt: str, context_window: int | None) -> int:
    """Return how many tokens an answer to a prompt may have."""
    if context_window is None:
        return UNKNOWN_WINDOW_TOKENS
    return max(_FEWEST_TOKENS, min(MOST_TOKENS, context_window - estimated_tokens(prompt)))


def _without_instruction(messages: Sequence[PromptMessage]) -> Sequence[PromptMessage]:
    """Leave out the words that ask a chat model to go on."""
    return messages[:-1] if messages and messages[-1] == PromptMessage("user", CONTINUE) else messages


def _goes_on(messages: Sequence[PromptMessage]) -> bool:
    return bool(messages) and messages[-1].role == "assistant"
