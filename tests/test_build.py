"""The build of the page: what is told where npm cannot do its work, and when uv builds anew."""

import importlib.util
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def build() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def npm(code: str) -> list[str]:
    """Return a command in npm's place; npm's arguments follow it."""
    return [sys.executable, "-c", code]


def told(build: ModuleType, folder: Path, code: str, *arguments: str) -> str:
    with pytest.raises(SystemExit) as caught:
        build.run_npm(npm(code), folder, *arguments)
    return str(caught.value.code)


def test_npms_own_words_come_with_what_to_do(build: ModuleType, tmp_path: Path) -> None:
    sentence = told(build, tmp_path, "print('npm error ENOTFOUND'); raise SystemExit(7)", "install", "--x")
    assert sentence.startswith("npm error ENOTFOUND\n")
    assert f"`npm install` in {tmp_path} failed (7)" in sentence
    assert "Check the internet connection" in sentence


def test_a_certificate_that_is_not_trusted_is_known(build: ModuleType, tmp_path: Path) -> None:
    sentence = told(build, tmp_path, "print('npm error code SELF_SIGNED_CERT_IN_CHAIN'); exit(1)", "install")
    assert "NODE_EXTRA_CA_CERTS" in sentence


def test_npm_has_its_time_and_no_more(build: ModuleType, tmp_path: Path) -> None:
    vars(build)["NPM_SECONDS"] = 1
    code = "import time; print('waiting for the registry', flush=True); time.sleep(60)"
    sentence = told(build, tmp_path, code, "install")
    assert sentence.startswith("waiting for the registry\n")
    assert "was not done after 1 s" in sentence


def test_a_page_that_does_not_build_is_told(build: ModuleType, tmp_path: Path) -> None:
    assert "`npm run build`" in told(build, tmp_path, "exit(1)", "run", "build")


def test_uv_builds_anew_for_sources_alone() -> None:
    keys = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["uv"]["cache-keys"]
    named = [key["file"] for key in keys]
    globs = [name for name in named if "*" in name]
    assert globs == ["web/src/**/*"]  # a * at the top of web/ also matches what is in node_modules
    assert [name for name in named if name not in globs and not (ROOT / name).is_file()] == []
