"""The program `daehwa`. A plain start of the server, which is nearly each, does without click: a fifteenth of it."""

import sys

from daehwa.cli.plain import plain_flags
from daehwa.cli.terminal import run_command


def main() -> None:
    """Run the program and end with its exit code."""
    sys.exit(run_command(_run))


def _run() -> int:
    flags = plain_flags(sys.argv[1:])
    if flags is None:
        from daehwa.cli.commands import cli  # noqa: PLC0415 - with click

        code: int | None = cli.main(prog_name="daehwa", standalone_mode=False)
        return code or 0
    from daehwa.cli.serve import run_server  # noqa: PLC0415 - a command brings its own imports

    return run_server(flags, None)
