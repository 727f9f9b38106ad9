"""Packages of npm that tests drive, each with a package.json beside the tests, and the Node to run them with."""

import importlib.util
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def installed(folder: Path) -> dict[str, str]:
    """Install what a folder's package.json names, where it is not, with whatever Node there is; return the environment
    to run it in.
    """
    npm = _module(ROOT / "scripts" / "npm.py")
    found = npm.found_npm()
    _module(ROOT / "hatch_build.py").install_packages(found, folder)
    environment: dict[str, str] = npm.npm_environment(found)
    return environment
