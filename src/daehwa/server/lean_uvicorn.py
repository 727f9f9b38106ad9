"""What is used of uvicorn, without what comes with any part of it and is never used here: its command (click,
multiprocessing and some fifty further modules), logging's reader of configurations and the dates of mails, together a
fifth of a start.

All are put off: whoever asks one for something (`uvicorn.run`) gets it whole, only later. What it names in annotations
alone is not made at all.
"""

from daehwa.late_modules import annotations_alone, postpone

postpone("logging.config")
postpone("email.utils", functions=("formatdate",))
_package = postpone("uvicorn")
with annotations_alone("uvicorn._types", "configparser"):  # thirty classes, and three long expressions
    from uvicorn.config import Config
    from uvicorn.protocols.http.flow_control import FlowControl
    from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
    from uvicorn.server import Server, ServerState

_package.__dict__["Config"] = Config  # parts of uvicorn that it imports late take it from there
__all__ = ["STATUS_LINE", "Config", "FlowControl", "HttpToolsProtocol", "RequestResponseCycle", "Server", "ServerState"]
