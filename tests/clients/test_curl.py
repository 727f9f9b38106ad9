"""The lines that README and docs give for `curl` and the shell do what they say, as they stand."""

import asyncio
import json
import os
import re
import shutil
import sys
from pathlib import Path

import pytest
from clients.home import Home
from openai_like.wording import KEY

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "README.ko.md", *sorted((ROOT / "docs").glob("*.md"))]
ADDRESS = "http://127.0.0.1:8000"
"""Where README's server is; the one of this test has another port."""
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
SECONDS = 60
pytestmark = pytest.mark.asyncio(loop_scope="module")


def blocks() -> list[tuple[str, str]]:
    """Return the blocks of shell that ask `/v1`, with their pages' names."""
    found = [(page.name, block) for page in PAGES for block in BLOCK.findall(page.read_text("utf-8"))]
    return [(page, block) for page, block in found if f"curl {ADDRESS}/v1" in block]


def runnable(home: Home, block: str) -> str:
    """Return a block for this home's port, where each answer of curl is a line and an error of HTTP ends the block."""
    here = block.replace(ADDRESS, home.address)
    return "set -euo pipefail\n" + re.sub(r"^curl ", "curl -sS --fail-with-body -w '\\\\n' ", here, flags=re.MULTILINE)


async def test_the_readmes_have_some() -> None:
    assert {page for page, _ in blocks()} >= {"README.md", "README.ko.md"}


@pytest.mark.parametrize(("page", "block"), blocks(), ids=lambda each: each if each.endswith(".md") else "")
async def test_the_lines_do_what_they_say(home: Home, page: str, block: str) -> None:
    shell = shutil.which("bash")
    assert shell is not None, "the lines are for a shell"
    assert shutil.which("curl") is not None, "the lines are for curl"
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("OPENAI_", "DAEHWA_"))}
    scripts = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", "")])
    process = await asyncio.create_subprocess_exec(
        *(shell, "-c", runnable(home, block)),
        env={**kept, "PATH": scripts, "DAEHWA_DATA_DIR": str(home.folder / "data"), "DOUBLE_KEY": KEY},
        cwd=home.folder,
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
    assert process.returncode == 0, (page, out.decode(), err.decode())
    answers = [json.loads(answer) for answer in _answers(out.decode())]
    assert len(answers) == block.count("curl "), page
    for answer in answers:
        assert answer["object"] in {"list", "chat.completion"}, page


def _answers(said: str) -> list[str]:
    """Cut what was said into its JSON texts."""
    decoder, answers, rest = json.JSONDecoder(), [], said.strip()
    while rest:
        _, end = decoder.raw_decode(rest)
        answers.append(rest[:end])
        rest = rest[end:].strip()
    return answers
