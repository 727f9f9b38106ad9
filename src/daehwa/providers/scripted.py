"""A provider that plays a script: for tests, the demo and benchmarks. A real provider, without a network.

A script is a list of steps, or a function from the request to one. A step is a batch of events to yield, seconds to
wait, an `asyncio.Event` to wait for, or an exception to raise.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from typing import TypeAlias

from daehwa.conversation.events import Batch, Finished, ProviderEvent, TextDelta, UsageReported
from daehwa.conversation.messages import FinishReason, Usage
from daehwa.conversation.ports import GenerationRequest, Model

Step: TypeAlias = Sequence[ProviderEvent] | float | asyncio.Event | Exception
Script: TypeAlias = Iterable[Step] | Callable[[GenerationRequest], Iterable[Step]]


def spoken(text: str, *, finish: FinishReason = "stop", usage: Usage | None = None) -> list[Step]:
    """Return a script that says `text` word by word, then finishes and reports usage."""
    words = [f"{word} " for word in text.split(" ")]
    words[-1] = words[-1][:-1]
    steps: list[Step] = [(TextDelta(word),) for word in words if word]
    steps.append((Finished(finish), UsageReported(usage or Usage(input=len(words), output=len(words)))))
    return steps


def echo(request: GenerationRequest) -> list[Step]:
    """Say back the last message, and how many images it shows; the script where none is given."""
    if not request.messages:
        return spoken("You said nothing.")
    last = request.messages[-1]
    said = f"You said: {last.text}" if last.text or not last.images else "You said nothing."
    if not last.images:
        return spoken(said)
    shown, total = len(last.images), len(request.images)
    seen = f"I see {shown} image{'s' if shown > 1 else ''}"
    return spoken(f"{said}\n{seen}{f', and {total - shown} from before' if total > shown else ''}.")


class ScriptedCall:
    """One call of `generate`: what was asked, and how it ended.

    `ended` is set when the iterator has ended in whatever way; `closed` says that the consumer closed it, or was
    cancelled in it, before the script's end.
    """

    def __init__(self, request: GenerationRequest) -> None:
        self.request = request
        self.ended = asyncio.Event()
        self.closed = False


class ScriptedProvider:
    """Plays `script` for every request, `pace` seconds between batches; `calls` records the requests.

    `models_error` is raised by `models()` while it is set. `lists_at_once` True: a catalogue never keeps its listing.
    """

    def __init__(
        self,
        script: Script = echo,
        *,
        name: str = "scripted",
        models: Sequence[str | Model] = ("parrot",),
        pace: float = 0.0,
        continues_replies: bool = False,
    ) -> None:
        self.name = name
        self.continues_replies = continues_replies
        self.script = script
        self.pace = pace
        self.calls: list[ScriptedCall] = []
        self.models_error: Exception | None = None
        self.is_closed = False
        self.lists_at_once = False
        self._models = tuple(
            Model(id=f"{name}/{model}", name=model, provider=name) if isinstance(model, str) else model
            for model in models
        )

    @property
    def requests(self) -> list[GenerationRequest]:
        """The requests so far, oldest first."""
        return [call.request for call in self.calls]

    async def models(self) -> Sequence[Model]:
        """Return the models given at construction."""
        if self.models_error is not None:
            raise self.models_error
        return self._models

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Batch, None]:
        """Play the script."""
        call = ScriptedCall(request)
        self.calls.append(call)
        request.delivery.is_sent = True
        try:
            for step in self.script(request) if callable(self.script) else self.script:
                if isinstance(step, Exception):
                    raise step
                if isinstance(step, asyncio.Event):
                    await step.wait()
                elif isinstance(step, float | int):
                    await asyncio.sleep(step)
                else:
                    yield step
                    # A real stream gives way to others now and then, even one that is never late.
                    await asyncio.sleep(self.pace)
        except (GeneratorExit, asyncio.CancelledError):
            call.closed = True
            raise
        finally:
            call.ended.set()

    async def aclose(self) -> None:
        """Remember that it was closed."""
        self.is_closed = True
