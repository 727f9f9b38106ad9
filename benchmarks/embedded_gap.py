"""Whether a stream from elsewhere keeps its pace while the embedded model works on the same machine.

    uv run --group dev python benchmarks/embedded_gap.py [--rounds 3]

Relays one stream of 100 tokens/s, alone and while the embedded model writes long answers, in turn; prints the p99 of
the gaps between frames and the ratio. Server, model and client share all processors, as on a laptop.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

import load
import programs
from load import Target, Work

_CONFIG = """
[[providers]]
name = "mock"
base_url = "http://127.0.0.1:{port}/v1"

[[providers]]
name = "embedded"
kind = "embedded"
"""


def pair(port: int, tokens: int) -> tuple[float, float]:
    """Return the p99 gap alone, and beside the embedded model at work."""
    relay = Target("relay", port, page=True, model="mock/mock")
    embedded = Target("embedded", port, page=True, model="embedded/SmolLM2-135M-Instruct")
    alone = load.run(relay, Work(tokens=tokens))
    with load.running(embedded, Work(repeat=0, any_text=True)):
        time.sleep(2)
        beside = load.run(relay, Work(tokens=tokens))
    return alone.gap.p99, beside.gap.p99


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--tokens", type=int, default=1000)
    options = arguments.parse_args()
    with programs.mock_upstream(tokens=options.tokens, pace_ms=10) as upstream, tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "daehwa.toml")
        config.write_text(_CONFIG.format(port=upstream))
        with programs.daehwa(None, env={"DAEHWA_CONFIG": str(config)}) as server:
            os.sched_setaffinity(server.pid, range(os.cpu_count() or 1))
            rounds = [pair(server.port, options.tokens) for _ in range(options.rounds)]
    alone, beside = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(f"{options.rounds} rounds; p99 gap between frames: alone {alone:.1f} ms, beside the model {beside:.1f} ms")
    print(f"ratio, median of the rounds: {statistics.median(b / a for a, b in rounds):.2f}")


if __name__ == "__main__":
    main()
