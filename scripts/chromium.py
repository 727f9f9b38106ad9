"""Sees to it that the browser tests have a Chromium: the machine's, Debian's package, or Playwright's download.

The shell comes first. It is the same engine without the windows around it, which is what Playwright takes to test
without a screen: the tests need half of the processor's time in it (`docs/decisions/0047-the-shell-of-chromium.md`).
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

SHELL = "chromium-headless-shell"
NAMES = (SHELL, "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def machine_chromium() -> str | None:
    """Return the path of a Chromium that the machine has."""
    return next((path for name in NAMES if (path := shutil.which(name)) is not None), None)


def playwright_chromium() -> str | None:
    """Return the path of Playwright's own Chromium where it was downloaded."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only where the machine has no Chromium

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).is_file() else None


def install_by_debian() -> None:
    """Install Debian's package; quietly nothing where that is not possible."""
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        return
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-q"], env=quiet, check=False)
    for package in (SHELL, "chromium"):  # not every Debian has the shell in a package of its own
        subprocess.run(["apt-get", "install", "-y", "-q", "--no-install-recommends", package], env=quiet, check=False)
        if machine_chromium() is not None:
            return


def main() -> int:
    """Look, install, look again."""
    if shutil.which(SHELL) is None and playwright_chromium() is None:
        print("There is no shell of Chromium: trying Debian's package, then Playwright's download.", flush=True)
        install_by_debian()
        if machine_chromium() is None:
            subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)
    found = machine_chromium() or playwright_chromium()
    print(found or "There is no Chromium, and it could be installed neither by apt-get (as root) nor by Playwright.")
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main())
