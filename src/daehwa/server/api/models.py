"""The models that can be chosen."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from daehwa.conversation.errors import ProviderError
from daehwa.conversation.ports import ModelCatalogue
from daehwa.server.api.shapes import Models, Problem
from daehwa.server.asgi import Request, Response, json_response


@runtime_checkable
class TellsProblems(Protocol):
    """A catalogue that knows why a provider's models are not there."""

    def problems(self) -> Mapping[str, ProviderError]:
        """Return the reasons, by provider."""
        ...


class ModelsApi:
    """The operations on models."""

    def __init__(self, catalogue: ModelCatalogue) -> None:
        self._catalogue = catalogue

    async def get_models(self, _request: Request) -> Response:
        """Return the models that can be chosen now, the default, and why a provider's models are not there."""
        models = await self._catalogue.models()
        default = await self._catalogue.default_model()
        return json_response(Models(tuple(models), default, self._problems()))

    def _problems(self) -> tuple[Problem, ...]:
        if not isinstance(self._catalogue, TellsProblems):
            return ()
        found = self._catalogue.problems()
        return tuple(Problem(provider, fault.type, fault.message) for provider, fault in found.items())
