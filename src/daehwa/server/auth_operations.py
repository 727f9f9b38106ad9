"""The rows of the way in and out."""

from collections.abc import Iterator

from daehwa.accounts.errors import SignInOff
from daehwa.conversation.errors import StoreError
from daehwa.server.auth import AuthApi, Doors, SignedOut, SignInQuery
from daehwa.server.routing import Operation
from daehwa.server.wiring import Wiring
from daehwa.sign_in.errors import ProviderOff
from daehwa.sign_in.flow import ProviderAnswer


def auth_operations(wiring: Wiring) -> Iterator[Operation]:
    """Yield them."""
    entrances = wiring.entrances
    api = AuthApi(entrances.sign_in, wiring.identity, wiring.options, entrances.local)
    go, back, off = "/auth/sign-in", "/auth/callback", (SignInOff, ProviderOff)
    yield Operation("GET", go, api.begin_sign_in, query=SignInQuery, status=302, errors=off, is_open=True)
    yield Operation("GET", back, api.finish_sign_in, query=ProviderAnswer, status=302, errors=off, is_open=True)
    answers, errors = (SignedOut,), (SignInOff, StoreError)
    yield Operation("POST", "/auth/sign-out", api.sign_out, answers=answers, errors=errors, is_open=True)
    yield Operation("GET", "/auth/doors", api.get_doors, answers=(Doors,), is_open=True)
