"""What is used of uvicorn, without its command, which comes with any part of it: click, multiprocessing and some fifty
further modules, a tenth of a start.

The package is put in place before it is run. Whoever asks it for something (`uvicorn.run`) gets it whole, only later.
"""

import sys
from importlib.util import find_spec, module_from_spec


def postpone(name: str) -> None:
    """Let a package's parts be imported without what it imports itself, until something of its own is asked for. One
    that is there already stays as it is.
    """
    spec = find_spec(name)
    if name in sys.modules or spec is None or spec.loader is None:
        return
    package, run = module_from_spec(spec), spec.loader.exec_module

    def found_late(asked: str) -> object:
        del package.__dict__["__getattr__"]
        run(package)
        return getattr(package, asked)

    package.__dict__["__getattr__"] = found_late
    sys.modules[name] = package


postpone("uvicorn")
from uvicorn.config import Config  # noqa: E402 - after the line above, and so those below
from uvicorn.protocols.http.flow_control import FlowControl  # noqa: E402
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle  # noqa: E402
from uvicorn.server import Server  # noqa: E402

__all__ = ["STATUS_LINE", "Config", "FlowControl", "HttpToolsProtocol", "RequestResponseCycle", "Server"]
