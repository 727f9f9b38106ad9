"""Who calls: the person whose key a program sends, or, where no key is needed, the owner."""

import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple

from daehwa.accounts.errors import AccountDisabled, KeyMissing, KeyUnknown, ModelNotAllowed, NotAllowed
from daehwa.accounts.key_making import key_of
from daehwa.accounts.keys import ApiKey, Caller
from daehwa.accounts.memberships import Memberships
from daehwa.accounts.minting import KEY_BEGINNING
from daehwa.accounts.people import User
from daehwa.accounts.ports import AccountStore, KeyStore
from daehwa.conversation.errors import DaehwaError, ModelNotOffered
from daehwa.conversation.ids import now_ms
from daehwa.conversation.ports import Model
from daehwa.conversation.terms import OPEN_TERMS, is_named

NOTED_EVERY_MS = 60_000
"""A key's last use is written down at most this often."""
_MOST_KNOWN = 10_000

_log = logging.getLogger("daehwa")


class SignedIn(NamedTuple):
    """Where people sign in. `as_now` returns somebody as what the settings let them be now, None where they may not
    come in; `memberships` know what their groups mean.
    """

    as_now: Callable[[User], User | None]
    memberships: Memberships


class Callers:
    """Knows callers by their keys. `owner`: who asks without a key; None where everybody needs one. `local` is who has
    keys without being among the people. `signed_in` None: nobody signs in, and all keys are of those who are known.

    A text is looked up by its SHA-256, so how long that takes tells nothing of how near a guess is. Key and person are
    looked up for each call: what is revoked, and who is disabled, stops at once.
    """

    def __init__(
        self,
        keys: KeyStore,
        accounts: AccountStore | None = None,
        *,
        owner: User | None = None,
        local: User | None = None,
        signed_in: SignedIn | None = None,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._keys = keys
        self._accounts = accounts
        self._owner = owner
        self._local = local or owner
        self._signed_in = signed_in
        self._clock = clock
        self._noted: dict[str, int] = {}

    async def caller_of(self, text: str | None) -> Caller:
        """Return who calls with this key. Raise `KeyMissing`, `KeyUnknown`, `KeyExpired`, `KeyRevoked`, and, where the
        person may not call, `NotAllowed`.

        Where nobody needs a key, what does not look like one of ours is no matter: clients must send something.
        """
        if not text or not text.startswith(KEY_BEGINNING):
            if self._owner is not None:
                return Caller(user=self._owner)
            raise KeyUnknown if text else KeyMissing
        now = self._clock()
        key = await key_of(self._keys, text, now=now)
        user = await self._user(key.user)
        await self._note(key, now)
        return await self.caller(user, key)

    async def caller(self, user: User, key: ApiKey | None = None) -> Caller:
        """Return a person who asks, under the terms of their groups."""
        terms = OPEN_TERMS if self._signed_in is None else await self._signed_in.memberships.terms_of(user)
        return Caller(user=user, key=key, terms=terms)

    async def _user(self, user: str) -> User:
        is_local = self._local is not None and user == self._local.id
        if is_local and self._signed_in is None and self._local is not None:
            return self._local
        found = None if self._accounts is None else await self._accounts.get_user(user)
        if found is None:
            if not is_local or self._local is None:
                raise KeyUnknown
            return self._local  # the keys that were made at the terminal before anybody signed in
        return found if self._signed_in is None else self._judged(found, self._signed_in)

    @staticmethod
    def _judged(user: User, signed_in: SignedIn) -> User:
        if user.disabled is not None or user.leaving is not None:
            raise AccountDisabled
        now = signed_in.as_now(user)
        if now is None:
            raise NotAllowed("Whose key this is may not come in here any more, so it opens nothing.")
        if now.role == "guest":
            raise NotAllowed("Guests have no API keys, so this one opens nothing. Ask an admin to be made a member.")
        return now

    async def _note(self, key: ApiKey, now: int) -> None:
        if now - self._noted.get(key.id, key.last_used or 0) < NOTED_EVERY_MS:
            return
        if len(self._noted) >= _MOST_KNOWN:
            self._noted.clear()
        self._noted[key.id] = now
        try:
            await self._keys.note_key_used(key.id, now=now)
        except DaehwaError as error:
            _log.warning("the last use of a key is not written down: %s", error.message)


def may_ask(caller: Caller, model: Model, asked: str | None) -> bool:
    """Whether the caller's key and groups name this model: by id, bare name, the alias that was asked, or a pattern."""
    allowed = () if caller.key is None else caller.key.limits.models
    return (not allowed or is_named(allowed, model, asked)) and caller.terms.offers(model, asked)


def is_limited(caller: Caller) -> bool:
    """Whether there may be models that the caller must not ask."""
    return caller.terms.models is not None or (caller.key is not None and bool(caller.key.limits.models))


def refused_model(caller: Caller, asked: str | None, default: Model) -> DaehwaError:
    """Return the error for a model that the caller may not ask; `default` answers where none was asked."""
    name = f"'{default.id}', the default model" if asked is None else f"'{asked}'"
    allowed: Sequence[str] = () if caller.key is None else caller.key.limits.models
    if allowed and not is_named(allowed, default, asked):
        return ModelNotAllowed(name, ", ".join(allowed))
    return ModelNotOffered(name, caller.terms.models or ())
