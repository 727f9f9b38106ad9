"""The models that can be chosen."""

from daehwa.conversation.ports import ModelCatalogue
from daehwa.server.api.shapes import Models
from daehwa.server.asgi import Request, Response, json_response


class ModelsApi:
    """The operations on models."""

    def __init__(self, catalogue: ModelCatalogue) -> None:
        self._catalogue = catalogue

    async def get_models(self, _request: Request) -> Response:
        """Return the models that can be chosen now, and the default."""
        models = await self._catalogue.models()
        return json_response(Models(tuple(models), await self._catalogue.default_model()))
