"""The interpreter that runs the benchmark, and how it was built: without the compiler's profile all Python is slower.

CPython's own `--enable-optimizations` is recorded. Debian builds by `make profile-opt`, and records neither that nor
the flags, so the machine code is asked: a compiler leaves the functions of one source file together, and parts the hot
from the cold where it has a profile.
"""

import ctypes
import platform
import sys
import sysconfig
from pathlib import Path

_OF_ONE_FILE = ("PyList_New", "PyList_GetItem", "PyList_Insert", "PyList_SetSlice", "PyList_Sort", "PyList_AsTuple")
_TOGETHER, _PARTED = 64 * 1024, 256 * 1024
SLOW = (
    "the interpreter was built without the compiler's profile, which distributions' and uv's have: daehwa, relays and "
    "peers start slower and take more CPU than in use, and nginx does not"
)


def name() -> str:
    """Return which one it is: that of an environment is the one it was made of."""
    return f"{Path(sys.executable).resolve()} {platform.python_version()}"


def built_with_profile() -> str:
    """Return "yes", "no" or "unknown"."""
    wanted = ("CONFIG_ARGS", "PY_CFLAGS", "PY_CFLAGS_NODIST", "PY_CORE_CFLAGS", "PY_CORE_LDFLAGS")
    return verdict(" ".join(str(sysconfig.get_config_var(key)) for key in wanted), _bytes_apart())


def verdict(recorded: str, apart: int | None) -> str:
    """Judge by what is recorded of the build, and by how far apart the functions of one source file are."""
    if any(flag in recorded for flag in ("--enable-optimizations", "-fprofile-use", "-fprofile-instr-use")):
        return "yes"
    if apart is None:
        return "unknown"
    if apart <= _TOGETHER:
        return "no"
    is_by_linker = any(flag in recorded for flag in ("--with-lto", "-flto"))  # which may part them as well
    return "yes" if apart >= _PARTED and not is_by_linker else "unknown"


def _bytes_apart() -> int | None:
    """Return how far apart functions of one file are in memory; None where they cannot be looked at."""
    if platform.python_implementation() != "CPython":
        return None
    places = [ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value or 0 for name in _OF_ONE_FILE]
    return max(places) - min(places)
