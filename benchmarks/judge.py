"""A part of `run.py`: the same streams as a neutral program sees them, NVIDIA's aiperf, one at a time.

It is a program in Python with a millisecond or two of its own, so it resolves less than the load client; it shows that
what the load client says is not of its own making. Its tokenizer is among LiteLLM's files: nothing is fetched.
"""

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import programs
from calls import in_turn
from contestants import DAEHWA, DIRECT, NGINX, Contest, Served
from peers import JUDGE, LITELLM, PACKAGES
from results import Bench, Measure, reason

SECTION = "The same, as aiperf sees it: one stream at a time, 5 ms between chunks"
FIRST = Measure("judge_first", SECTION, "first token, p50, ms", 2)
FIRST_P99 = Measure("judge_first_p99", SECTION, "… the slowest, ms", 2)
GAP = Measure("judge_gap", SECTION, "between chunks, p50, ms", 2)

_PACE_MS, _TOKENS = 5.0, 50
_SECONDS = 90
_ASKED = {DIRECT, NGINX, DAEHWA, LITELLM}


def as_the_judge_sees_it(bench: Bench, contest: Contest) -> None:
    """Let aiperf ask some of them once, since it takes a quarter of a minute each time."""
    tokenizers = next(
        PACKAGES[LITELLM].path.glob("lib/python*/site-packages/litellm/litellm_core_utils/tokenizers"), None
    )
    if tokenizers is None:
        bench.results.remark("aiperf was not asked: its tokenizer is among LiteLLM's files, which are not there")
        return
    JUDGE.install()
    programs.set_pace(contest.upstream, pace_ms=_PACE_MS, tokens=_TOKENS)
    asked = [one for one in contest.running if one.name in _ASKED]
    for one in in_turn(bench, "aiperf", contest, asked, 1):
        try:
            seen = _profile(one, tokenizers, 20 if bench.is_quick else 30)
        except (OSError, subprocess.SubprocessError) as problem:
            bench.results.remark(f"{one.name}, aiperf: {reason(problem)}")
            continue
        bench.results.add(FIRST, one.name, seen["time_to_first_token"]["p50"])
        bench.results.add(FIRST_P99, one.name, seen["time_to_first_token"]["p99"])
        bench.results.add(GAP, one.name, seen["inter_chunk_latency"]["p50"])


def _profile(one: Served, tokenizers: Path, requests: int) -> Mapping[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        options = {
            "--model": "mock",
            "--url": f"http://127.0.0.1:{one.target.port}",
            "--api-key": one.target.key,
            "--endpoint-type": "chat",
            "--concurrency": "1",
            "--request-count": str(requests),
            "--warmup-request-count": "3",
            "--tokenizer": "cl100k_base",
            "--synthetic-input-tokens-mean": "10",
            "--output-tokens-mean": str(_TOKENS),
            "--ui": "none",
            "--artifact-dir": folder,
        }
        line = [JUDGE.program("aiperf"), "profile", "--streaming", *(word for pair in options.items() for word in pair)]
        env = {**os.environ, "TIKTOKEN_CACHE_DIR": str(tokenizers)}
        subprocess.run(line, env=env, check=True, capture_output=True, timeout=_SECONDS)
        found: Mapping[str, Any] = json.loads(Path(folder, "profile_export_aiperf.json").read_bytes())
        return found
