"""The examples that docs/gateway.md gives for clients do what they say, as they stand."""

import asyncio
import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from clients.test_llm import installed as installed_llm
from node_packages import installed as installed_packages
from openai_like.server import Door

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "gateway.md"
ADDRESS, MODEL = "http://127.0.0.1:8000/v1", "openai/gpt-5-mini"
ANSWER = "You (user) said: What is a monad? 안녕 👋"
SECONDS = 60
pytestmark = pytest.mark.asyncio(loop_scope="module")


def example(language: str, through: Door) -> str:
    """Return the page's block of a language that names a client, for the server behind the door and for its model."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    (block,) = (block for block in blocks if ADDRESS in block or "llm " in block)
    here: str = block.replace(ADDRESS, through.base_url).replace(MODEL, "double/talks")
    return here


async def said(*command: str, more: Mapping[str, str], typed: str = "", folder: Path = ROOT) -> str:
    """Return what a command says that ends well."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("OPENAI_", "LLM_", "DAEHWA_"))}
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env={**kept, **more},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(typed.encode()), SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, err.decode()
    return out.decode()


async def test_in_python(through: Door) -> None:
    more = {"KEY": through.api_key, "PYTHONUTF8": "1"}
    answer = await said(sys.executable, "-", typed=example("python", through), more=more)
    assert answer == ANSWER


async def test_in_node(through: Door) -> None:
    folder = Path(__file__).parent / "node"
    environment = await asyncio.to_thread(installed_packages, folder)
    node = shutil.which("node", path=environment["PATH"])
    assert node is not None, "npm came without node"
    more = {**environment, "KEY": through.api_key}
    assert (
        await said(node, "--input-type=module", "-", typed=example("js", through), folder=folder, more=more) == ANSWER
    )


async def test_with_llm(through: Door, tmp_path: Path) -> None:
    command = Path(await installed_llm())
    path = os.pathsep.join([str(command.parent), os.environ.get("PATH", "")])
    more = {"PATH": path, "LLM_USER_PATH": str(tmp_path), "KEY": through.api_key}
    database = Path((await said(str(command), "logs", "path", more=more)).strip())
    (database.parent / "extra-openai-models.yaml").write_text(example("yaml", through), "utf-8")
    shell = shutil.which("bash")
    assert shell is not None, "the lines are for a shell"
    assert await said(shell, "-euc", example("sh", through), more=more) == f"{ANSWER}\n"
