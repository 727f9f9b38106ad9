"""Who is asking, and what this home offers."""

from daehwa.accounts.installation import Installation
from daehwa.accounts.memberships import Memberships
from daehwa.conversation.ids import now_ms
from daehwa.conversation.ports import ModelCatalogue
from daehwa.conversation.terms import default_offered, offered
from daehwa.server.api.shapes import Me, Person
from daehwa.server.asgi import Request, Response, json_response
from daehwa.server.entrances import Entrances
from daehwa.server.options import ServerOptions

_LOCALES = ("en", "ko")


class MeApi:
    """The operations on the person who asks."""

    def __init__(
        self, catalogue: ModelCatalogue, options: ServerOptions, entrances: Entrances, memberships: Memberships
    ) -> None:
        self._memberships = memberships
        self._catalogue = catalogue
        self._options = options
        self._has_sign_in = entrances.is_any
        self._people = entrances.people if entrances.is_any else None

    async def get_me(self, request: Request) -> Response:
        """Say who is asking, what this home offers and what the limits are."""
        options, user = self._options, request.user
        terms, listed = await self._memberships.terms_of(user), await self._catalogue.models()
        models, decided = offered(listed, terms), await self._decided()
        announced = decided.announcement
        me = Me(
            user=Person(id=user.id, name=user.name, role=user.role, email=user.email, login=user.login),
            sign_in=self._has_sign_in,
            may_administer=self._people is not None and user.role == "admin",
            admins_may_read=decided.admins_may_read,
            home=options.home,
            version=options.version,
            default_model=default_offered(await self._catalogue.default_model(), models, terms),
            locale=preferred_locale(request.header(b"accept-language") or ""),
            limits=options.limits,
            embedded=bool(listed) and all(model.trial for model in listed),
            announcement=None if announced is None or announced.is_over(now_ms()) else announced,
        )
        return json_response(me)

    async def _decided(self) -> Installation:
        """Return what admins decided for all; where nobody signs in, there are none."""
        return Installation() if self._people is None else await self._people.installation.get_installation()


def preferred_locale(accept_language: str) -> str:
    """Return the first of our locales by the header's weights, English where it names none."""
    best, best_weight = _LOCALES[0], 0.0
    for item in accept_language.lower().split(","):
        language, _, parameter = item.strip().partition(";")
        locale = language.partition("-")[0]
        weight = _weight(parameter)
        if locale in _LOCALES and weight > best_weight:
            best, best_weight = locale, weight
    return best


def _weight(parameter: str) -> float:
    name, _, value = parameter.replace(" ", "").partition("=")
    if name != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
