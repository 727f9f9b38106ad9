"""Who calls: the person whose key a program sends, or, where no key is needed, the owner."""

import logging
import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from daehwa.accounts.errors import AccountDisabled, KeyMissing, KeyUnknown, ModelNotAllowed, NotAllowed
from daehwa.accounts.key_making import key_of
from daehwa.accounts.keys import ApiKey, Caller
from daehwa.accounts.minting import KEY_BEGINNING
from daehwa.accounts.people import User
from daehwa.accounts.ports import AccountStore, KeyStore
from daehwa.conversation.errors import DaehwaError
from daehwa.conversation.ids import now_ms
from daehwa.conversation.ports import Model

NOTED_EVERY_MS = 60_000
"""A key's last use is written down at most this often."""
_MOST_KNOWN = 10_000

_log = logging.getLogger("daehwa")


class Callers:
    """Knows callers by their keys. `owner`: who asks without a key; None where everybody needs one. `local` is who has
    keys without being among the people. `as_now` returns somebody as what the settings let them be now, None where they
    may not come in; without it nobody signs in, and all keys are of those who are known.

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
        as_now: Callable[[User], User | None] | None = None,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._keys = keys
        self._accounts = accounts
        self._owner = owner
        self._local = local or owner
        self._as_now = as_now
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
        return Caller(user=user, key=key)

    async def _user(self, user: str) -> User:
        is_local = self._local is not None and user == self._local.id
        if is_local and self._as_now is None and self._local is not None:
            return self._local
        found = None if self._accounts is None else await self._accounts.get_user(user)
        if found is None:
            if not is_local or self._local is None:
                raise KeyUnknown
            return self._local  # the keys that were made at the terminal before anybody signed in
        return found if self._as_now is None else self._judged(found, self._as_now)

    @staticmethod
    def _judged(user: User, as_now: Callable[[User], User | None]) -> User:
        if user.disabled is not None or user.leaving is not None:
            raise AccountDisabled
        now = as_now(user)
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
    """Whether the caller's key names this model: by id, bare name, the alias that was asked, or a pattern."""
    allowed = () if caller.key is None else caller.key.limits.models
    if not allowed:
        return True
    matches = _pattern(allowed).fullmatch
    return any(matches(name) for name in (model.id, model.name, model.id.partition("/")[2], asked or ""))


def refused_model(caller: Caller, asked: str | None, default: Model) -> ModelNotAllowed:
    """Return the error for a model that the caller's key does not name; `default` answers where none was asked."""
    allowed: Sequence[str] = () if caller.key is None else caller.key.limits.models
    return ModelNotAllowed(f"'{default.id}', the default model" if asked is None else f"'{asked}'", ", ".join(allowed))


@lru_cache(maxsize=1024)
def _pattern(allowed: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(_expression, allowed)), re.DOTALL)


def _expression(name: str) -> str:
    """Return a name whose stars stand for any text. What a star has taken is not tried again another way: a pattern
    of nothing but stars would take for ever.
    """
    first, *rest = map(re.escape, name.split("*"))
    if not rest:
        return first
    return "".join((first, *(f"(?>.*?{text})" for text in rest[:-1]), ".*", rest[-1]))
