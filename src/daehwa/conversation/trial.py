"""One small question to a model, to see whether it answers: a real call, counted as any other. Knows no store."""

import asyncio
import time

import msgspec

from daehwa.conversation.errors import DaehwaError, ModelNotFound
from daehwa.conversation.events import TextDelta, UsageReported
from daehwa.conversation.ids import new_id
from daehwa.conversation.messages import TextPart, Usage
from daehwa.conversation.metering import GroupShare, Meter, PaidCall
from daehwa.conversation.paid_answer import PaidAnswer, closing
from daehwa.conversation.ports import GenerationRequest, ModelCatalogue, PromptMessage, ResolvedModel

TRIAL_SECONDS = 30.0
TRIAL_TOKENS = 64
"""Enough for a word; the rest is for models that cannot help thinking first."""
_QUESTION = "Say the word “yes”, and nothing else."
_SAID_CHARACTERS = 200


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """How a trial went: what the model said, or, where `is_ok` is false, what is wrong, as a sentence."""

    is_ok: bool
    ms: int
    model: str | None
    message: str


class Asker(msgspec.Struct, frozen=True, kw_only=True):
    """In whose name it is asked: a user, and the groups whose budgets count too."""

    user: str
    groups: tuple[GroupShare, ...] = ()


async def tried(
    catalogue: ModelCatalogue,
    meter: Meter,
    *,
    provider: str,
    model: str | None,
    asker: Asker,
    seconds: float = TRIAL_SECONDS,
) -> Trial:
    """Ask a model of a provider, its first where none is named, in the asker's name. Raise nothing of a model's."""
    begun, asked = time.monotonic(), model
    is_ok, said = False, ""
    try:
        async with asyncio.timeout(seconds):
            resolved = await _resolved(catalogue, provider, model)
            asked = resolved.model.id
            call = PaidCall(
                id=new_id(),
                kind="turn",
                user=asker.user,
                model=resolved.model.id,
                input_tokens=0,
                groups=asker.groups,
            )
            said = await _said(resolved, PaidAnswer(meter, call))
            is_ok = True
    except DaehwaError as fault:
        said = fault.told
    except TimeoutError:
        said = f"There was no answer within {seconds:g} seconds."
    return Trial(is_ok=is_ok, ms=round((time.monotonic() - begun) * 1000), model=asked, message=said)


async def _resolved(catalogue: ModelCatalogue, provider: str, model: str | None) -> ResolvedModel:
    if model is None:
        model = next((each.id for each in await catalogue.models() if each.provider == provider), None)
        if model is None:
            if (fault := catalogue.problems().get(provider)) is not None:
                raise fault
            raise ModelNotFound("This provider lists no model for conversations. Name one.", param="model")
    resolved = await catalogue.resolve(model if model.startswith(f"{provider}/") else f"{provider}/{model}")
    if resolved.model.provider != provider:
        raise ModelNotFound("This model is another provider's.", param="model")
    return resolved


async def _said(resolved: ResolvedModel, paid: PaidAnswer) -> str:
    wished = GenerationRequest(
        model=resolved.upstream_name, messages=(PromptMessage("user", _QUESTION),), max_output_tokens=TRIAL_TOKENS
    )
    request = await paid.opened(wished, resolved)
    text, error = "", None
    usage: Usage | None = None
    try:
        async with closing(resolved.provider.generate(request)) as batches:
            async for batch in batches:
                paid.note_content(batch)
                text += "".join(event.text for event in batch if isinstance(event, TextDelta))
                usage = next((event.usage for event in batch if isinstance(event, UsageReported)), usage)
    except DaehwaError as fault:
        error = fault.type
        raise
    finally:
        paid.ended(usage, [TextPart(text)], error=error)
        await paid.settle()
    return " ".join(text.split())[:_SAID_CHARACTERS]
