"""The `llm` command line tool says through daehwa what it says of the upstream, word by word."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from clients.asks import PERSON
from openai_like.server import Door
from uv import find_uv_bin

LLM = "llm==0.36"
FOLDER = Path(__file__).parents[2] / ".check" / "llm"
PUBLISHED_BEFORE = "2026-11-15T00:00:00Z"
SECONDS = 120
pytestmark = pytest.mark.asyncio(loop_scope="module")
_PROMPT = ("prompt", "-m", "talks", "Hello, 세계!")
RUNS: dict[str, tuple[str, ...]] = {
    "streamed": _PROMPT,
    "whole, with usage": (*_PROMPT, "--no-stream", "-u", "-o", "max_tokens", "3", "-s", "Be brief."),
    "a schema": (*_PROMPT, "--schema", json.dumps(PERSON)),
    "a tool": (*_PROMPT, "-T", "llm_version", "--td"),
    "a completion": ("prompt", "-m", "writes-instruct", "Once upon a time"),
    "refused": ("prompt", "-m", "fails-400", "Hello"),
}


class Ended(NamedTuple):
    """What a run left."""

    code: int
    out: str
    err: str


def configure(folder: Path, door: Door) -> None:
    """Write llm's own settings."""
    able: list[tuple[str, dict[str, Any]]] = [
        ("talks", {"supports_schema": True, "supports_tools": True}),
        ("writes-instruct", {"completion": True}),
        ("fails-400", {}),
    ]
    where = {"api_base": door.base_url, "api_key_name": "here"}
    models = [{"model_id": name, "model_name": name, **where, **more} for name, more in able]
    folder.mkdir()
    (folder / "extra-openai-models.yaml").write_text(json.dumps(models), "utf-8")  # JSON is YAML
    (folder / "keys.json").write_text(json.dumps({"here": door.api_key}), "utf-8")


async def _run(*command: str, **more: str) -> Ended:
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("OPENAI_", "LLM_", "DAEHWA_"))}
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**kept, **more},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Ended(process.returncode or 0, out.decode(), err.decode())


async def installed() -> str:
    """Return llm's command, in an environment of its own. The project's own settings of uv keep llm out."""
    folder = FOLDER / LLM
    command = folder / ("Scripts" if os.name == "nt" else "bin") / "llm"
    if not command.exists():
        uv, python = find_uv_bin(), ("--python", sys.executable)
        made = await _run(uv, "venv", "--no-config", "--clear", "--quiet", *python, str(folder))
        assert made.code == 0, made.err
        options = ("--no-config", "--quiet", "--compile-bytecode", "--exclude-newer", PUBLISHED_BEFORE)
        made = await _run(uv, "pip", "install", *options, "--python", str(folder), LLM)
        assert made.code == 0, made.err
    return str(command)


async def llm(folder: Path, *arguments: str) -> Ended:
    """Run llm with settings of its own."""
    return await _run(await installed(), *arguments, LLM_USER_PATH=str(folder))


async def test_the_tool_says_the_same(direct: Door, through: Door, tmp_path: Path) -> None:
    await installed()
    configure(tmp_path / "direct", direct)
    configure(tmp_path / "through", through)
    for run, arguments in RUNS.items():
        directly, through_daehwa = await asyncio.gather(
            llm(tmp_path / "direct", *arguments), llm(tmp_path / "through", *arguments)
        )
        assert directly == through_daehwa
        assert directly.code == (1 if run == "refused" else 0), (run, directly)
        assert directly.out or run == "refused"


async def test_a_conversation_goes_on(through: Door, tmp_path: Path) -> None:
    configure(tmp_path / "llm", through)
    begun = await llm(tmp_path / "llm", *RUNS["streamed"])
    assert begun == (0, "You (user) said: Hello, 세계! 안녕 👋\n", "")
    ended = await llm(tmp_path / "llm", "prompt", "-c", "And again")
    assert ended.out == "You (user) said: And again 안녕 👋\n"
