"""The certified OpenID Connect provider of npm (`oidc-provider`) in a process of its own: see server.mjs."""

import asyncio
import contextlib
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from node_packages import installed

FOLDER = Path(__file__).parent
START_SECONDS = 60


@contextlib.asynccontextmanager
async def a_provider(**options: Any) -> AsyncIterator[str]:
    """Run a provider with new keys; yield its issuer. Its options are those of server.mjs: `callback` and `home` are
    needed, the same `port` twice is the same issuer.
    """
    environment = await asyncio.to_thread(installed, FOLDER)
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
