"""Budgets, as they stand for the person who asks."""

import msgspec

from daehwa.accounts.budgets import BudgetState
from daehwa.accounts.memberships import Memberships
from daehwa.server.asgi import Request, Response, json_response
from daehwa.server.books import Books


class BudgetList(msgspec.Struct, frozen=True, kw_only=True):
    """The budgets that count for what this person asks in the page."""

    budgets: tuple[BudgetState, ...]


class BudgetsApi:
    """The operations on budgets."""

    def __init__(self, books: Books, memberships: Memberships) -> None:
        self._books = books
        self._memberships = memberships

    async def list_budgets(self, request: Request) -> Response:
        """List one's own budgets and those of one's groups, with what is spent; to an admin the whole server's too.

        The budgets of single keys are with the keys.
        """
        groups = (await self._memberships.terms_of(request.user)).groups
        return json_response(BudgetList(budgets=await self._books.meter.budgets_of(request.user, groups)))
