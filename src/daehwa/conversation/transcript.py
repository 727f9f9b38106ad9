"""Pure: the path from the root to a reply's parent becomes what the model is given, within its context window."""

from collections.abc import Container, Iterable, Sequence
from itertools import groupby
from math import ceil
from operator import itemgetter

from daehwa.conversation.image_tokens import LIKELY_IMAGE_TOKENS
from daehwa.conversation.messages import ImagePart, Message, Role
from daehwa.conversation.ports import PromptMessage

CONTINUE = (
    "Your answer above was cut off. Go on from exactly where it stops, without repeating anything and without a word "
    "about the interruption."
)
_OUTPUT_SHARE = 4
"""A quarter of the context window is kept free for the reply."""

SENT_IMAGES = 16
"""So many images of a path are sent, the newest: each question pays for them anew."""
SENT_IMAGE_BYTES = 12_000_000
"""So large are they together: upstreams take requests of 20 MB and more, in which they are a third longer."""
IMAGE_NOTE = "[image]"
"""What stands for an image that is not sent."""


def estimated_tokens(text: str) -> int:
    """Return about how many tokens a text is: four ASCII characters or one other character a token.

    Rather too many than too few for today's large vocabularies; a small English one needs up to three per character
    of Korean, and then the upstream says so.
    """
    ascii_count = len(text.encode("ascii", "ignore"))
    return ceil(ascii_count / 4) + len(text) - ascii_count + 4


def reserved_tokens(text: str) -> int:
    """Return how many tokens are paid for in advance: three bytes a token, as source code and numbers have."""
    return max(estimated_tokens(text), ceil(len(text.encode("utf-8", "surrogatepass")) / 3))


def end_within(newest_first: Iterable[Message], context_window: int | None) -> tuple[Message, ...]:
    """Return the end of a path, oldest first: of a path without system messages, all that `build_transcript` can give a
    model with this window. No more is taken of the messages, which come newest first.
    """
    taken: list[Message] = []
    tokens, is_asked, is_round_before = 0, False, False
    for message in newest_first:
        taken.append(message)
        text = message.text
        if context_window is None or not (text or message.images):
            continue
        is_round_before = is_round_before or (is_asked and message.role != "user")
        is_asked = is_asked or (message.role == "user" and text != CONTINUE)
        tokens += _fewest_tokens(text)
        # The last question stays however long it is, and questions without an answer between them are one.
        if is_round_before and tokens > _room(context_window):
            break
    taken.reverse()
    return tuple(taken)


def build_transcript(
    path: Sequence[Message],
    *,
    context_window: int | None,
    continue_reply: bool,
    continues_replies: bool,
    instructions: str = "",
    sees_images: bool = True,
) -> tuple[PromptMessage, ...]:
    """Return the messages for the model, oldest first.

    A reply and its continuations are one message. Replies without text are left out, and so are the oldest rounds
    when the window (tokens) is known and too small; system messages and the last question always stay.
    `continue_reply`: the path ends in a reply to go on with; for a provider that does not do that by itself
    (`continues_replies` false) an instruction is added. `instructions` go before all of it. Of the images the newest
    are sent; where the others were, and all for a model that `sees_images` not, there is a note.
    """
    messages = _joined(path)
    if any(message.images for message in messages):
        messages = _with_newest_images(messages) if sees_images else [showing(message, ()) for message in messages]
    if continue_reply and not continues_replies:
        messages.append(PromptMessage("user", CONTINUE))
    if instructions:
        messages.insert(0, PromptMessage("system", instructions))
    if context_window is not None:
        messages = _within(messages, _room(context_window))
    return tuple(messages)


def showing(message: PromptMessage, images: Container[str]) -> PromptMessage:
    """Return a message that shows those of its images alone whose ids are among these, with notes for the others."""
    shown = tuple(part for part in message.images if part.image in images)
    unseen = len(message.images) - len(shown)
    if not unseen:
        return message
    notes = "\n".join([IMAGE_NOTE] * unseen)
    return PromptMessage(message.role, f"{notes}\n\n{message.text}" if message.text else notes, shown)


def tokens_of(message: PromptMessage) -> int:
    """Return about how many tokens a message is, with its images."""
    return estimated_tokens(message.text) + LIKELY_IMAGE_TOKENS * len(message.images)


def _room(context_window: int) -> int:
    return context_window - context_window // _OUTPUT_SHARE


def _fewest_tokens(text: str) -> int:
    """Return no more than what a text adds to the estimate of the message that it becomes a part of."""
    ascii_count = len(text.encode("ascii", "ignore"))
    return ascii_count // 4 + len(text) - ascii_count


def _joined(path: Sequence[Message]) -> list[PromptMessage]:
    said = [(message.role, text, images) for message in path for text, images in (_said(message),) if text or images]
    return [_one_of(role, list(group)) for role, group in groupby(said, key=itemgetter(0))]


def _said(message: Message) -> tuple[str, tuple[ImagePart, ...]]:
    """Return the text of a message and the images that it shows, which only questions do."""
    text = message.text
    is_text_alone = message.role != "user" or (text and len(message.parts) == 1)
    return text, () if is_text_alone else message.images


def _one_of(role: Role, said: Sequence[tuple[Role, str, tuple[ImagePart, ...]]]) -> PromptMessage:
    if len(said) == 1:
        return PromptMessage(*said[0])
    texts = [text for _, text, _ in said if text]
    images = tuple(part for _, _, shown in said for part in shown)
    return PromptMessage(role, ("" if role == "assistant" else "\n\n").join(texts), images)


def _with_newest_images(messages: Sequence[PromptMessage]) -> list[PromptMessage]:
    found: list[PromptMessage] = []
    left, room = SENT_IMAGES, SENT_IMAGE_BYTES
    for message in reversed(messages):
        sent: set[str] = set()
        for part in reversed(message.images):
            if left == 0 or part.size > room:
                left = 0  # no older one instead: what is seen is the end of the conversation, without holes
                break
            left, room = left - 1, room - part.size
            sent.add(part.image)
        found.append(showing(message, sent))
    found.reverse()
    return found


def _within(messages: list[PromptMessage], budget: int) -> list[PromptMessage]:
    last_question = max((i for i, m in enumerate(messages) if m.role == "user" and m.text != CONTINUE), default=0)
    kept = {i for i, m in enumerate(messages) if m.role == "system" or i >= last_question}
    left = budget - sum(tokens_of(messages[i]) for i in kept)
    for i in range(last_question - 1, -1, -1):
        if i in kept:
            continue
        left -= tokens_of(messages[i])
        if left < 0:
            break
        kept.add(i)
    first = next((i for i in sorted(kept) if messages[i].role != "system"), 0)
    if messages and messages[first].role == "assistant" and first != last_question:
        kept.discard(first)  # a transcript begins with a question
    return [messages[i] for i in sorted(kept)]
