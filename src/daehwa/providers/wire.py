"""OpenAI's own dialect, as bytes, to one upstream and back: for the gateway. Nothing is read that need not be.

What goes out has this server's key; of what comes back only errors are read whole, so that no key can be in them. Nor
can one be in a header.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from daehwa.conversation.errors import ProviderAuthError, ProviderMalformedError
from daehwa.gateway.ports import LIMIT_NAMES, Endpoint, Sink, WireAnswer, WireRequest, is_of_events
from daehwa.gateway.whole import SAY_THEIR_END
from daehwa.providers.gate import Gate, Passage
from daehwa.providers.upstream import Upstream
from daehwa.providers.upstream_faults import Faults, UpstreamFault

if TYPE_CHECKING:
    from daehwa.conversation.ports import Model
    from daehwa.providers.upstream_client import UpstreamClient, UpstreamStream

GENERATING = frozenset({"chat/completions", "completions", "responses"})
"""The endpoints to which the settings' `extra_body` is added: others would not know fields such as a temperature."""

# The client's keys for us, and what is said between two neighbours only.
_KEPT_BACK = frozenset(
    {
        *("authorization", "api-key", "x-api-key", "cookie", "host", "content-length", "content-type"),
        *("connection", "expect", "keep-alive", "te", "transfer-encoding", "upgrade"),
    }
)
_REDIRECTS = range(300, 400)


class UpstreamAnswer:
    """An answer on its way. Fulfils `WireAnswer`. `cut`: the fault where it is a stream and nothing at all comes."""

    def __init__(
        self,
        stream: "UpstreamStream",
        headers: Mapping[str, str],
        passage: Passage,
        cut: Callable[[], UpstreamFault] | None,
    ) -> None:
        self.status = stream.status
        self.headers: Mapping[str, str] = _as_read(headers)
        self._stream = stream
        self._passage = passage
        self._cut = cut

    async def read(self) -> bytes:
        """Return what has come; see the protocol."""
        had_begun = self._stream.has_begun
        try:
            piece = await self._stream.read()
            if not piece and not had_begun:
                self._check_empty()
        except UpstreamFault as fault:
            if had_begun:
                self._passage.succeeded()
            raise self._failed(fault) from fault.__cause__
        self._passage.succeeded()
        return piece

    async def forward(self, sink: Sink) -> bytes:
        """Write the body into `sink`; see the protocol."""
        try:
            last = await self._stream.forward(sink)
            if not last and not self._stream.has_begun:
                self._check_empty()
        except UpstreamFault as fault:
            if self._stream.has_begun:
                self._passage.succeeded()
            raise self._failed(fault) from fault.__cause__
        self._passage.succeeded()
        return last

    def _check_empty(self) -> None:
        """Raise where nothing came at all of a stream that says its end."""
        if self._cut is not None and is_of_events(self.headers.get("content-type")):
            raise self._cut()

    def _failed(self, fault: UpstreamFault) -> Exception:
        self._passage.failed(fault.error)
        return fault.error

    def close(self) -> None:
        """End the call."""
        self._stream.close()
        self._passage.leave()


class WholeAnswer:
    """An answer that has been read whole: an error. Fulfils `WireAnswer`."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status = status
        kept = {name: value for name, value in _as_read(headers).items() if name != "transfer-encoding"}
        self.headers: Mapping[str, str] = {**kept, "content-length": str(len(body))}
        self._rest = body

    async def read(self) -> bytes:
        """Return the whole body, and then nothing."""
        body, self._rest = self._rest, b""
        return body

    async def forward(self, sink: Sink) -> bytes:  # noqa: ARG002 - all of it comes with its end
        """Return the whole body."""
        return await self.read()

    def close(self) -> None:
        """Do nothing: the call is over."""


class WireSender:
    """Sends requests to one upstream through its gate. `connected` gives the client to its server."""

    def __init__(
        self, upstream: Upstream, faults: Faults, gate: Gate, connected: "Callable[[], UpstreamClient]"
    ) -> None:
        self._upstream = upstream
        self._faults = faults
        self._gate = gate
        self._connected = connected

    def target(self, model: "Model", upstream_name: str) -> "UpstreamTarget":
        """Return one model as what can be asked."""
        return UpstreamTarget(self, model, upstream_name)

    def searches(self, model: str) -> bool:
        """Return whether a model reads what it finds."""
        return self._upstream.searches(model)

    def default_limit(self, endpoint: Endpoint) -> int | None:
        """Return the limit of an answer that `extra_body` holds."""
        return self._upstream.output_limit(LIMIT_NAMES.get(endpoint, ())) if self._upstream.extra_body else None

    async def send(self, request: WireRequest, model: str) -> WireAnswer:
        """Send a request for `model` and return when the answer's head is there. Raise `ProviderError`."""
        passage = await self._gate.enter()
        is_handed_on = False
        try:
            stream = await self._asked(request)
            if stream.status < _REDIRECTS.start:
                passage.answered()
                is_handed_on = True
                cut = self._faults.cut if request.endpoint in SAY_THEIR_END else None
                return UpstreamAnswer(stream, self._faults.without_keys(stream.headers), passage, cut)
            return await self._refusal(stream, passage, model)
        except UpstreamFault as fault:
            passage.failed(fault.error)
            if fault.again:  # it came to no answer at all: no connection, or one that was lost
                request.is_sent = False
            raise fault.error from fault.__cause__
        finally:
            if not is_handed_on:
                passage.leave()

    def _asked(self, request: WireRequest) -> "Coroutine[Any, Any, UpstreamStream]":
        headers = {low: text for name, text in request.headers if (low := name.lower()) not in _KEPT_BACK}
        headers["content-type"] = request.content_type
        client = self._connected()
        if isinstance(request.body, bytes):
            return client.send(request.endpoint, self._completed(request.endpoint, request.body), headers, request)
        return client.upload(request.endpoint, _noted(request, request.body), request.length, headers)

    def _completed(self, endpoint: Endpoint, body: bytes) -> bytes:
        """Add the fields of the settings that the request does not set itself. A limit that is null is none: so the
        gateway reads it, which reserves the one of the settings then.
        """
        extra = self._upstream.extra_body
        if not extra or endpoint not in GENERATING:
            return body
        try:
            given = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        except (msgspec.DecodeError, UnicodeDecodeError):
            return body  # the upstream will say what it makes of it
        limits = LIMIT_NAMES[endpoint]
        for name in limits:
            if name in given and bytes(given[name]) == b"null":
                del given[name]
        if not given.keys().isdisjoint(limits):  # of two limits an upstream may know the other one alone
            extra = {name: value for name, value in extra.items() if name not in limits}
        return msgspec.json.encode({**extra, **given})

    async def _refusal(self, stream: "UpstreamStream", passage: Passage, model: str) -> WireAnswer:
        try:
            body = await stream.body()
        finally:
            stream.close()
        status, headers = stream.status, stream.headers
        fault = self._faults.answered(status, headers, body, model)
        passage.failed(fault.error)
        # Our key is nobody's business but ours; nor may a client follow to where its own would go. What HTTP does not
        # have cannot be passed on.
        if isinstance(fault.error, ProviderAuthError | ProviderMalformedError) or status in _REDIRECTS:
            raise fault
        return WholeAnswer(status, self._faults.without_keys(headers), self._faults.blotted(body))


async def _noted(request: WireRequest, pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """Yield the pieces of a request, and note once the last of them has gone."""
    async for piece in pieces:
        yield piece
    request.is_sent = True


class UpstreamTarget:
    """One model at an upstream. Fulfils `WireTarget`."""

    def __init__(self, sender: WireSender, model: "Model", upstream_name: str) -> None:
        self.model = model
        self.upstream_name = upstream_name
        self._sender = sender

    @property
    def searches(self) -> bool:
        """Whether the model reads what it finds; see the protocol."""
        return self._sender.searches(self.upstream_name)

    def default_limit(self, endpoint: Endpoint) -> int | None:
        """Return the limit in the settings' `extra_body`; see the protocol."""
        return self._sender.default_limit(endpoint)

    def send(self, request: WireRequest) -> Coroutine[Any, Any, WireAnswer]:
        """Send a request; see the protocol."""
        return self._sender.send(request, self.upstream_name)


def _as_read(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Return the headers of a body that was inflated, where it came compressed although nobody asked for that."""
    if "content-encoding" not in headers:
        return headers
    return {name: value for name, value in headers.items() if name not in {"content-encoding", "content-length"}}
