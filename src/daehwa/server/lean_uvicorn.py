"""What is used of uvicorn, without what comes with any part of it and is never used here: its command (click,
multiprocessing and some fifty further modules) and logging's reader of configurations, together a fifth of a start.

Both are put in place before they are run. Whoever asks one for something (`uvicorn.run`) gets it whole, only later.
What it names in annotations alone is not made at all.
"""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec, module_from_spec
from threading import RLock
from types import ModuleType
from typing import Any


def postpone(name: str) -> ModuleType:
    """Let a module, and the parts of a package, be imported without being run, until something of its own is asked for.
    One that is there already stays as it is. Raise `ModuleNotFoundError`.
    """
    if name in sys.modules:
        return sys.modules[name]
    spec = find_spec(name)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    module = module_from_spec(spec)
    module.__dict__["__getattr__"] = _RunLate(module, spec.loader.exec_module)
    sys.modules[name] = module
    return module


class _RunLate:
    """The `__getattr__` of a module that has not been run. One that fails is run again for the next who asks."""

    def __init__(self, module: ModuleType, run: Callable[[ModuleType], None]) -> None:
        self._module = module
        self._run = run
        self._lock = RLock()
        self._is_running = False

    def __call__(self, asked: str) -> object:
        """Run it, or wait for the thread that does, and return what was asked for."""
        with self._lock:
            if self._is_running:  # it asks for what it has not made yet, as in any circle of imports
                raise AttributeError(f"module {self._module.__name__!r} has no attribute {asked!r} yet")
            if self._module.__dict__.get("__getattr__") is self:
                self._run_now()
        return getattr(self._module, asked)

    def _run_now(self) -> None:
        self._is_running = True
        try:
            self._run(self._module)
        finally:
            self._is_running = False
        if self._module.__dict__.get("__getattr__") is self:  # it may have one of its own now
            del self._module.__dict__["__getattr__"]


class _Annotations(ModuleType):
    """Stands for a module whose names are in annotations alone: each of them is `Any`."""

    def __getattr__(self, name: str) -> Any:
        """Return what every name stands for, but for those of modules themselves."""
        if name.startswith("__"):
            raise AttributeError(name)
        return Any


@contextmanager
def annotations_alone(*names: str) -> Iterator[None]:
    """Let what is imported meanwhile have nothing but names of these modules; whoever imports them later gets them."""
    standing_in = {name: _Annotations(name) for name in names if name not in sys.modules}
    sys.modules.update(standing_in)
    try:
        yield
    finally:
        for name in standing_in:
            del sys.modules[name]


logging.__dict__["config"] = postpone("logging.config")
_package = postpone("uvicorn")
with annotations_alone("uvicorn._types", "configparser"):  # thirty classes, and three long expressions
    from uvicorn.config import Config
    from uvicorn.protocols.http.flow_control import FlowControl
    from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
    from uvicorn.server import Server, ServerState

_package.__dict__["Config"] = Config  # parts of uvicorn that it imports late take it from there
__all__ = ["STATUS_LINE", "Config", "FlowControl", "HttpToolsProtocol", "RequestResponseCycle", "Server", "ServerState"]
