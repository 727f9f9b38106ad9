"""The models that can be chosen, and what they cost."""

from contextlib import suppress

from daehwa.accounts.budgets import BudgetState
from daehwa.accounts.memberships import Memberships
from daehwa.conversation.errors import StoreError
from daehwa.conversation.ports import ModelCatalogue
from daehwa.conversation.terms import default_offered, offered
from daehwa.server.api.shapes import ModelPrice, Models, Problem
from daehwa.server.asgi import Request, Response, json_response
from daehwa.server.books import Books


class ModelsApi:
    """The operations on models."""

    def __init__(self, catalogue: ModelCatalogue, books: Books, memberships: Memberships) -> None:
        self._catalogue = catalogue
        self._books = books
        self._memberships = memberships

    async def get_models(self, request: Request) -> Response:
        """Return the models that one can choose, the default, why others are not there, prices and one's budgets.

        Where the store does not tell the budgets there are none: it is the models that are asked for.
        """
        terms = await self._memberships.terms_of(request.user)
        models = offered(await self._catalogue.models(), terms)
        default = default_offered(await self._catalogue.default_model(), models, terms)
        problems = (Problem(name, fault.type, fault.told) for name, fault in self._catalogue.problems().items())
        prices = {model.id: price for model in models if (price := self._price_of(model.id)) is not None}
        budgets: tuple[BudgetState, ...] = ()
        with suppress(StoreError):
            budgets = await self._books.meter.budgets_of(request.user, terms.groups)
        return json_response(Models(models, default, tuple(problems), prices, budgets))

    def _price_of(self, model: str) -> ModelPrice | None:
        price = self._books.meter.price_now(model)
        if price is None:
            return None
        rates = price.rates_for(0)
        cached = rates.input if rates.cached is None else rates.cached
        return ModelPrice(input=rates.input, cached=cached, output=rates.output)
