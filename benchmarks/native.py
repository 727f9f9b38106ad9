"""Builds the two C programs of the benchmarks, the mock upstream and the load client, with the machine's compiler.

python benchmarks/native.py FOLDER    builds both into FOLDER and prints their paths
"""

import atexit
import functools
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
NAMES = ("mock_upstream", "load_client")


def build(name: str, folder: Path) -> Path:
    """Compile one of them into a folder; return the program's path."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise SystemExit("The benchmarks need a C compiler, and there is no cc (Debian: apt-get install gcc).")
    program = folder / name
    command = [compiler, "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(program), str(HERE / f"{name}.c")]
    subprocess.run(command, check=True)
    return program


@functools.cache
def built(name: str) -> str:
    """Return the path of one of them, compiled once into a folder that goes when this process ends."""
    return str(build(name, _folder()))


@functools.cache
def _folder() -> Path:
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


if __name__ == "__main__":
    print(*(build(name, Path(sys.argv[1])) for name in NAMES), sep="\n")
