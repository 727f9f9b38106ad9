"""What the commands share: short lines for the person at the terminal, and faults told as one paragraph."""

import contextlib
import errno
import io
import os
import sys
from collections.abc import Callable
from typing import TextIO

from daehwa.conversation.errors import DaehwaError, InvalidRequest
from daehwa.settings import SettingsError, is_debugging, program_name

WIDTH = 88
FAULT, MISUSE, STOPPED = 1, 2, 130
_LAST_STANDARD = 2
_ACTED_UPON = {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\n\t"}
_ACTED_UPON |= {0x7F: 0x2421, **dict.fromkeys(range(0x80, 0xA0), 0xFFFD)}
_UNWRITABLE = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EIO, errno.EBADF}
"""What writing to a file that is open fails with. Any other error that names no file is none of the disk's."""


class Refusal(Exception):  # noqa: N818 - it is an answer
    """The command will not do it; the text is a paragraph that says what to do."""


def plain(text: str) -> str:
    """Return a text that somebody else wrote without what a terminal would act upon: such characters move the cursor,
    hide text, or write into the clipboard. Each is shown as the sign for it.
    """
    return text.translate(_ACTED_UPON)


def say(text: str = "") -> None:
    """Print a line for the person who started the program."""
    print(plain(as_typed(text)), flush=True)  # noqa: T201 - it is what the terminal is for


def say_json(value: object) -> None:
    """Print a value as JSON, for programs. What standard output's encoding lacks is escaped as JSON has it, and so is
    what is no UTF-8 in the name of a file.
    """
    import json  # noqa: PLC0415 - each start pays for imports

    import msgspec  # noqa: PLC0415 - as above

    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"  # it may be closed
    is_utf8 = encoding.lower() in {"utf-8", "utf8"}
    print(json.dumps(msgspec.to_builtins(value), ensure_ascii=not is_utf8, indent=2), flush=True)  # noqa: T201 - likewise


def as_typed(text: str) -> str:
    """Return a text with its commands as they must be typed here."""
    return text.replace("`daehwa ", f"`{program_name()} ")


def tell(paragraph: str) -> None:
    """Print a paragraph to standard error, wrapped where that is a terminal."""
    paragraph = as_typed(paragraph)
    if sys.stderr.isatty():
        import textwrap  # noqa: PLC0415 - for this alone

        paragraph = textwrap.fill(paragraph, WIDTH, break_long_words=False, break_on_hyphens=False)
    _print_error(paragraph)


def run_command(command: Callable[[], int | None]) -> int:
    """Run a command; whatever goes wrong becomes a paragraph and an exit code, never a traceback unless asked for."""
    _occupy_standard_descriptors()
    if isinstance(sys.stdout, io.TextIOWrapper):  # a letter that the terminal's encoding lacks, as on standard error
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = command() or 0
        if sys.stdout is not None:
            sys.stdout.flush()  # else Python does when nobody can be told any more
    except KeyboardInterrupt:
        return _stopped()
    except BrokenPipeError:
        return FAULT  # whoever read it has left
    except Exception as error:  # noqa: BLE001 - the terminal's edge: nobody at a terminal should have to read a traceback
        return _told(error)
    finally:
        _drop_what_cannot_be_written(sys.stdout)
        _drop_what_cannot_be_written(sys.stderr)
    return code


def refuse_without_output() -> None:
    """Raise `Refusal` where standard output is closed, and with it all that a command would be good for."""
    if sys.stdout is None:
        raise Refusal("Standard output is closed, and what was asked for goes there. Send it to a file or a program.")


def is_terminal(stream: TextIO | None) -> bool:
    """Whether somebody sits at this end of the program; it may be closed."""
    return stream is not None and stream.isatty()


def _occupy_standard_descriptors() -> None:
    """Open the null device in place of what was closed, so that no file of ours is taken for standard error, and let
    what is told go there: a command whose work is done is not to fail over its last words.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= _LAST_STANDARD:
        pass
    os.close(descriptor)
    if sys.stderr is None:
        sys.stderr = os.fdopen(_LAST_STANDARD, "w", errors="backslashreplace", closefd=False)


def _drop_what_cannot_be_written(stream: TextIO | None) -> None:
    """Let go of it: Python would try again at its end, complain, and end with 120, whatever the command says."""
    if stream is None:
        return
    try:
        stream.flush()
    except OSError:
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _print_error(text: str = "") -> None:
    with contextlib.suppress(OSError):  # nobody is left who could be told
        print(plain(text), file=sys.stderr, flush=True)  # noqa: T201 - likewise


def _stopped() -> int:
    _print_error()
    return STOPPED


def _told(error: Exception) -> int:
    import click  # noqa: PLC0415 - a start that goes well does without

    if isinstance(error, click.Abort):
        return _stopped()
    if isinstance(error, click.ClickException):
        with contextlib.suppress(OSError):  # as `_print_error` does
            error.show()
        return error.exit_code
    if isinstance(error, (SettingsError, Refusal)):
        tell(f"daehwa: {error}")
        return MISUSE
    if is_debugging():
        raise error
    if isinstance(error, DaehwaError):
        tell(f"daehwa: {error.message}")
        return MISUSE if isinstance(error, InvalidRequest) else FAULT
    if isinstance(error, OSError) and (error.filename is not None or error.errno in _UNWRITABLE):
        what = "what it writes cannot be written" if error.filename is None else f"{error.filename} cannot be used"
        tell(f"daehwa: {what}: {error.strerror or error}. Make room, check the permissions, or name another place.")
        return FAULT
    tell(
        f"daehwa: this is a fault in the program itself ({type(error).__name__}: {error}). Run it again with "
        "DAEHWA_DEBUG=1 to see where, and please report that."
    )
    return FAULT
