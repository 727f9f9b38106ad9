"""The child process of the embedded model: llama.cpp's own server on a loopback port. Started by `embedded.py` alone.

It reads one line of JSON from standard input (`Order`), answers with one on standard output (`Report`), and ends when
standard input closes: the kernel closes it when the parent is gone, however that came about.
"""

import hashlib
import http.client
import importlib
import os
import signal
import sys
import threading
from pathlib import Path
from typing import IO

import msgspec

NICENESS = 10
"""The server that streams to people comes first; the model takes what is left."""

_HASH_PIECE = 4 * 1024 * 1024
_PROPS_SECONDS = 10.0


class Order(msgspec.Struct, frozen=True):
    """What to load and how; `name` is what answers call the model; `sha256` None: the file is known to be whole."""

    gguf: str
    name: str
    key: str
    context: int
    parallel: int
    threads: int
    sha256: str | None = None


class Report(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where the server listens, or why it does not; `takes_tools`: the model's template has a place for tools."""

    address: str = ""
    fault: str = ""
    takes_tools: bool = True


class _Caps(msgspec.Struct, frozen=True):
    supports_tools: bool = True
    supports_tool_calls: bool = True


class _Props(msgspec.Struct, frozen=True):
    """What llama.cpp says of a model, as far as it is read here."""

    chat_template_caps: _Caps = _Caps()


def checksum(path: str) -> str:
    """Return the SHA-256 of a file."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while piece := file.read(_HASH_PIECE):
            digest.update(piece)
    return digest.hexdigest()


def serve(order: Order) -> object:
    """Start llama.cpp's server and return it; it lives in its own threads."""
    xllamacpp = importlib.import_module("xllamacpp")  # here alone: 100 MB of native code
    params = xllamacpp.CommonParams()
    params.model.path = order.gguf
    params.model_alias = {order.name}  # else answers name the file with its path
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [order.key]
    params.n_ctx = order.context * order.parallel
    params.n_parallel = order.parallel
    params.cpuparams.n_threads = order.threads
    params.cpuparams_batch.n_threads = order.threads
    params.n_gpu_layers = 0
    params.cache_ram_mib = 64
    params.fit_params = False
    params.warmup = False
    params.cors_origins = ""
    params.ui = False
    params.offline = True
    params.verbosity = 0
    return xllamacpp.Server(params)


def takes_tools(address: str, key: str) -> bool:
    """Return whether a model is told of tools. Where its template has no place for them, llama.cpp drops them without
    a word.
    """
    asking = http.client.HTTPConnection(address.partition("://")[2], timeout=_PROPS_SECONDS)
    try:
        asking.request("GET", "/props", headers={"authorization": f"Bearer {key}"})
        caps = msgspec.json.decode(asking.getresponse().read(), type=_Props).chat_template_caps
    except (OSError, http.client.HTTPException, msgspec.DecodeError):
        return True  # its server says what it makes of them
    finally:
        asking.close()
    return caps.supports_tools or caps.supports_tool_calls


def obey(order: Order) -> tuple[object, Report]:
    """Carry out the order; the report says how it went."""
    if order.sha256 is not None and checksum(order.gguf) != order.sha256:
        return None, Report(fault="checksum")
    try:
        server = serve(order)
    except (ImportError, RuntimeError, ValueError, OSError) as fault:
        return None, Report(fault=str(fault) or type(fault).__name__)
    address = str(getattr(server, "listening_address", ""))
    return server, Report(address=address, takes_tools=takes_tools(address, order.key))


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def _own_output() -> IO[bytes]:
    # llama.cpp logs to the standard streams; the report goes to a copy made before they are silenced.
    report = os.fdopen(os.dup(1), "wb")
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    return report


def main() -> None:
    """Take the order, report, and serve until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    output = _own_output()
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=Order)
    watch = threading.Thread(target=_end_with_parent, daemon=True)
    watch.start()
    server, report = obey(order)
    output.write(msgspec.json.encode(report) + b"\n")
    output.flush()
    if server is not None:
        watch.join()


if __name__ == "__main__":
    main()
