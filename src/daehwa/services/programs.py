"""What other programs speak with here, wired: OpenAI's dialect under /v1, and that of the 2023 demo."""

import msgspec

from daehwa.accounts.memberships import Memberships
from daehwa.accounts.ports import AccountStore, KeyStore, RateStore
from daehwa.conversation.metering import Meter
from daehwa.gateway.callers import Callers, SignedIn
from daehwa.gateway.calls import Gateway
from daehwa.gateway.idempotency import OnceOnly
from daehwa.gateway.ports import AnswerStore, WireModels
from daehwa.gateway.rates import Rates
from daehwa.server.app import Programs
from daehwa.server.entrances import NO_ENTRANCES, Entrances
from daehwa.server.openai_v1.api import WIRE_LIMITS, OpenAIV1, WireLimits
from daehwa.server.options import ServerOptions
from daehwa.settings import Settings
from daehwa.settings.surroundings import is_loopback


class GatewayStores(msgspec.Struct, frozen=True, kw_only=True):
    """Where the gateway keeps what it must remember."""

    accounts: AccountStore
    keys: KeyStore
    rates: RateStore
    answers: AnswerStore


AWS_LIMITS = WireLimits(json_bytes=4_500_000, upload_bytes=4_400_000)
"""Lambda takes events of 6 MB, and a body stands in its event as base64: 4 bytes for 3."""


def build_programs(
    models: WireModels,
    meter: Meter,
    stores: GatewayStores,
    settings: Settings,
    options: ServerOptions,
    entrances: Entrances = NO_ENTRANCES,
) -> Programs:
    """Return the dialects of other programs.

    No key is needed where a server is one person's and is reached from their machine alone, unless the settings say so:
    the demo's dialect needs one then as well.
    """
    has_sign_in = entrances.is_any
    is_local = options.home == "local"
    local = options.user if is_local else None
    needs_keys = settings.require_keys or has_sign_in or not is_loopback(settings.host)
    owner = None if needs_keys else local
    people = entrances.people if has_sign_in else None
    signed_in = None if people is None else SignedIn(entrances.as_now, Memberships(people.groups))
    callers = Callers(stores.keys, stores.accounts, owner=owner, local=local, signed_in=signed_in)
    gateway = Gateway(models, meter, Rates(stores.rates), OnceOnly(stores.answers))
    has_classic = settings.classic if settings.classic is not None else not (has_sign_in or settings.require_keys)
    classic = None
    if has_classic:
        from daehwa.server.classic import ClassicApi  # noqa: PLC0415 - where people sign in it is seldom wanted

        classic = ClassicApi(
            gateway, options, settings.classic_folder, callers=callers, needs_keys=settings.require_keys
        )
    return Programs(OpenAIV1(gateway, callers, WIRE_LIMITS if is_local else AWS_LIMITS), classic)
