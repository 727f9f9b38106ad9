"""What other programs speak with here, wired: OpenAI's dialect under /v1."""

import msgspec

from daehwa.accounts.people import User
from daehwa.accounts.ports import AccountStore, KeyStore, RateStore
from daehwa.conversation.metering import Meter
from daehwa.gateway.callers import Callers
from daehwa.gateway.calls import Gateway
from daehwa.gateway.idempotency import OnceOnly
from daehwa.gateway.ports import AnswerStore, WireModels
from daehwa.gateway.rates import Rates
from daehwa.server.app import Programs
from daehwa.server.openai_v1.api import WIRE_LIMITS, OpenAIV1, WireLimits
from daehwa.settings import Settings
from daehwa.settings.surroundings import is_loopback


class GatewayStores(msgspec.Struct, frozen=True, kw_only=True):
    """Where the gateway keeps what it must remember."""

    accounts: AccountStore
    keys: KeyStore
    rates: RateStore
    answers: AnswerStore


def needs_keys(settings: Settings, *, has_sign_in: bool) -> bool:
    """Whether every program needs a key: not where one person's server is reached from their machine alone."""
    return settings.require_keys or has_sign_in or not is_loopback(settings.host)


def build_programs(
    models: WireModels,
    meter: Meter,
    stores: GatewayStores | None,
    *,
    local: User | None,
    needs_keys: bool,
    limits: WireLimits = WIRE_LIMITS,
) -> Programs:
    """Return the dialects of other programs. `local` is whose server this is, where it is one person's; without
    `needs_keys` it is also who asks without a key.
    """
    owner = None if needs_keys else local
    if stores is None:
        gateway, callers = Gateway(models, meter, None, None), Callers(None, owner=owner, local=local)
    else:
        callers = Callers(stores.keys, stores.accounts, owner=owner, local=local)
        gateway = Gateway(models, meter, Rates(stores.rates), OnceOnly(stores.answers))
    return Programs(OpenAIV1(gateway, callers, limits))
