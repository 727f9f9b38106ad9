"""Prints where the Lambda Web Adapter is: `python scripts/lambda_adapter.py` builds it from crates.io the first time.

The result is a folder as the layer's /opt is: `extensions/lambda-adapter`, which Lambda starts beside the function, and
`bootstrap`, which AWS_LAMBDA_EXEC_WRAPPER names. It is kept in the user's cache folder, one for each version, outside
of the project, because building it takes minutes.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import platformdirs

CRATE = "lambda_web_adapter"
# The newest on crates.io. AWS ships 1.1.0 as layer 30, which was not published there; what differs is in
# docs/decisions/0015-how-lambda-is-tested.md.
VERSION = "1.0.0-rc1"
NO_CARGO = (
    "The Lambda Web Adapter is built by cargo, which is not here: install Rust (Debian: apt-get install cargo), "
    'or leave these tests out with -m "not lambda_adapter".'
)


def layer_folder() -> Path:
    """Return where the built layer is kept."""
    return platformdirs.user_cache_path("daehwa-tests", appauthor=False) / f"{CRATE}-{VERSION}"


def built_layer() -> Path:
    """Return the layer's folder, built if it was not; raise `SystemExit` with a sentence where that cannot be."""
    folder = layer_folder()
    if (folder / "bootstrap").is_file():
        return folder
    cargo = shutil.which("cargo")
    if cargo is None:
        raise SystemExit(NO_CARGO)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="building-") as building:
        layer = _build(cargo, Path(building))
        try:
            layer.rename(folder)
        except OSError:  # somebody else built it meanwhile
            if not (folder / "bootstrap").is_file():
                raise
    return folder


def _build(cargo: str, building: Path) -> Path:
    """Compile into a folder and lay the layer out in it; what cargo says goes to standard error."""
    install = [cargo, "install", "--locked", "--root", str(building / "built"), "--version", VERSION, CRATE]
    done = subprocess.run(install, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False)
    if done.returncode != 0:
        raise SystemExit(f"cargo could not build {CRATE} {VERSION}; what it said is above.")
    layer = building / "layer"
    (layer / "extensions").mkdir(parents=True)
    shutil.move(building / "built" / "bin" / "lambda-adapter", layer / "extensions")
    cargo_home = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo")
    wrapper = next((cargo_home / "registry" / "src").glob(f"*/{CRATE}-{VERSION}/layer/bootstrap"), None)
    if wrapper is None:
        raise SystemExit(f"{CRATE} {VERSION} was built, but its source, which holds the wrapper script, is not kept.")
    shutil.copy(wrapper, layer / "bootstrap")
    (layer / "bootstrap").chmod(0o755)
    return layer


if __name__ == "__main__":
    print(built_layer())
