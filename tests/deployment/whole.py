"""A person's machine for the whole command: `daehwa deploy` in a process of its own, ministack for AWS, and a look at
every process that it starts.
"""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aws_names import AwsNames, aws_names
from deployment.conftest import LIMIT_SECONDS, NOT_INHERITED, PROGRAM, Ended, real_caches
from ministack_server import ACCOUNT, Ministack, ministack
from synthesized import REGION

from daehwa.deployment.programs import cache_folder

KEY = "sk-canary-nobody-may-see-0123456789"
DEPLOY = ("--yes", "--no-check", "--without-bytecode", "--admin-email", "Kim@example.com")
_BETWEEN_LOOKS = 0.05


class Machine:
    """A home and a cache of its own; fetched programs are those of the real cache."""

    def __init__(self, folder: Path, server: Ministack, names: AwsNames) -> None:
        self.server, self.names = server, names
        self.home, self.cache = folder / "home", folder / "cache"
        self.command_lines: set[str] = set()
        self.told_the_key: set[str] = set()
        self.home.mkdir()
        (self.cache / "daehwa").mkdir(parents=True)
        for kept in ("npm", "node"):
            (self.cache / "daehwa" / kept).symlink_to(cache_folder(kept))

    def run(self, *arguments: str, stdin: str = "", stops_at: str = "", **environment: str) -> Ended:
        """Run `daehwa deploy …` to its end, or to a Ctrl-C once it has said `stops_at`."""
        process = subprocess.Popen(  # noqa: S603 - our own program
            [*PROGRAM, "deploy", *arguments],
            cwd=self.home,
            env={**self._environment(), **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # a group of its own, as at a terminal: Ctrl-C reaches all of it
        )
        given, told, complained = process.stdin, process.stdout, process.stderr
        assert given is not None
        assert told is not None
        assert complained is not None
        given.write(stdin)
        given.close()
        wrong: list[str] = []
        reading = threading.Thread(target=lambda: wrong.extend(complained))
        reading.start()
        limit = threading.Timer(LIMIT_SECONDS, lambda: os.killpg(process.pid, signal.SIGKILL))
        limit.start()
        said = []
        with self._watched(process):
            for line in told:
                said.append(line)
                if stops_at and stops_at in line:
                    os.killpg(process.pid, signal.SIGINT)
                    stops_at = ""
            process.wait()
        limit.cancel()
        reading.join()
        told.close()
        complained.close()
        return Ended(process.returncode, "".join(said), "".join(wrong))

    def files(self) -> Iterator[Path]:
        """Give every file that the program wrote."""
        for top in (self.home, self.cache):
            for folder, _, names in os.walk(top):  # which follows no link
                yield from (Path(folder, name) for name in names)

    def _environment(self) -> dict[str, str]:
        inherited = {name: text for name, text in os.environ.items() if not name.startswith(NOT_INHERITED)}
        return {
            **inherited,
            "HOME": str(self.home),
            "PYTHONWARNINGS": "default",
            "XDG_CACHE_HOME": str(self.cache),
            **real_caches(),
            "AWS_ENDPOINT_URL": self.server.url,
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "not-checked",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_REGION": REGION,
            "HTTPS_PROXY": self.names.url,
            "NO_PROXY": "127.0.0.1,localhost",
        }

    @contextmanager
    def _watched(self, process: "subprocess.Popen[str]") -> Iterator[None]:
        """Note the command line of every process below this one, and which of them has the key in its environment."""
        done = threading.Event()

        def look() -> None:
            while not done.wait(_BETWEEN_LOOKS):
                own = _read(process.pid, "cmdline").replace("\0", " ")
                for pid in _below(process.pid):
                    line = _read(pid, "cmdline").replace("\0", " ")
                    self.command_lines.add(line)
                    # A process that was forked and is not another program yet is a copy of ours, its environment too.
                    if line != own and KEY in _read(pid, "environ"):
                        self.told_the_key.add(line)

        looking = threading.Thread(target=look)
        looking.start()
        try:
            yield
        finally:
            done.set()
            looking.join()


@contextmanager
def machine(folder: Path, *, taught: str) -> Iterator[Machine]:
    """Give a machine with an account on AWS."""
    with (
        ministack(folder, REGION, taught=taught) as server,
        aws_names(folder, int(server.url.rpartition(":")[2]), REGION) as names,
    ):
        yield Machine(folder, server, names)


def _below(top: int) -> set[int]:
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and (status := _read(int(entry.name), "stat")):
            parents[int(entry.name)] = int(status.rpartition(")")[2].split()[1])
    found = {top}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def _read(pid: int, name: str) -> str:
    try:
        return Path("/proc", str(pid), name).read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""
