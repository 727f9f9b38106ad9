"""A part of `run.py`: tokens a second of the embedded model through daehwa, beside llama.cpp's own server alone.

Both are the same server of llama.cpp with the same model, as many threads and places for answers, asked for the same
greedy answer, and use all processors. The rate is from the first to the last piece, as the client gets them;
llama.cpp's own number is what it says of itself at the end of the direct answer.
"""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import msgspec
import programs
from contestants import DAEHWA, Contestant
from results import Bench, Measure

from daehwa.providers.embedded import PARALLEL, SMALL_MODEL_BODY
from daehwa.providers.embedded_child import Order, Report
from daehwa.providers.embedded_files import MODEL_CONTEXT, MODEL_NAME, embedded_available, packaged_gguf

SECTION = "The embedded model, SmolLM2-135M"
RATE = Measure("embedded_rate", SECTION, "tokens a second, as the client gets them", more=True)
FIRST = Measure("embedded_first", SECTION, "first token, ms", 0)
ALONE, OWN = "llama.cpp's server alone", "llama.cpp's own number"

_KEY = "benchmark"
_TOKENS = 120
_LOAD_SECONDS = 60


class Answered(NamedTuple):
    """Milliseconds to the first piece, pieces a second after it, and what llama.cpp says of its own rate."""

    first_ms: float
    rate: float
    own: float | None


def tokens_a_second(bench: Bench, _contestants: Mapping[str, Contestant]) -> None:
    """Ask both in turn."""
    if embedded_available(None) or packaged_gguf() is None:
        bench.results.absent["the embedded model"] = "is not installed: uv's group `embedded` brings it"
        return
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    try:
        nobody = {"OPENAI_API_KEY": "", "OPENAI_BASE_URL": ""}
        with _alone() as address, programs.daehwa(None, env=nobody) as server:
            os.sched_setaffinity(server.pid, range(os.cpu_count() or 1))
            ours, model = f"http://127.0.0.1:{server.port}", f"embedded/{MODEL_NAME}"
            _ask(address, MODEL_NAME)
            _ask(ours, model)
            for _ in bench.in_rounds("embedded model"):
                direct, through = _ask(address, MODEL_NAME), _ask(ours, model)
                for name, answered in ((ALONE, direct), (DAEHWA, through)):
                    bench.results.add(RATE, name, answered.rate)
                    bench.results.add(FIRST, name, answered.first_ms)
                if direct.own is not None:
                    bench.results.add(RATE, OWN, direct.own)
    finally:
        os.sched_setaffinity(0, {programs.CLIENT_CORE})


@contextmanager
def _alone() -> Iterator[str]:
    """Run the child of the embedded model without daehwa; yield its address."""
    order = Order(
        gguf=str(packaged_gguf()),
        name=MODEL_NAME,
        key=_KEY,
        context=MODEL_CONTEXT,
        parallel=PARALLEL,
        threads=max(1, (os.cpu_count() or 2) - 1),
    )
    line = [sys.executable, "-m", "daehwa.providers.embedded_child"]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(msgspec.json.encode(order) + b"\n")
        child.stdin.flush()
        try:
            report = msgspec.json.decode(child.stdout.readline(), type=Report)
            if report.fault:
                raise OSError(report.fault)
            yield report.address
        finally:
            child.stdin.close()
            child.wait(10)


def question(model: str) -> dict[str, object]:
    """Return what both are asked, with what daehwa adds for this model: else they would write different answers."""
    return {
        **SMALL_MODEL_BODY,
        "model": model,
        "stream": True,
        "temperature": 0,
        "max_tokens": _TOKENS,
        "messages": [{"role": "user", "content": "Write a long story about a river."}],
    }


def _ask(address: str, model: str) -> Answered:
    headers = {"content-type": "application/json", "authorization": f"Bearer {_KEY}"}
    request = urllib.request.Request(f"{address}/v1/chat/completions", json.dumps(question(model)).encode(), headers)  # noqa: S310 - http alone
    began, times, own = time.perf_counter(), list[float](), None
    with urllib.request.urlopen(request, timeout=_LOAD_SECONDS) as answer:  # noqa: S310 - as above
        for line in answer:
            if not line.startswith(b"data: {"):
                continue
            chunk: dict[str, Any] = json.loads(line[6:])
            if chunk.get("choices") and chunk["choices"][0].get("delta", {}).get("content"):
                times.append(time.perf_counter())
            own = chunk.get("timings", {}).get("predicted_per_second", own)
    return Answered((times[0] - began) * 1000, (len(times) - 1) / (times[-1] - times[0]), own)
