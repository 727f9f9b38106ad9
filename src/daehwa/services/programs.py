"""What other programs speak with here: OpenAI's dialect under /v1, and that of the 2023 demo. Which of them there are
is known at once; they are built, with the gateway behind them, when one is first spoken.
"""

from typing import TYPE_CHECKING

from daehwa.server.programs import Programs, Spoken
from daehwa.services.gateway_parts import GatewayParts

if TYPE_CHECKING:
    from daehwa.server.entrances import Entrances
    from daehwa.server.options import ServerOptions
    from daehwa.settings import Settings


def build_programs(
    parts: GatewayParts, settings: "Settings", options: "ServerOptions", entrances: "Entrances"
) -> Programs:
    """Return the dialects of other programs."""
    needs_somebody = entrances.is_any or settings.require_keys
    has_classic = settings.classic if settings.classic is not None else not needs_somebody

    def speak() -> Spoken:
        from daehwa.services.dialects import build_dialects  # noqa: PLC0415 - no start needs what is behind it

        return build_dialects(parts, settings, options, entrances, has_classic=has_classic)

    return Programs(speak, has_classic=has_classic)
