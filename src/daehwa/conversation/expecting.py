"""A turn that is expected: somebody writes a question, and whoever will answer it can prepare for that."""

from typing import Protocol, runtime_checkable

from daehwa.conversation.errors import DaehwaError
from daehwa.conversation.ports import ModelCatalogue
from daehwa.conversation.terms import Terms, offered_model


@runtime_checkable
class Prepares(Protocol):
    """A provider that can do beforehand some of what a turn would wait for."""

    def prepare(self) -> None:
        """Begin with it and return at once. It costs nothing, asks nothing of a model, and no fault of it is told."""
        ...


async def expect_turn(catalogue: ModelCatalogue, asked: str | None, terms: Terms) -> None:
    """Let the provider of the model that is asked for prepare. What is wrong will be said to the turn."""
    try:
        found = await offered_model(catalogue, asked, terms)
    except DaehwaError:
        return
    if isinstance(found.provider, Prepares):
        found.provider.prepare()
