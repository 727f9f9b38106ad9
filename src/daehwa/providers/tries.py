"""How often an upstream is asked again, and after which pause."""

import asyncio
import random

from daehwa.providers.upstream import Upstream
from daehwa.providers.upstream_faults import UpstreamFault


class Tries:
    """Counts the tries of one call and says how long to wait before the next: exponential, with full jitter.
    `most` tries; None: as many as the upstream's patience allows.
    """

    def __init__(self, upstream: Upstream, *, most: int | None = None) -> None:
        self._patience = upstream.patience
        self._most = self._patience.tries if most is None else most
        self._began = asyncio.get_running_loop().time()
        self._failed = 0

    def wait_after(self, fault: UpstreamFault) -> float | None:
        """Return the seconds to wait before another try, None when there shall be none."""
        patience = self._patience
        self._failed += 1
        spent = asyncio.get_running_loop().time() - self._began
        asked = fault.error.retry_after or 0.0
        if not fault.again or self._failed >= self._most or asked > patience.retry_wait:
            return None
        longest = min(patience.retry_wait, patience.retry_base * 2 ** (self._failed - 1))
        wait = asked + random.uniform(0, longest)  # noqa: S311 - jitter is no secret
        return wait if spent + wait <= patience.retry_for else None
