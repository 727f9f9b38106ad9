"""What the gateway is built of."""

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from daehwa.accounts.ports import AccountStore, KeyStore, RateStore
    from daehwa.conversation.metering import Meter
    from daehwa.gateway.ports import AnswerStore, WireModels


class GatewayParts(msgspec.Struct, frozen=True):
    """What the gateway asks, what counts its calls, and where it keeps what it must remember."""

    models: "WireModels"
    meter: "Meter"
    accounts: "AccountStore"
    keys: "KeyStore"
    rates: "RateStore"
    answers: "AnswerStore"
