"""Keys: checked, counted, made and kept as they are wished for, and found again by their text."""

from typing import Annotated

import msgspec
from msgspec import Meta

from daehwa.accounts.audit import FactValue
from daehwa.accounts.errors import KeyExpired, KeyRevoked, KeyUnknown
from daehwa.accounts.keys import ApiKey, KeyLimits
from daehwa.accounts.minting import digest_of, mint_key
from daehwa.accounts.ports import KeyStore
from daehwa.conversation.errors import InvalidRequest

MOST_LIVE_KEYS = 50
"""How many keys a person may have that open something."""
MOST_KEPT_KEYS = 1000
"""How many of a person's keys are remembered, revoked and expired ones too."""
NAME_CHARACTERS = 100
MOST_MODELS, MODEL_CHARACTERS = 100, 200
MOST_MONEY = 1_000_000_000_000
"""A million dollars, in micro-dollars."""
LATEST_EXPIRY = 4_102_444_800_000
"""The beginning of the year 2100."""

Money = Annotated[int, Meta(ge=0, le=MOST_MONEY, description="Micro-dollars, at most a million dollars.")]


class KeyWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key to be made: its name, which models it may ask (patterns with `*` too; none named: every model), its limits
    of money, requests and tokens, and when it expires (milliseconds since 1970).
    """

    name: Annotated[str, Meta(description=f"1 to {NAME_CHARACTERS} characters.", max_length=NAME_CHARACTERS)]
    models: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=MODEL_CHARACTERS)], ...],
        Meta(description="Ids, names, aliases, or patterns with `*`; none: every model.", max_length=MOST_MODELS),
    ] = ()
    day: Money | None = None
    month: Money | None = None
    total: Money | None = None
    requests_per_minute: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    tokens_per_minute: Annotated[int, Meta(ge=1, le=1_000_000_000)] | None = None
    expires: Annotated[int, Meta(ge=0, description="Milliseconds since 1970, before the year 2100.")] | None = None

    @property
    def limits(self) -> KeyLimits:
        """What the key may do."""
        return KeyLimits(**{name: getattr(self, name) for name in KeyLimits.__struct_fields__})


async def make_key(store: KeyStore, user: str, wish: KeyWish, *, now: int) -> tuple[ApiKey, str]:
    """Make a key of a user and keep it; return it and its text. Raise `InvalidRequest`."""
    name = _checked_name(wish.name)
    if wish.expires is not None and not now < wish.expires < LATEST_EXPIRY:
        raise InvalidRequest("A key expires at a time to come, before the year 2100.", param="expires")
    await _refuse_too_many(store, user, now)
    key, text = mint_key(user, name, limits=wish.limits, expires=wish.expires, now=now)
    await store.add_key(key)
    return key, text


async def key_of(store: KeyStore, text: str, *, now: int) -> ApiKey:
    """Return the key that has this text. Raise `KeyUnknown`, `KeyRevoked`, `KeyExpired`."""
    key = await store.find_key(digest_of(text))
    if key is None:
        raise KeyUnknown
    if not is_live(key, now):
        raise KeyExpired(key.name) if key.revoked is None else KeyRevoked(key.name)
    return key


def is_live(key: ApiKey, now: int) -> bool:
    """Whether a key opens anything: not revoked, and its time not over."""
    return key.revoked is None and (key.expires is None or now < key.expires)


def facts_of(key: ApiKey) -> dict[str, FactValue]:
    """Return what the audit log says of a key: its id, and what it is called, which is the owner's own word and is
    erased with them, as the event's subject. Never its text.
    """
    return {"key": key.id, "name": key.name, "prefix": key.prefix}


def _checked_name(text: str) -> str:
    name = " ".join(text.split())
    if not 1 <= len(name) <= NAME_CHARACTERS or not name.isprintable():
        raise InvalidRequest(f"A key's name has 1 to {NAME_CHARACTERS} characters.", param="name")
    return name


async def _refuse_too_many(store: KeyStore, user: str, now: int) -> None:
    kept = await store.list_keys(user)
    if sum(is_live(key, now) for key in kept) >= MOST_LIVE_KEYS:
        raise InvalidRequest(f"There are {MOST_LIVE_KEYS} keys already. Revoke one that is not needed any more.")
    if len(kept) >= MOST_KEPT_KEYS:
        raise InvalidRequest(f"{MOST_KEPT_KEYS:,} keys were made already, and no more are remembered for one person.")
