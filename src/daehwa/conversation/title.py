"""A conversation's title from its first exchange: the prompt, and what is kept of the answer. Pure."""

from daehwa.conversation.ports import GenerationRequest, PromptMessage

TITLE_OUTPUT_TOKENS = 256
"""A title needs ten; the rest is for models that cannot help thinking first."""

_QUESTION_CHARACTERS = 800
_ANSWER_CHARACTERS = 400
_KEPT_CHARACTERS = 80
_INSTRUCTION = (
    "Name the conversation below in at most six words, in the language of the question. "
    "Answer with the name alone: no quotation marks, no full stop, no explanation."
)
_QUOTES = "\"'“”‘’«»「」『』《》`*#_ \t"


def title_request(model: str, question: str, answer: str) -> GenerationRequest:
    """Return the small request that asks `model` (its name at the upstream) for a title."""
    exchange = f"Question: {question[:_QUESTION_CHARACTERS]}\n\nAnswer: {answer[:_ANSWER_CHARACTERS]}"
    return GenerationRequest(
        model=model,
        messages=(PromptMessage("system", _INSTRUCTION), PromptMessage("user", exchange)),
        max_output_tokens=TITLE_OUTPUT_TOKENS,
    )


def title_from_answer(text: str) -> str | None:
    """Return the first line of what the model answered, without quotes and full stop; None if nothing is left."""
    first = next((line for line in text.splitlines() if line.strip(_QUOTES)), "")
    title = " ".join(first.strip(_QUOTES).rstrip(".。").strip(_QUOTES).split())
    return title[:_KEPT_CHARACTERS].rstrip() or None
