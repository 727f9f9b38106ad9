"""Challenges for passkeys, kept by the browser that asked for one: whoever asks for a million fills nobody's memory."""

import hmac
import os
from collections.abc import Callable

from daehwa.conversation.ids import now_ms
from daehwa.sign_in.tokens import encoded

CHALLENGE_SECONDS = 5 * 60


class Challenges:
    """Makes challenges and takes each back once. What a cookie says is sealed with a secret of this process."""

    def __init__(self, clock: Callable[[], int] = now_ms) -> None:
        self._clock = clock
        self._secret = os.urandom(32)
        self._taken: dict[str, int] = {}

    def new(self, purpose: str) -> tuple[str, bytes]:
        """Return the cookie's text and the challenge that it stands for."""
        text = f"{self._clock() + CHALLENGE_SECONDS * 1000:x}.{encoded(os.urandom(16))}"
        return text, self._challenge(purpose, text)

    def open(self, purpose: str, text: str | None) -> bytes | None:
        """Return the challenge of a cookie, None where it is too old, used or none of ours: then no answer to it is."""
        until, dot, _ = (text or "").partition(".")
        if text is None or not dot or not self._is_to_come(until) or text in self._taken:
            return None
        return self._challenge(purpose, text)

    def use_up(self, text: str) -> bool:
        """Use a challenge up, once its answer was right; False where another one was quicker."""
        now = self._clock()
        self._taken = {each: until for each, until in self._taken.items() if until > now}
        if text in self._taken:
            return False
        self._taken[text] = int(text.partition(".")[0], 16)
        return True

    def _is_to_come(self, until: str) -> bool:
        now = self._clock()
        try:
            return now < int(until, 16) <= now + CHALLENGE_SECONDS * 1000
        except ValueError:
            return False

    def _challenge(self, purpose: str, text: str) -> bytes:
        # Without the secret nobody knows what a cookie's challenge would be, so a made-up cookie has no answer.
        return hmac.digest(self._secret, f"{purpose} {text}".encode(), "sha256")
