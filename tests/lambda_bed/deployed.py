"""What is deployed into the bed: the adapter's settings, and the application that echoes laid out as a zip would be."""

import importlib.util
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from scripts.lambda_adapter import VERSION, built_layer

__all__ = ["ADAPTER", "VERSION", "built_layer", "lay_out_echo"]

ADAPTER = {
    "AWS_LAMBDA_EXEC_WRAPPER": "/opt/bootstrap",
    "AWS_LWA_INVOKE_MODE": "response_stream",
    "AWS_LWA_READINESS_CHECK_PATH": "/healthz",
    "AWS_LWA_READINESS_CHECK_TIMEOUT_SECONDS": "9",
}
_RUN_ECHO = """#!/bin/sh
exec python3 -m uvicorn --port "$AWS_LWA_PORT" --timeout-keep-alive 75 --lifespan off --no-server-header echo:app
"""


def lay_out_echo(folder: Path) -> Path:
    """Make a task root of the application that echoes, with what it needs from the tests' environment."""
    folder.mkdir()
    shutil.copy(Path(__file__).with_name("echo.py"), folder)
    for package in ("click", "h11", "httptools", "uvicorn"):
        found = importlib.util.find_spec(package)
        assert found is not None
        assert found.origin is not None
        (folder / package).symlink_to(Path(found.origin).parent)
    (folder / "run.sh").write_text(_RUN_ECHO, "utf-8")
    (folder / "run.sh").chmod(0o755)
    return folder
