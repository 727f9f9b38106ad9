"""Compiles the function's modules for its own Python, so that a cold start compiles nothing.

Lambda sets every file's time to 1980, so bytecode that is checked by time would be thrown away: ours is unchecked. It
does not depend on the processor, only on Python's minor version. Where this machine has none of that version, Pyodide
from npm compiles: it is CPython itself, built for WebAssembly, and Node is needed for CDK anyway.
"""

import json
import sys
from pathlib import Path

from daehwa.deployment import programs
from daehwa.deployment.errors import BytecodeImpossible, ProgramFailed, ProgramMissing

PYODIDE = {"3.14": "314.0.7", "3.13": "0.29.4", "3.12": "0.27.7"}
"""Which Pyodide is which Python."""

PLACE = "/var/task"
"""Where Lambda puts the function: tracebacks name it."""

_COMPILE = f"""
import compileall, py_compile, sys
folder = FOLDER
is_whole = compileall.compile_dir(
    folder, quiet=1, force=True, workers=1, optimize=0, stripdir=folder, prependdir={PLACE!r},
    invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
)
if not is_whole:
    raise SystemExit("a module does not compile")
print(".".join(map(str, sys.version_info[:3])))
"""
_PYODIDE_SCRIPT = """
import {{ loadPyodide }} from "pyodide";
const python = await loadPyodide({{ stdout: (line) => console.log(line) }});
python.mountNodeFS("/function", {folder});
python.runPython({code});
"""


def compile_folder(folder: Path, python: str) -> str:
    """Compile all modules below a folder for a Python such as "3.14"; say by what. Raise `BytecodeImpossible`."""
    interpreter = _interpreter(python)
    try:
        if interpreter is not None:
            code = _COMPILE.replace("FOLDER", repr(str(folder)))
            command = [interpreter, "-I", "-c", code]
            return f"Python {programs.run(command, folder, what='Compiling to bytecode').strip()}"
        return f"Pyodide's Python {compile_by_pyodide(folder, python)}"
    except (ProgramFailed, ProgramMissing) as error:
        raise BytecodeImpossible(
            f"The function's modules could not be compiled for Python {python}. {error} Install that Python "
            f"(`uv python install {python}`) and try again, or choose another with --python, or go on with "
            "--without-bytecode: answers are the same, and each cold start imports for more than twice as long."
        ) from None


def _interpreter(python: str) -> str | None:
    if python == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    command = [programs.find_uv(), "python", "find", "--no-project", "--no-python-downloads", python]
    try:
        return programs.run(command, Path.cwd(), what="Looking for Python").strip() or None
    except ProgramFailed:
        return None


def compile_by_pyodide(folder: Path, python: str) -> str:
    """Compile all modules below a folder by the Pyodide that is this Python; return its full version."""
    node = programs.find_node()
    place = programs.npm_package(node, "pyodide", PYODIDE[python])
    # JSON's texts are JavaScript's too; the script comes by standard input, so that its imports are found in `place`.
    code = _COMPILE.replace("FOLDER", "'/function'")
    script = _PYODIDE_SCRIPT.format(folder=json.dumps(str(folder)), code=json.dumps(code))
    command = [node.node, "--input-type=module", "-"]
    said = programs.run(command, place, environment=node.environment(), given=script, what="Compiling by Pyodide")
    return said.strip().splitlines()[-1]
