"""Aliases: one name for a model at several upstreams, and who is asked in which order where one cannot answer."""

import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from typing import Protocol, runtime_checkable

import msgspec

from daehwa.conversation.errors import ProviderError, ProviderModelError
from daehwa.conversation.events import AnsweredBy, Batch
from daehwa.conversation.expecting import Prepares
from daehwa.conversation.paid_answer import finds_more, settled_limit
from daehwa.conversation.ports import GenerationRequest, Model, ResolvedModel
from daehwa.conversation.transcript import CONTINUE, showing
from daehwa.conversation.upstreams import may_ask_another

ROUTES = "routes"
"""What the models of aliases give as their provider."""

Chance = Callable[[], float]


@runtime_checkable
class TriesOnce(Protocol):
    """A provider that can be asked not to try a second time by itself."""

    def generate_once(self, request: GenerationRequest) -> AsyncIterator[Batch]:
        """Yield a reply's events as `generate` does, without a second try."""
        ...


class RouteTarget(msgspec.Struct, frozen=True):
    """A model that may answer for an alias, by id or bare name; `weight` None: asked in the order of the list."""

    model: str
    weight: float | None = None


class ModelRoute(msgspec.Struct, frozen=True):
    """An alias and who answers for it."""

    name: str
    targets: tuple[RouteTarget, ...]

    @property
    def standing_by(self) -> frozenset[str]:
        """The targets' names that are asked only where no other can answer."""
        return frozenset(target.model for target in self.targets if target.weight == 0)

    def in_order(self, chance: Chance = random.random) -> list[str]:
        """Return the targets' names in the order in which they are asked this time: as they stand, or, where there are
        weights, drawn by them. Weight 0: only where no other can answer.
        """
        if all(target.weight is None for target in self.targets):
            return [target.model for target in self.targets]
        # Efraimidis and Spirakis: the largest of u ** (1 / weight) is a fair draw, and so is each next one.
        drawn = {target: _drawn(target, chance) for target in self.targets}
        return [target.model for target in sorted(self.targets, key=lambda target: -drawn[target])]

    def model(self, targets: Sequence[Model]) -> Model:
        """Return the alias as a model: it can do what all of its targets can; images it sees where one of them does."""
        windows = [target.context_window for target in targets if target.context_window is not None]
        states = {target.state for target in targets}
        best = next((state for state in ("ready", "loading") if state in states), "unavailable")
        return Model(
            id=self.name,
            name=self.name,
            provider=ROUTES,
            context_window=min(windows, default=None),
            state=best,  # type: ignore[arg-type] # it is one of them
            titles=all(target.titles for target in targets),
            kind=targets[0].kind,
            sees_images=any(target.sees_images for target in targets),
        )

    def nobody(self) -> ProviderError:
        """Return why the alias is not there."""
        names = ", ".join(target.model for target in self.targets)
        return ProviderModelError(f"No provider serves what the route “{self.name}” leads to: {names}.")


class RoutedProvider:
    """Asks one target after the other until one begins to answer. Fulfils `Provider`, for one alias and one order.

    Where images are shown, those that see are asked first, and where the question itself shows them, no others.
    """

    def __init__(self, model: Model, targets: Sequence[ResolvedModel]) -> None:
        self.name = ROUTES
        self.targets = tuple(targets)
        self.continues_replies = all(target.provider.continues_replies for target in targets)
        self._model = model

    async def models(self) -> Sequence[Model]:
        """Return the alias."""
        return [self._model]

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Batch, None]:
        """Yield the events of the first target that begins to answer, and before them which one that is."""
        targets = _able(self.targets, request) if request.images else self.targets
        for number, target in enumerate(targets, 1):
            has_begun = False
            batches = _asked(target, request, is_last=number == len(targets))
            try:
                async for batch in batches:
                    if has_begun:
                        yield batch
                        continue
                    has_begun = True
                    request = msgspec.structs.replace(request, images={})  # nobody else is asked: let go of them
                    yield (AnsweredBy(target.model.id), *batch)
            except ProviderError as fault:
                if has_begun or number == len(targets) or not may_ask_another(fault):
                    raise
            else:
                return
            finally:
                if isinstance(batches, AsyncGenerator):
                    await batches.aclose()

    def answer_limit(self, model: str) -> int | None:  # noqa: ARG002 - each target has a name of its own
        """Return the largest of the targets' limits, None where one of them has none."""
        limits = [settled_limit(target) for target in self.targets]
        known = [limit for limit in limits if limit is not None]
        return max(known) if len(known) == len(limits) else None

    def searches(self, model: str) -> bool:  # noqa: ARG002 - as above
        """Return whether one of the targets reads what it finds."""
        return any(map(finds_more, self.targets))

    def prepare(self) -> None:
        """Let the first target prepare for a turn that is expected: most likely it is asked."""
        if isinstance(self.targets[0].provider, Prepares):
            self.targets[0].provider.prepare()

    async def aclose(self) -> None:
        """Do nothing: the targets' providers are closed by who made them."""


def _able(targets: Sequence[ResolvedModel], request: GenerationRequest) -> Sequence[ResolvedModel]:
    """Return who may be asked what shows images, in order. Who sees none is given notes of what was shown before."""
    seeing = [target for target in targets if target.model.sees_images]
    asked = (each for each in reversed(request.messages) if each.role == "user" and each.text != CONTINUE)
    question = next(asked, None)
    if question is not None and question.images:
        return seeing
    return [*seeing, *(target for target in targets if not target.model.sees_images)]


def _asked(target: ResolvedModel, request: GenerationRequest, *, is_last: bool) -> AsyncIterator[Batch]:
    request = msgspec.structs.replace(request, model=target.upstream_name)
    if request.images and not target.model.sees_images:
        messages = tuple(showing(message, ()) for message in request.messages)
        request = msgspec.structs.replace(request, messages=messages, images={})
    if not is_last and isinstance(target.provider, TriesOnce):
        return target.provider.generate_once(request)
    return target.provider.generate(request)


def _drawn(target: RouteTarget, chance: Chance) -> float:
    weight = 1.0 if target.weight is None else target.weight
    return chance() ** (1 / weight) if weight else -1.0
