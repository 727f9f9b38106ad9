"""The certified OpenID Connect provider of npm (`oidc-provider`) in a process of its own: see server.mjs."""

import asyncio
import contextlib
import importlib.util
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
START_SECONDS = 60


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def installed() -> dict[str, str]:
    """Install the provider, where it is not, with whatever Node there is; return the environment to run it in."""
    npm = _module(ROOT / "scripts" / "npm.py")
    found = npm.found_npm()
    _module(ROOT / "hatch_build.py").install_packages(found, FOLDER)
    environment: dict[str, str] = npm.npm_environment(found)
    return environment


@contextlib.asynccontextmanager
async def a_provider(**options: Any) -> AsyncIterator[str]:
    """Run a provider with new keys; yield its issuer. Its options are those of server.mjs: `callback` and `home` are
    needed, the same `port` twice is the same issuer.
    """
    environment = await asyncio.to_thread(installed)
    node = shutil.which("node", path=environment["PATH"])
    assert node is not None, "npm came without node"
    process = await asyncio.create_subprocess_exec(
        node,
        "server.mjs",
        json.dumps(options),
        cwd=FOLDER,
        env={**environment, "NODE_NO_WARNINGS": "1"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    said = b""
    try:
        async with asyncio.timeout(START_SECONDS):
            while not (line := await process.stdout.readline()).startswith(b"http://"):
                said += line
                assert line, f"oidc-provider did not start. It said:\n{said.decode()}"
        talk = asyncio.create_task(process.stdout.read())  # so that it never waits for a reader
        yield line.decode().strip()
        talk.cancel()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
