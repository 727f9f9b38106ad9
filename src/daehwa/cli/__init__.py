"""The program `daehwa`. A plain start of the server, which is nearly each, does without click: a fifteenth of it."""

import gc
import sys


def main() -> None:
    """Run the program and end with its exit code."""
    gc.disable()  # as `run_server` does: what is imported before it is part of a start, too
    from daehwa.cli.terminal import run_command  # noqa: PLC0415 - after that

    sys.exit(run_command(_run))


def _run() -> int:
    from daehwa.cli.plain import plain_flags  # noqa: PLC0415 - as above

    flags = plain_flags(sys.argv[1:])
    if flags is None:
        gc.enable()
        from daehwa.cli.commands import cli  # noqa: PLC0415 - with click

        code: int | None = cli.main(prog_name="daehwa", standalone_mode=False)
        return code or 0
    from daehwa.late_modules import put_off_for_a_start  # noqa: PLC0415 - as above

    put_off_for_a_start()
    from daehwa.cli.serve import run_server  # noqa: PLC0415 - a command brings its own imports

    return run_server(flags, None)
