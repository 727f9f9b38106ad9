"""What was measured: the versions of daehwa, of what the relays are made of, and of the programs beside them."""

import importlib.metadata
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence

import peers
import programs

PACKAGES = ("daehwa", "uvicorn", "httptools", "uvloop", "aiohttp", "starlette", "fastapi", "openai", "sse-starlette")
COMMANDS = (("nginx", "-v"), ("node", "--version"), ("chromium", "--version"))


def versions(names: Iterable[str]) -> dict[str, str]:
    """Return the versions by what they are of; `names` are the peers'."""
    known = {package: found for package in PACKAGES if (found := _installed(package))}
    commit = _printed("git", "-C", str(programs.ROOT), "rev-parse", "--short", "HEAD")
    known["daehwa"] = f"{known.get('daehwa', 'unknown')}, commit {commit or 'unknown'}"
    known |= {name: found for name, option in COMMANDS if (found := _number(_printed(name, option)))}
    return known | {name: _number(peers.PACKAGES[name].requirements[0]) for name in names if name in peers.PACKAGES}


def _installed(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _printed(*command: str) -> str:
    path = shutil.which(command[0]) or shutil.which(command[0], path="/usr/sbin")
    if path is None:
        return ""
    line: Sequence[str] = [path, *command[1:]]
    ended = subprocess.run(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=30)
    return ended.stdout.strip() if ended.returncode == 0 else ""


def _number(text: str) -> str:
    found = re.search(r"\d+(\.\d+)+", text)
    return found[0] if found else ""
