"""The models that can be chosen."""

from daehwa.conversation.ports import ModelCatalogue
from daehwa.server.api.shapes import Models, Problem
from daehwa.server.asgi import Request, Response, json_response


class ModelsApi:
    """The operations on models."""

    def __init__(self, catalogue: ModelCatalogue) -> None:
        self._catalogue = catalogue

    async def get_models(self, _request: Request) -> Response:
        """Return the models that can be chosen now, the default, and why a provider's models are not there."""
        models = await self._catalogue.models()
        default = await self._catalogue.default_model()
        problems = (Problem(name, fault.type, fault.message) for name, fault in self._catalogue.problems().items())
        return json_response(Models(tuple(models), default, tuple(problems)))
