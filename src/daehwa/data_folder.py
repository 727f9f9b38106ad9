"""The folder on this machine that holds everything: made private, checked, and held by one server at a time.

Who holds it has a lock on a file in it, which says who that is, and one on the folder itself where the system has such:
the file may be removed by somebody who takes it for a remnant, and the next server would make and lock another one.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from daehwa.conversation.errors import StoreError

DATABASE = "daehwa.sqlite3"
LOCK = "daehwa.lock"


class DataFolderError(StoreError):
    """The folder cannot be used; the message says what to do."""

    type = "data_folder"


class DataFolder:
    """A folder that exists, is writable and for its owner alone. `hold` makes this process its one server."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.database = _where_it_is(path / DATABASE)
        self._lock: IO[str] | None = None
        self._own: int | None = None

    def prepare(self) -> None:
        """Make the folder where it is missing, for its owner alone, and see that it can be written."""
        try:
            is_new = not self.path.exists()
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if is_new:
                self.path.chmod(0o700)
            os.close(os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT, 0o600))
            (self.path / LOCK).chmod(0o600)  # a folder that was copied may have opened it, and a word will be in it
            if self.database.exists():
                self.database.chmod(0o600)
        except OSError as error:
            raise DataFolderError(
                f"The data folder {self.path} cannot be used: {error.strerror}. Give a folder that you may write to, "
                "with --data-dir or the setting data_dir."
            ) from None
        if (fault := nowhere(self.database)) is not None:
            raise DataFolderError(fault)

    def fault(self) -> str | None:
        """Return what would keep this program from using the folder, changing nothing; None where nothing would."""
        lock = self.path / LOCK
        try:
            if not self.path.is_dir() and os.path.lexists(self.path):
                return f"The data folder {self.path} is no folder. Give another one with --data-dir."
            if os.path.lexists(lock):
                os.close(os.open(lock, os.O_RDWR))
        except OSError as error:
            return f"The lock {lock} cannot be used: {error.strerror}. Remove it while no daehwa runs."
        return None

    def hold(self) -> None:
        """Hold the folder until `release`, or this process's end. Raise `DataFolderError` where another one does."""
        try:
            lock = (self.path / LOCK).open("a+", encoding="ascii")
        except OSError as error:
            raise DataFolderError(f"{self.path / LOCK} cannot be opened: {error.strerror}.") from None
        own = _descriptor(self.path)
        if not (_try_lock(lock) and _try_lock_folder(own)):
            lock.close()
            _close(own)
            holder = self.holder()
            who = "another daehwa" if holder is None else f"another daehwa (process {holder})"
            raise DataFolderError(
                f"The data folder {self.path} is in use by {who}. Use the page of that one, end it, or give this one a "
                "folder of its own with --data-dir."
            )
        _write(lock, str(os.getpid()))
        self._lock, self._own = lock, own

    def note_address(self, address: str, word: str | None = None) -> None:
        """Write down where this process, which holds the folder, can be asked, and by which word it tells how it goes;
        the folder's owner alone can read that.
        """
        if self._lock is not None:
            _write(self._lock, f"{os.getpid()}\n{address}\n{word or ''}\n")

    @contextlib.contextmanager
    def held_to_migrate(self) -> Iterator[None]:
        """Hold the folder while its file is changed, if this process does not hold it anyway.

        Raise `DataFolderError` while another one does: it may be of the version before, and knows only the file before.
        """
        if self._lock is not None:
            yield
            return
        try:
            self.hold()
        except DataFolderError:
            holder = self.holder()
            who = "an older daehwa" if holder is None else f"an older daehwa (process {holder})"
            raise DataFolderError(
                f"The data folder {self.path} is in use by {who}, and this version would change its file. End that "
                "one, start it again with this version, then try again."
            ) from None
        try:
            yield
        finally:
            self.release()

    def holder(self) -> int | None:
        """Return the process that last held the folder, as it noted itself."""
        with contextlib.suppress(OSError, ValueError):
            return int(self._noted()[0])
        return None

    def address(self) -> str | None:
        """Return where the process that last held the folder could be asked, as it noted itself."""
        with contextlib.suppress(OSError, ValueError):
            return next(iter(self._noted()[1:]), None)
        return None

    def word(self) -> str | None:
        """Return the word that belongs to the address."""
        with contextlib.suppress(OSError, ValueError):
            return next(iter(self._noted()[2:]), None) or None
        return None

    def _noted(self) -> list[str]:
        return (self.path / LOCK).read_text("ascii").splitlines() or [""]

    def is_held(self) -> bool:
        """Whether a server holds the folder at this moment."""
        with contextlib.suppress(OSError), (self.path / LOCK).open("r+", encoding="ascii") as lock:
            if not _try_lock(lock):
                return True
        own = _descriptor(self.path)
        try:
            return not _try_lock_folder(own)
        finally:
            _close(own)

    def release(self) -> None:
        """Let go. More than once is fine."""
        lock, self._lock = self._lock, None
        own, self._own = self._own, None
        _close(own)
        if lock is not None:
            with contextlib.suppress(OSError):  # a disk that is full still has no room for what is noted
                lock.close()


def nowhere(database: Path) -> str | None:
    """Return what is wrong where the database is a link that leads nowhere, to a disk that is not there perhaps: a new
    one would be begun in its place. None where it is no such link.
    """
    if not database.is_symlink() or database.exists():
        return None
    return f"'{database}' is a link to {database.readlink()}, where nothing is. Bring that back, or remove the link."


def _where_it_is(database: Path) -> Path:
    """Follow a link to a database that lies elsewhere: SQLite has its log beside the file, not beside the link."""
    return Path(os.path.realpath(database)) if database.is_symlink() and database.exists() else database


def _descriptor(folder: Path) -> int | None:
    """Open a folder to lock it; None where there is none, or as on Windows, where an open file cannot be removed."""
    with contextlib.suppress(OSError):
        return None if sys.platform == "win32" else os.open(folder, os.O_RDONLY)
    return None


def _close(descriptor: int | None) -> None:
    if descriptor is not None:
        os.close(descriptor)


def _try_lock_folder(descriptor: int | None) -> bool:
    """Lock a folder until it is closed, where its file system can do that; return False where another one has it."""
    if sys.platform != "win32" and descriptor is not None:
        import fcntl  # noqa: PLC0415 - not on Windows

        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # as over NFS: the lock in the file has to do
            return True
    return True


def _write(lock: IO[str], text: str) -> None:
    """Note something for others to read. Where the disk is full they do without; it is locked all the same."""
    lock.seek(0)
    with contextlib.suppress(OSError):
        lock.truncate()
        lock.write(text)
        lock.flush()


def _try_lock(file: IO[str]) -> bool:
    """Lock a file until it is closed; the system lets go of it when the process ends, in whatever way."""
    try:
        if sys.platform == "win32":
            import msvcrt  # noqa: PLC0415 - Windows only

            file.seek(1 << 20)  # far behind the number, which others may then still read
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl  # noqa: PLC0415 - not on Windows

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
