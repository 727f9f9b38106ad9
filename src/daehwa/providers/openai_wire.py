"""Any upstream that speaks OpenAI's wire: chat completions streamed, models listed, faults named, tries bounded."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING

import msgspec

from daehwa.conversation.events import Batch
from daehwa.conversation.ports import GenerationRequest, Model
from daehwa.providers.gate import Gate
from daehwa.providers.listing import listed_models, named_models
from daehwa.providers.pacing import Beat
from daehwa.providers.questions import NO_IMAGES, Questions, Worded, worded
from daehwa.providers.streamed_reply import StreamedReply
from daehwa.providers.tries import Tries
from daehwa.providers.upstream import Upstream
from daehwa.providers.upstream_faults import Faults, UpstreamFault
from daehwa.providers.upstream_words import said_in

if TYPE_CHECKING:
    from daehwa.conversation.upstreams import ProviderKind
    from daehwa.gateway.ports import Endpoint, WireAnswer, WireRequest
    from daehwa.providers.upstream_client import UpstreamClient, UpstreamStream
    from daehwa.providers.wire import UpstreamTarget, WireSender

_OK = 200
_REFUSALS = frozenset({400, 422})


class OpenAIWireProvider:
    """One upstream. `beat` is shared by all providers of a process, so that their streams wake together."""

    kind: "ProviderKind" = "openai"

    def __init__(self, upstream: Upstream, *, beat: Beat | None = None) -> None:
        self.name = upstream.name
        self.address = upstream.host
        self.continues_replies = upstream.continues_replies
        self._upstream = upstream
        self._faults = Faults(upstream)
        self._questions = Questions(upstream)
        self.upstream_gate = Gate(upstream.name, max_concurrent=upstream.max_concurrent)
        self._beat = beat or Beat()
        self._client: UpstreamClient | None = None
        self._sender: WireSender | None = None
        self._is_closed = False

    @property
    def shown_url(self) -> str:
        """Where the upstream is, without what may be secret in it."""
        return self._upstream.shown_url

    @property
    def has_key(self) -> bool:
        """Whether a key is sent; one that is read late may be missing yet."""
        upstream = self._upstream
        own = any(name.lower() in {"authorization", "api-key", "x-api-key"} for name in upstream.headers)
        return upstream.key is not None or upstream.late_key is not None or own

    async def warm_up(self) -> None:
        """Import the HTTP client off the event loop, so that the first turn does not wait for it."""
        await asyncio.to_thread(_import_client)
        self._connected()

    def prepare(self) -> None:
        """Have a connection for a turn that is expected; none where the upstream is known not to answer."""
        if not self._is_closed and not self.upstream_gate.is_open:
            self._connected().prepare()

    async def models(self) -> Sequence[Model]:
        """Return the models that the settings name, else those that the upstream lists. Without a key there are none:
        raise `KeyNotSet` before anybody asks one of them.
        """
        if not self._upstream.models:
            return await self.listed()
        if self._upstream.late_key is not None:
            await self._upstream.late_key.read()
        return self._questions.note(named_models(self._upstream))

    async def listed(self) -> Sequence[Model]:
        """Return the models that the upstream lists, whatever the settings name."""
        upstream = self._upstream
        try:
            async with asyncio.timeout(upstream.patience.listing):
                return self._questions.note(listed_models(upstream, await self._listing()))
        except TimeoutError:
            raise self._faults.silent(upstream.patience.listing).error from None
        except UpstreamFault as fault:
            raise fault.error from fault.__cause__
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
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
        return self._wire_sender().target(model, upstream_name)

    def serves(self, endpoint: "Endpoint") -> bool:  # noqa: ARG002 - the protocol's
        """Take all: what the upstream does not serve, it says itself."""
        return True

    async def send(self, request: "WireRequest", model: str) -> "WireAnswer":
        """Send a request for a model by its name at the upstream; see `WireTarget`."""
        return await self._wire_sender().send(request, model)

    def _wire_sender(self) -> "WireSender":
        if self._sender is None:
            from daehwa.providers.wire import WireSender  # noqa: PLC0415 - no start needs it

            self._sender = WireSender(self._upstream, self._faults, self.upstream_gate, self._connected)
        return self._sender

    def answer_limit(self, model: str) -> int | None:
        """Return the limit of a model's answers in the settings' `extra_body`."""
        return self._questions.answer_limit(model)

    def searches(self, model: str) -> bool:
        """Return whether a model reads what it finds, by itself or by the settings' `extra_body`."""
        return self._questions.searches(model)

    def generate(self, request: GenerationRequest) -> AsyncGenerator[Batch, None]:
        """Yield the reply's events; see the protocol."""
        return self._generated(request, Tries(self._upstream))

    def generate_once(self, request: GenerationRequest) -> AsyncGenerator[Batch, None]:
        """Yield the reply's events, trying no second time: for one who would rather ask somebody else."""
        return self._generated(request, Tries(self._upstream, most=1))

    async def _generated(self, request: GenerationRequest, tries: Tries) -> AsyncGenerator[Batch, None]:
        images = NO_IMAGES
        if request.images:
            images, request = await worded(request.images), msgspec.structs.replace(request, images={})
        while True:
            has_begun = False
            reply: StreamedReply | None = None
            request.delivery.is_sent = False
            passage = await self.upstream_gate.enter()
            try:
                reply = StreamedReply(
                    await self._open(request, images), self._faults, trim=self._questions.trim(request)
                )
                while batch := await reply.batch():
                    if not has_begun:
                        has_begun = True
                        passage.succeeded()
                        images = NO_IMAGES  # nothing is sent again, and an answer may take minutes
                    yield batch
            except UpstreamFault as fault:
                passage.failed(fault.error)
                if fault.again:  # it came to no answer at all: no connection, or one that was lost
                    request.delivery.is_sent = False
                wait = None if has_begun or self.upstream_gate.is_open else tries.wait_after(fault)
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

    async def _open(self, request: GenerationRequest, images: Worded) -> "UpstreamStream":
        questions = self._questions
        # Three rounds at most: one again for an upstream without usage, one for the other name of the output limit.
        while True:
            asked = questions.body(request, images)
            request.delivery.is_sent = False
            stream = await self._connected().post(questions.path(request.model), asked, request.delivery)
            if stream.status == _OK:
                return stream
            try:
                body = await stream.body()
            finally:
                stream.close()
            is_refused = stream.status in _REFUSALS
            # Another turn may have learned meanwhile what this refusal says: then it is asked anew as well.
            is_learned = is_refused and questions.body(request, images) != asked
            if not (is_learned or (is_refused and questions.adapt_to(said_in(body).message, request))):
                raise self._faults.answered(stream.status, stream.headers, body, request.model)


def _import_client() -> "type[UpstreamClient]":
    # Its imports (urllib.request and what that brings) are not needed before the page is served.
    from daehwa.providers.upstream_client import UpstreamClient  # noqa: PLC0415 - as the line above says

    return UpstreamClient
