"""The function's command: `python -m daehwa.aws.function`, which run.sh starts and the Lambda Web Adapter asks."""

import sys
from types import ModuleType


def run() -> None:
    """Be the function's process."""
    prepare()
    from daehwa.services.aws import run as run_function  # noqa: PLC0415 - after the line above

    run_function()


def prepare() -> None:
    """Let uvicorn's server come without its command, which is imported with any part of it: click, multiprocessing and
    some fifty further modules, a tenth of a start.
    """
    command = ModuleType("uvicorn.main")
    command.__dict__.update(Server=None, main=None, run=None)  # the names that the package takes from it
    sys.modules["uvicorn.main"] = command


if __name__ == "__main__":
    run()
