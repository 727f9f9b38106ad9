"""The ledger: one entry a call, open while the call runs, then settled. Money is whole micro-dollars, never a float."""

import msgspec

from daehwa.conversation.messages import Usage
from daehwa.conversation.metering import CallKind


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One call. While it is open, `usage` is None and `reserved` is what is counted; settled, `usage.cost` is.

    `groups` are those of the user at that time. `seconds` of audio and `images` where they were paid for. `failed` is
    the type of the error where the call ended in one.
    """

    id: str
    created: int
    user: str
    kind: CallKind
    model: str
    key: str | None = None
    groups: tuple[str, ...] = ()
    conversation: str | None = None
    reserved: int = 0
    usage: Usage | None = None
    seconds: int = 0
    images: int = 0
    failed: str | None = None

    @property
    def counted(self) -> int:
        """What this entry counts in micro-dollars: the reservation while open, then the cost (0 where unknown)."""
        return self.reserved if self.usage is None else self.usage.cost or 0

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes that this entry is counted under."""
        key = () if self.key is None else (f"key:{self.key}",)
        return ("all", f"user:{self.user}", *key, *(f"group:{group}" for group in self.groups))


class UsageQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries: from `since` to before `until` (ms since 1970, UTC days), of one user or of all. `by_group`: those
    of the same groups are summed up together, else the groups are not told.
    """

    since: int
    until: int
    user: str | None = None
    by_group: bool = False


class UsageRow(msgspec.Struct, frozen=True, kw_only=True):
    """The sum of the entries of one day (UTC, "2026-11-22"), user, key, model and kind, and of the same `groups`, where
    those are asked for: all that the user was in at the time of the call, so that an entry is in one row only.

    `cost` is what is counted, in micro-dollars, open reservations included; `reserved` the part of it that is open.
    `estimated` calls had no usage from the upstream, `unpriced` calls no known price, `failed` calls ended in an error.
    """

    day: str
    user: str
    key: str | None
    model: str
    kind: CallKind
    calls: int
    input: int = 0
    cached: int = 0
    output: int = 0
    reasoning: int = 0
    cost: int = 0
    reserved: int = 0
    estimated: int = 0
    unpriced: int = 0
    failed: int = 0
    groups: tuple[str, ...] = ()
