"""Any upstream that speaks OpenAI's wire: chat completions streamed, models listed, faults named, tries bounded."""

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from daehwa.conversation.events import Batch, ProviderEvent
from daehwa.conversation.ports import GenerationRequest, Model
from daehwa.conversation.upstreams import UpstreamState
from daehwa.providers.chunks import DONE, ChunkReader
from daehwa.providers.gate import Gate
from daehwa.providers.listing import listed_models, named_models
from daehwa.providers.pacing import Beat
from daehwa.providers.sse import EventDecoder, EventTooLong
from daehwa.providers.upstream import Upstream
from daehwa.providers.upstream_faults import Faults, UpstreamFault, said_in

if TYPE_CHECKING:
    from daehwa.providers.upstream_client import UpstreamClient, UpstreamStream
    from daehwa.providers.wire import UpstreamTarget, WireSender

_OK = 200
_REFUSALS = frozenset({400, 422})
_OLD_LIMIT = "max_tokens"
_NEW_LIMIT = "max_completion_tokens"


class OpenAIWireProvider:
    """One upstream. `beat` is shared by all providers of a process, so that their streams wake together."""

    def __init__(self, upstream: Upstream, *, beat: Beat | None = None) -> None:
        self.name = upstream.name
        self.address = upstream.host
        self.continues_replies = upstream.continues_replies
        self._upstream = upstream
        self._faults = Faults(upstream)
        self.gate = Gate(upstream.name, max_concurrent=upstream.max_concurrent)
        self._beat = beat or Beat()
        self._client: UpstreamClient | None = None
        self._sender: WireSender | None = None
        self._is_closed = False
        self._asks_usage = True
        # OpenAI's newer models refuse the old name, most other upstreams know no other.
        self._limit_names: dict[str, str] = {}

    async def warm_up(self) -> None:
        """Import the HTTP client off the event loop, so that the first turn does not wait for it."""
        await asyncio.to_thread(_import_client)
        self._connected()

    async def models(self) -> Sequence[Model]:
        """Return the models that the settings name, else those that the upstream lists. Without a key there are none:
        raise `KeyNotSet` before anybody asks one of them.
        """
        if not self._upstream.models:
            return await self.listed()
        if self._upstream.late_key is not None:
            await self._upstream.late_key.read()
        return named_models(self._upstream)

    async def listed(self) -> Sequence[Model]:
        """Return the models that the upstream lists, whatever the settings name."""
        upstream = self._upstream
        try:
            async with asyncio.timeout(upstream.patience.listing):
                return listed_models(upstream, await self._listing())
        except TimeoutError:
            raise self._faults.silent(upstream.patience.listing).error from None
        except UpstreamFault as fault:
            raise fault.error from fault.__cause__
        except (msgspec.DecodeError, UnicodeDecodeError) as fault:
            raise self._faults.malformed("a list of models that is none").error from fault

    async def _listing(self) -> bytes:
        stream = await self._connected().get("models")
        try:
            body = await stream.body()
            if stream.status in {404, 405}:
                raise self._faults.cannot_list(stream.status)
            if stream.status != _OK:
                raise self._faults.answered(stream.status, stream.headers, body, None)
        finally:
            stream.close()
        return body

    def wire_target(self, model: Model, upstream_name: str) -> "UpstreamTarget":
        """Return what sends requests for a model, as bytes."""
        if self._sender is None:
            from daehwa.providers.wire import WireSender  # noqa: PLC0415 - no start needs it

            self._sender = WireSender(self._upstream, self._faults, self.gate, self._connected)
        return self._sender.target(model, upstream_name)

    def upstream_state(self) -> UpstreamState:
        """Return how the upstream fares."""
        return self.gate.state()

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Batch, None]:
        """Yield the reply's events; see the protocol."""
        tries = _Tries(self._upstream)
        while True:
            has_begun = False
            reply: _StreamedReply | None = None
            passage = await self.gate.enter()
            try:
                reply = _StreamedReply(await self._open(request), self._faults)
                while batch := await reply.batch():
                    if not has_begun:
                        has_begun = True
                        passage.succeeded()
                    yield batch
            except UpstreamFault as fault:
                passage.failed(fault.error)
                wait = None if has_begun or self.gate.is_open else tries.wait_after(fault)
                if wait is None:
                    raise fault.error from fault.__cause__
            else:
                return
            finally:
                if reply is not None:
                    reply.close()
                passage.leave()
            await asyncio.sleep(wait)

    async def aclose(self) -> None:
        """Close the connections."""
        self._is_closed = True
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _connected(self) -> "UpstreamClient":
        if self._is_closed:
            raise self._faults.closed()
        if self._client is None:
            self._client = _import_client()(self._upstream, self._faults, self._beat)
        return self._client

    async def _open(self, request: GenerationRequest) -> "UpstreamStream":
        # Three rounds at most: one again for an upstream without usage, one for the other name of the output limit.
        while True:
            asked = self._body(request)
            stream = await self._connected().post("chat/completions", asked)
            if stream.status == _OK:
                return stream
            try:
                body = await stream.body()
            finally:
                stream.close()
            is_refused = stream.status in _REFUSALS
            # Another turn may have learned meanwhile what this refusal says: then it is asked anew as well.
            if not (is_refused and (self._body(request) != asked or self._adapts_to(said_in(body).message, request))):
                raise self._faults.answered(stream.status, stream.headers, body, request.model)

    def _body(self, request: GenerationRequest) -> bytes:
        body: dict[str, Any] = {
            "model": request.model,
            "messages": [{"role": message.role, "content": message.text} for message in request.messages],
            "stream": True,
            **self._upstream.extra_body,
        }
        if self._asks_usage:
            body["stream_options"] = {"include_usage": True}
        if request.max_output_tokens is not None:
            body[self._limit_name(request.model)] = request.max_output_tokens
        return msgspec.json.encode(body)

    def _limit_name(self, model: str) -> str:
        official = self._upstream.host in {"api.openai.com", "eu.api.openai.com", "us.api.openai.com"}
        return self._limit_names.get(model, _NEW_LIMIT if official else _OLD_LIMIT)

    def _adapts_to(self, refusal: str, request: GenerationRequest) -> bool:
        """Return whether the request will be another one now that the upstream named what it does not know."""
        if self._asks_usage and ("stream_options" in refusal or "include_usage" in refusal):
            self._asks_usage = False
            return True
        name = self._limit_name(request.model)
        if request.max_output_tokens is None or name not in refusal or request.model in self._limit_names:
            return False
        self._limit_names[request.model] = _OLD_LIMIT if name == _NEW_LIMIT else _NEW_LIMIT
        return True


def _import_client() -> "type[UpstreamClient]":
    # Its imports (urllib.request and what that brings) are not needed before the page is served.
    from daehwa.providers.upstream_client import UpstreamClient  # noqa: PLC0415 - as the line above says

    return UpstreamClient


class _Tries:
    """Counts the tries of one call and says how long to wait before the next: exponential, with full jitter."""

    def __init__(self, upstream: Upstream) -> None:
        self._patience = upstream.patience
        self._began = asyncio.get_running_loop().time()
        self._failed = 0

    def wait_after(self, fault: UpstreamFault) -> float | None:
        """Return the seconds to wait before another try, None when there shall be none."""
        patience = self._patience
        self._failed += 1
        spent = asyncio.get_running_loop().time() - self._began
        asked = fault.error.retry_after or 0.0
        if not fault.again or self._failed >= patience.tries or asked > patience.retry_wait:
            return None
        longest = min(patience.retry_wait, patience.retry_base * 2 ** (self._failed - 1))
        wait = asked + random.uniform(0, longest)  # noqa: S311 - jitter is no secret
        return wait if spent + wait <= patience.retry_for else None


class _StreamedReply:
    """Reads one answer batch by batch. The text that came before a fault is handed out before the fault is raised."""

    def __init__(self, stream: "UpstreamStream", faults: Faults) -> None:
        self._stream = stream
        self._faults = faults
        self._decoder = EventDecoder()
        self._chunks = ChunkReader(faults)
        self._has_content = False
        self._fault: UpstreamFault | None = None
        self._received = 0

    async def batch(self) -> list[ProviderEvent]:
        """Return the next events, none at the end. Raise `UpstreamFault`."""
        if not self._received:
            kind = self._stream.headers.get("content-type", "")
            if kind.startswith("application/json"):
                return await self._whole()
            if kind.startswith("text/html"):
                raise self._faults.malformed("a web page")
        try:
            while not self._chunks.is_done:
                if self._fault is not None:
                    raise self._fault
                piece = await (self._stream.gather() if self._has_content else self._stream.read())
                if not piece:
                    return self._at_end()
                self._received += len(piece)
                if events := self._events(piece):
                    return events
        except UpstreamFault:
            if self._chunks.finish is None:
                raise
        return []  # the end, or what follows the end that the model had come to and is of no account

    def _events(self, piece: bytes) -> list[ProviderEvent]:
        try:
            data = self._decoder.feed(piece)
        except EventTooLong as fault:
            self._fault = self._faults.malformed(str(fault))
            return []
        events = self._chunks.read(data)
        self._fault = self._chunks.fault
        if self._chunks.is_done:
            self._stream.finish()
        elif events:
            self._has_content = True
            self._stream.hold()
        return events

    def _at_end(self) -> list[ProviderEvent]:
        if self._chunks.finish is not None or self._decoder.rest() == DONE:
            return []
        if self._received and not self._chunks.seen and not self._decoder.rest():
            raise self._faults.malformed("something that is not an event stream")
        raise self._faults.cut()

    async def _whole(self) -> list[ProviderEvent]:
        # An upstream that does not stream, or an error with status 200: one body, read as one chunk.
        body = await self._stream.body()
        self._received = len(body) or 1
        events = self._chunks.read([body])
        if self._chunks.fault is not None:
            raise self._chunks.fault
        if not events:
            raise self._faults.malformed("an answer without content")
        self._chunks.is_done = True
        return events

    def close(self) -> None:
        """End the upstream call, unless it has ended by itself."""
        self._stream.close()
