"""What can go wrong with an upstream, each as its error and one sentence that says what to do next. Never the key."""

import re
from collections.abc import Mapping
from math import ceil
from typing import Any

from daehwa.conversation.errors import (
    ProviderAccountError,
    ProviderAuthError,
    ProviderContextError,
    ProviderCutError,
    ProviderError,
    ProviderMalformedError,
    ProviderModelError,
    ProviderRateLimitError,
    ProviderRefusedError,
    ProviderStreamError,
    ProviderTimeoutError,
    ProviderUnavailableError,
    ProviderUnreachableError,
)
from daehwa.conversation.upstreams import NO_ROOM, NOT_NOW, is_beyond_a_minute, says_too_long
from daehwa.http_client.errors import ClientClosed, ConnectFailed, HttpError, NotHttp, TimedOut
from daehwa.providers.upstream import Upstream
from daehwa.providers.upstream_words import Said, refuses_the_key, retry_after, said, said_in

_SHORTEST_SECRET = 4  # blotting out "1" or "no" would blot out the sentence

SAID_CHARACTERS = 300
"""So much of the upstream's own message is passed on."""

# Compiled by the first fault that they are looked for in: each start would pay for it.
_LOOKS_LIKE_A_KEY = r"\b(?:sk|pk|rk|gsk|xai|key)[-_][\w*.-]{6,}|\bBearer\s+\S+|\bAIza[\w-]{10,}"
_ACTED_UPON = r"[\x00-\x1f\x7f-\x9f]"


class UpstreamFault(Exception):  # noqa: N818 - errors state the fact
    """A fault on its way to becoming `error`; `again` says whether another try may help."""

    def __init__(self, error: ProviderError, *, again: bool = False) -> None:
        super().__init__(error.message)
        self.error = error
        self.again = again


class Faults:
    """Makes the faults of one upstream."""

    def __init__(self, upstream: Upstream) -> None:
        self._name = upstream.name
        self._host = upstream.host
        self._has_key = bool(upstream.key or upstream.late_key)
        secrets = (upstream.key, *upstream.headers.values())
        self._secrets = [value for value in secrets if value and len(value) >= _SHORTEST_SECRET]

    def hide(self, secret: str) -> None:
        """Blot out this secret too, in what the upstream says."""
        if secret not in self._secrets and len(secret) >= _SHORTEST_SECRET:
            self._secrets.append(secret)

    def words(self, text: str) -> str:
        """Return the upstream's words fit to be shown, in a terminal's log too: one line, shortened, without keys."""
        for secret in self._secrets:
            text = text.replace(secret, "[key]")
        text = re.sub(_ACTED_UPON, "", " ".join(re.sub(_LOOKS_LIKE_A_KEY, "[key]", text).split()))
        return text if len(text) <= SAID_CHARACTERS else text[: SAID_CHARACTERS - 1] + "…"

    def blotted(self, body: bytes) -> bytes:
        """Return a body without the keys that this program holds, whatever else is in it."""
        for secret in self._secrets:
            body = body.replace(secret.encode("utf-8", "surrogateescape"), b"[key]")
        return body

    def without_keys(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        """Return headers without those in whose text one of our keys stands: some upstreams send all back."""
        for secret in self._secrets:
            if any(secret in text for text in headers.values()):
                headers = {name: text for name, text in headers.items() if secret not in text}
        return headers

    def _quoted(self, text: str) -> str:
        return f" It says: “{words}”" if (words := self.words(text)) else ""

    # ------------------------------------------------------------ by HTTP status

    def answered(self, status: int, headers: Mapping[str, str], body: bytes, model: str | None) -> UpstreamFault:
        """Return the fault that a status other than 200 stands for."""
        told = said_in(body)
        if status > 599:  # noqa: PLR2004 - HTTP statuses are known by their numbers
            return self.malformed(f"the status {status}, which HTTP does not have")
        if refuses_the_key(status, told):
            return UpstreamFault(self._auth(status, told))
        if status == 402 or (status == 429 and "insufficient_quota" in told.code):  # noqa: PLR2004 - as above
            return UpstreamFault(self._used_up(status, told))
        if status in NO_ROOM or is_beyond_a_minute(status, told.code):
            return self._rate_limit(status, headers, told)
        # 501 is no trouble of the upstream's: it cannot do what was asked, and asking again or waiting changes nothing.
        if (status >= 500 and status != 501) or status in NOT_NOW:  # noqa: PLR2004 - as above
            what = "did not come to answer" if status in NOT_NOW else "reported an internal error"
            return UpstreamFault(
                ProviderUnavailableError(
                    f"{self._name} {what} ({status}). Try again in a moment." + self._quoted(told.message),
                    status=status,
                    retry_after=retry_after(headers),
                ),
                again=True,
            )
        return UpstreamFault(self._refused(status, headers, told, model))

    def _auth(self, status: int, told: Said) -> ProviderError:
        if not self._has_key:
            sentence = f"{self._name} wants an API key ({status}) and none is set. Set its key and start again."
        elif status == 401:  # noqa: PLR2004 - HTTP statuses are known by their numbers
            sentence = f"{self._name} does not accept the API key (401). Check the key that is set for it."
        else:
            sentence = (
                f"{self._name} does not allow this with the API key that is set (403). Check what the key may do."
            )
        return ProviderAuthError(sentence + self._quoted(told.message), status=status)

    def _used_up(self, status: int, told: Said) -> ProviderError:
        return ProviderAccountError(
            f"The account at {self._name} is used up ({status}). Check its plan and billing there, or choose another "
            "provider's model." + self._quoted(told.message),
            status=status,
        )

    def _rate_limit(self, status: int, headers: Mapping[str, str], told: Said) -> UpstreamFault:
        wait = retry_after(headers)
        if status not in NO_ROOM:
            sentence = (
                f"{self._name} lets this account have fewer tokens a minute than this question has ({status}). Ask a "
                "shorter one, or choose another model."
            )
        elif wait is not None:
            sentence = f"{self._name} asks to wait {max(1, ceil(wait))} s ({status}). Try again then."
        elif status == 429:  # noqa: PLR2004 - HTTP statuses are known by their numbers
            sentence = f"{self._name} has too many requests from this key (429). Wait a little and try again."
        else:
            sentence = f"{self._name} has no room just now ({status}). Wait a little and try again."
        error = ProviderRateLimitError(sentence + self._quoted(told.message), status=status, retry_after=wait)
        return UpstreamFault(error, again=status in NO_ROOM)

    def _refused(self, status: int, headers: Mapping[str, str], told: Said, model: str | None) -> ProviderError:
        if 300 <= status < 400:  # noqa: PLR2004 - HTTP statuses are known by their numbers
            target = self.words(headers.get("location", "").partition("?")[0])
            return ProviderRefusedError(
                f"{self._name} sends requests on to {target or 'another address'} ({status}), and the key is not sent "
                "there. Set the base URL to the right address.",
                status=status,
            )
        if says_too_long(f"{told.code} {told.message}"):
            return self.too_long(told.message, status)
        if status == 404 and model is not None:  # noqa: PLR2004 - HTTP statuses are known by their numbers
            sentence = (
                f"{self._name} does not serve the model “{model}” (404). Choose another model."
                if "model" in f"{told.code} {told.message}".lower()
                else f"{self._name} does not know this address or model (404). Check the model “{model}” and the base "
                "URL, which usually ends in /v1."
            )
            return ProviderModelError(sentence + self._quoted(told.message), status=status)
        if "model_not_found" in told.code:
            return ProviderModelError(
                f"{self._name} does not serve the model “{model}” ({status}). Choose another model."
                + self._quoted(told.message),
                status=status,
            )
        return ProviderRefusedError(
            f"{self._name} refuses this request ({status}). Change the question, or choose another model."
            + self._quoted(told.message),
            status=status,
        )

    def too_long(self, message: str, status: int | None = None) -> ProviderError:
        """Return the error of a prompt that does not fit into the model's context window."""
        return ProviderContextError(
            "This conversation is longer than the model can read. Begin a new one, or choose a model with a larger "
            f"context window.{self._quoted(message)}",
            status=status,
        )

    def cannot_list(self, status: int) -> UpstreamFault:
        """Return the fault of an upstream that has no list of its models."""
        return UpstreamFault(
            ProviderModelError(
                f"{self._name} does not list its models ({status}). Name them in the settings, or check the base URL, "
                "which usually ends in /v1.",
                status=status,
            )
        )

    # ------------------------------------------------------------ of the connection

    def of_exchange(self, fault: HttpError) -> UpstreamFault:
        """Return the fault of a request that came to no answer."""
        match fault:
            case ConnectFailed():
                return self._no_connection(fault)
            case TimedOut(connecting=True):
                return self.connect_timeout(fault.seconds)
            case TimedOut():
                return self.first_byte_timeout(fault.seconds)
            case NotHttp():
                return self.malformed(fault.message)
            case ClientClosed():
                return self.closed()
            case _:
                return self.connection_lost()

    def _no_connection(self, fault: ConnectFailed) -> UpstreamFault:
        match fault.reason:
            case "address":
                return self.bad_address()
            case "name":
                return self.name_not_found()
            case "refused":
                return self.refused_connection(fault.detail)
            case "trust":
                return self.no_trust(fault.detail)
            case "proxy":
                return self.proxy_fault(fault.detail)

    def _unreachable(self, sentence: str, *, again: bool) -> UpstreamFault:
        return UpstreamFault(ProviderUnreachableError(sentence), again=again)

    def name_not_found(self) -> UpstreamFault:
        """Return the fault of a host name that DNS does not know."""
        return self._unreachable(
            f"The name of {self._name}'s server, {self._host}, is not found. Check the internet connection "
            "and the base URL.",
            again=True,
        )

    def refused_connection(self, why: str) -> UpstreamFault:
        """Return the fault of a server that takes no connection."""
        what = (
            f"{self._name} refused the connection at {self._host}"
            if why.strip().lower() == "connection refused"
            else f"{self._name} cannot be reached at {self._host} ({self.words(why)})"
        )
        return self._unreachable(
            f"{what}. Check that it is running and that the base URL is right.",
            again=True,
        )

    def no_trust(self, why: str) -> UpstreamFault:
        """Return the fault of a certificate that cannot be trusted, or of a server without TLS."""
        return self._unreachable(
            f"No safe connection to {self._name} at {self._host}: {self.words(why)}. Check the base URL, and the "
            "certificate authorities where the server has a private one.",
            again=False,
        )

    def proxy_fault(self, why: str) -> UpstreamFault:
        """Return the fault of a proxy between here and the upstream."""
        return self._unreachable(
            f"The proxy on the way to {self._name} does not let the request through ({self.words(why)}). Check "
            "HTTPS_PROXY and NO_PROXY.",
            again=False,
        )

    def bad_address(self) -> UpstreamFault:
        """Return the fault of a base URL that is none."""
        return self._unreachable(
            f"The base URL of {self._name} is not an address of the form https://host/v1. Set it right.", again=False
        )

    def connection_lost(self) -> UpstreamFault:
        """Return the fault of a connection that closes before an answer."""
        return self._unreachable(
            f"{self._name} closed the connection before it answered. Try again in a moment.", again=True
        )

    def closed(self) -> UpstreamFault:
        """Return the fault of a provider that this program has closed, because it is ending."""
        return self._unreachable(f"The connection to {self._name} is closed: daehwa is ending.", again=False)

    def connect_timeout(self, seconds: float) -> UpstreamFault:
        """Return the fault of a connection that does not come about."""
        return UpstreamFault(
            ProviderTimeoutError(
                f"No connection to {self._name} at {self._host} within {seconds:g} s. Check the network and the "
                "base URL."
            ),
            again=True,
        )

    def first_byte_timeout(self, seconds: float) -> UpstreamFault:
        """Return the fault of an upstream that takes the question and says nothing."""
        return UpstreamFault(
            ProviderTimeoutError(
                f"{self._name} did not begin to answer within {seconds:g} s. Try again, or choose another model."
            )
        )

    def silent(self, seconds: float) -> UpstreamFault:
        """Return the fault of an upstream that does not say which models it has."""
        return UpstreamFault(
            ProviderTimeoutError(
                f"{self._name} at {self._host} has not answered for {seconds:g} s. Check that it is running and that "
                "the base URL is right."
            )
        )

    def idle_timeout(self, seconds: float) -> UpstreamFault:
        """Return the fault of an upstream that falls silent."""
        return UpstreamFault(
            ProviderTimeoutError(
                f"{self._name} fell silent for {seconds:g} s in the middle of the answer. Continue it, or try again."
            )
        )

    # ------------------------------------------------------------ of the stream

    def cut(self) -> UpstreamFault:
        """Return the fault of a stream without its end."""
        return UpstreamFault(
            ProviderCutError(f"{self._name}'s answer broke off. Continue it, or try again."), again=True
        )

    def malformed(self, what: str) -> UpstreamFault:
        """Return the fault of bytes that are not the wire protocol."""
        return UpstreamFault(
            ProviderMalformedError(
                f"{self._name} sent {what}. Check that its base URL leads to an OpenAI-compatible API; it usually "
                "ends in /v1."
            )
        )

    def reported(self, error: Any) -> UpstreamFault:
        """Return the fault of an error object inside the stream."""
        told = said(error)
        if says_too_long(f"{told.code} {told.message}"):
            return UpstreamFault(self.too_long(told.message))
        return UpstreamFault(
            ProviderStreamError(
                f"{self._name} reported an error in the middle of its answer. Try again."
                + self._quoted(told.message or told.code)
            )
        )
