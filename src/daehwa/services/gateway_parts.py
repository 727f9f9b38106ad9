"""What the gateway is built of."""

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from daehwa.accounts.ports import AccountStore, KeyStore, RateStore
    from daehwa.conversation.metering import Meter
    from daehwa.conversation.room import Room
    from daehwa.gateway.ports import AnswerStore, WireModels


class GatewayParts(msgspec.Struct, frozen=True):
    """What the gateway asks, what counts its calls, where it keeps what it must remember, and what room there is for
    large calls.
    """

    models: "WireModels"
    meter: "Meter"
    accounts: "AccountStore"
    keys: "KeyStore"
    rates: "RateStore"
    answers: "AnswerStore"
    room: "Room"
