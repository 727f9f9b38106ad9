"""What is used of uvicorn, without what comes with any part of it and is never used here: its command (click,
multiprocessing and some fifty further modules) and logging's reader of configurations, together a fifth of a start.

Both are put in place before they are run. Whoever asks one for something (`uvicorn.run`) gets it whole, only later.
"""

import logging
import sys
from importlib.util import find_spec, module_from_spec
from types import ModuleType


def postpone(name: str) -> ModuleType:
    """Let a module, and the parts of a package, be imported without being run, until something of its own is asked for.
    One that is there already stays as it is.
    """
    spec = find_spec(name)
    if name in sys.modules or spec is None or spec.loader is None:
        return sys.modules[name]
    module, run = module_from_spec(spec), spec.loader.exec_module

    def found_late(asked: str) -> object:
        del module.__dict__["__getattr__"]
        run(module)
        return getattr(module, asked)

    module.__dict__["__getattr__"] = found_late
    sys.modules[name] = module
    return module


logging.__dict__["config"] = postpone("logging.config")
_package = postpone("uvicorn")
from uvicorn.config import Config  # noqa: E402 - after the lines above, and so those below
from uvicorn.protocols.http.flow_control import FlowControl  # noqa: E402
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle  # noqa: E402
from uvicorn.server import Server  # noqa: E402

_package.__dict__["Config"] = Config  # parts of uvicorn that it imports late take it from there
__all__ = ["STATUS_LINE", "Config", "FlowControl", "HttpToolsProtocol", "RequestResponseCycle", "Server"]
