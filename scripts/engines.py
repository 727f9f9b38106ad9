"""Sees to it that the tests in other engines have Firefox, and WebKit, which is Safari's, by Debian's packages."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

FIREFOX = ("firefox-esr", "firefox")
DRIVER = "WebKitWebDriver"
SCREEN = "Xvfb"  # WebKit's small browser wants a screen
PACKAGES = ("firefox-esr", "webkit2gtk-driver", "xvfb")
HOW_TO_INSTALL = f"On Debian: apt-get install --no-install-recommends {' '.join(PACKAGES)}"


def firefox() -> str | None:
    """Return the path of a Firefox that the machine has."""
    return next((path for name in FIREFOX if (path := shutil.which(name)) is not None), None)


def mini_browser() -> str | None:
    """Return the path of WebKitGTK's own small browser, which comes with its driver."""
    return next((str(path) for path in Path("/usr").glob("lib*/**/webkit2gtk-4.*/MiniBrowser")), None)


def missing() -> list[str]:
    """Return the names of what this machine lacks."""
    needed = {"Firefox": firefox(), "MiniBrowser": mini_browser()}
    needed |= {name: shutil.which(name) for name in (DRIVER, SCREEN)}
    return [name for name, path in needed.items() if path is None]


def install_by_debian() -> None:
    """Install Debian's packages; quietly nothing where that is not possible."""
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        return
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-q"], ["install", "-y", "-q", "--no-install-recommends", *PACKAGES]):
        subprocess.run(["apt-get", *command], env=quiet, check=False)


def main() -> int:
    """Look, install, look again."""
    if missing():
        print(f"There is no {', '.join(missing())}: trying Debian's packages.", flush=True)
        install_by_debian()
    if lacking := missing():
        print(f"There is no {', '.join(lacking)}, and it could not be installed by apt-get (as root). {HOW_TO_INSTALL}")
        return 1
    print(firefox(), shutil.which(DRIVER))
    return 0


if __name__ == "__main__":
    sys.exit(main())
