"""What other programs speak with here, built: the gateway, and the dialects before it."""

from daehwa.accounts.memberships import Memberships
from daehwa.gateway.callers import Callers, SignedIn
from daehwa.gateway.calls import Gateway
from daehwa.gateway.idempotency import OnceOnly
from daehwa.gateway.rates import Rates
from daehwa.server.entrances import Entrances
from daehwa.server.openai_v1.api import WIRE_LIMITS, OpenAIV1, WireLimits
from daehwa.server.options import ServerOptions
from daehwa.server.programs import Spoken
from daehwa.services.gateway_parts import GatewayParts
from daehwa.settings import Settings
from daehwa.settings.surroundings import is_loopback

AWS_LIMITS = WireLimits(json_bytes=4_500_000, upload_bytes=4_400_000)
"""Lambda takes events of 6 MB, and a body stands in its event as base64: 4 bytes for 3."""


def build_dialects(
    parts: GatewayParts,
    settings: Settings,
    options: ServerOptions,
    entrances: Entrances,
    *,
    has_classic: bool,
) -> Spoken:
    """Return the dialects.

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
    callers = Callers(parts.keys, parts.accounts, owner=owner, local=local, signed_in=signed_in)
    gateway = Gateway(parts.models, parts.meter, Rates(parts.rates), OnceOnly(parts.answers))
    classic = None
    if has_classic:
        from daehwa.server.classic import ClassicApi  # noqa: PLC0415 - where people sign in it is seldom wanted

        classic = ClassicApi(
            gateway, options, settings.classic_folder, callers=callers, needs_keys=settings.require_keys
        )
    limits = WIRE_LIMITS if is_local else AWS_LIMITS
    # Behind the adapter nobody but it can write the header that says so.
    return Spoken(OpenAIV1(gateway, callers, limits, has_deadline=not is_local, room=parts.room), classic)
