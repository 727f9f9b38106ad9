"""Modules that are run when something of theirs is first asked for: what a start imports and does not use.

How this works and why. Importing is most of a start, and much of it is imported for one function that a start never
calls. A module that is put off stands in `sys.modules` as ever; who asks it for a name gets the module whole, only
later. It is put off before anybody imports it: one that is there already stays as it is.
"""

import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from importlib.util import find_spec, module_from_spec
from threading import RLock
from types import ModuleType
from typing import Any, Final

_NOT_FOR_A_START: Final = ("locale", "shutil")
"""What `subprocess` and `tempfile` import for functions that no start calls. Not `json`, whose parts look for each
other in it, nor `inspect` and `ssl`, of which asyncio asks for something when it handles signals and listens.
"""


def put_off_for_a_start() -> None:
    """Put off what a start does not use; before it imports anything else."""
    for name in _NOT_FOR_A_START:
        postpone(name)


def postpone(name: str, functions: Collection[str] = ()) -> ModuleType:
    """Let a module, and the parts of a package, be imported without being run, until something of its own is asked for,
    or one of these functions is called. One that is there already stays as it is. Raise `ModuleNotFoundError`.
    """
    if name in sys.modules:
        return sys.modules[name]
    spec = find_spec(name)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    module = module_from_spec(spec)
    run = module.__dict__["__getattr__"] = _RunLate(module, spec.loader.exec_module)
    module.__dict__.update({function: _late_function(run, function) for function in functions})
    sys.modules[name] = module
    package, _, part = name.rpartition(".")
    if package:
        sys.modules[package].__dict__[part] = module
    return module


def _late_function(run: "_RunLate", name: str) -> Callable[..., Any]:
    def call(*given: Any, **named: Any) -> Any:
        function: Any = run(name)
        return function(*given, **named)

    return call


class _RunLate:
    """The `__getattr__` of a module that has not been run. One that fails is run again for the next who asks."""

    def __init__(self, module: ModuleType, run: Callable[[ModuleType], None]) -> None:
        self._module = module
        self._run = run
        self._lock = RLock()
        self._is_running = False

    def __call__(self, asked: str) -> object:
        """Run it, or wait for the thread that does, and return what was asked for."""
        if asked == "__path__":  # every `from … import` asks for it; a package has one before it is run
            raise AttributeError(f"module {self._module.__name__!r} is no package")
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
