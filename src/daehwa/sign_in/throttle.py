"""How often may be tried what can be guessed: a bucket of tries for each address and each account, which fills again.

A try is taken before it is known whether it is right, so that a hundred at once are no way around, and given back where
it was. Buckets are this process's own: a restart fills them, and costs whoever guesses more than it gives.
"""

from collections.abc import Callable

import msgspec

from daehwa.conversation.ids import now_ms
from daehwa.sign_in.errors import TooManyAttempts


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """So many tries at once, and then one more each so many seconds."""

    tries: int
    seconds: float


ADDRESS = Pace(tries=30, seconds=10)
"""Wrong tries from one address (IPv6: one network of /64), whatever accounts they name."""
ACCOUNT = Pace(tries=10, seconds=60)
"""Wrong passwords for one account name, known or not, from browsers that nobody has signed in with before."""
BROWSER = Pace(tries=10, seconds=60)
"""Wrong passwords from a browser in which its owner has signed in before: others cannot use these up."""
CODE = Pace(tries=10, seconds=300)
"""Wrong codes for one account, after the right password."""
BEGIN = Pace(tries=300, seconds=1)
"""Sign-ins that are begun at the identity provider from one address and not finished: each is kept for ten minutes."""
GOING = Pace(tries=2, seconds=24 * 3600)
"""Accounts that one person of the identity provider deletes: they come back at once, and each deletion has the file
written anew, in which time nobody else's words can be kept.
"""
MAIL = Pace(tries=3, seconds=1200)
"""Mails with a link to one account."""
MAIL_FROM = Pace(tries=10, seconds=360)
"""Mails asked for from one address."""
MOST_BUCKETS = 20_000


class _Bucket(msgspec.Struct, frozen=True):
    """When it is full again, how it fills, and when a try was last taken from it."""

    full_at: float
    pace: Pace
    used: float

    def at(self, now: float) -> "_Bucket":
        """Return it as it is by the clock of now. Where that was put back, no time has passed; where by more than it
        takes to fill, it is full: nobody knows how much has.
        """
        back = self.used - now
        if back <= 0:
            return self
        is_full = back > self.pace.tries * self.pace.seconds
        return _Bucket(now if is_full else self.full_at - back, self.pace, now)


class Throttle:
    """Counts tries."""

    def __init__(self, clock: Callable[[], int] = now_ms, *, most: int = MOST_BUCKETS) -> None:
        self._clock = clock
        self._most = most
        self._buckets: dict[str, _Bucket] = {}

    def take(self, name: str, pace: Pace) -> None:
        """Take a try. Raise `TooManyAttempts` where none is left."""
        now = self._clock() / 1000
        bucket = self._buckets.pop(name, _Bucket(now, pace, now)).at(now)
        self._buckets[name] = bucket  # last, as those used last are
        full_at = max(bucket.full_at, now) + pace.seconds
        wait = full_at - now - pace.tries * pace.seconds
        if wait > 0:
            raise TooManyAttempts(wait)
        self._buckets[name] = _Bucket(full_at, pace, now)
        if len(self._buckets) > self._most:
            self._forget(now)

    def give_back(self, name: str) -> None:
        """Give a try back: it was right."""
        found = self._buckets.get(name)
        if found is not None:
            self._buckets[name] = _Bucket(found.full_at - found.pace.seconds, found.pace, found.used)

    def _forget(self, now: float) -> None:
        """Forget full buckets; where there are none, those that were not used for the longest time."""
        full = [name for name, bucket in self._buckets.items() if bucket.full_at <= now]
        for name in full or list(self._buckets)[: self._most // 10]:
            del self._buckets[name]
