"""Runs CDK: synthesises the app in a process of its own, and deploys what came of it by the pinned CDK CLI."""

import re
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from daehwa.deployment import programs
from daehwa.deployment.configuration import INPUT_VARIABLE, ORIGIN_KEY_PARAMETER, DeploymentSettings
from daehwa.deployment.errors import DeploymentError, ProgramFailed
from daehwa.deployment.programs import Node
from daehwa.deployment.stack_state import readable
from daehwa.settings import Secret

CDK_VERSION = "2.1148.1"
"""The CLI that was tried with the library in the extra `aws`; npm's `latest` does not read what that library writes."""

_SYNTH_SECONDS = 300
_LAST_LINES = 40
# CDK's own line of an event: stack | done/all | time | status | kind | name in the template
_EVENT = re.compile(
    r"^\S+ \|\s*(?P<done>\d+)(?:/(?P<all>\d+))? \| [^|]+ \| (?P<status>[A-Z_]+)\s*\| (?P<kind>\S+)\s*\| (?P<name>\S+)"
)
_QUIET = ("--no-color", "--no-notices", "--no-version-reporting", "--ci")


class CdkFailed(DeploymentError):  # noqa: N818 - errors state the fact
    """CDK ended badly; its last words are in the text."""


def synthesize(folder: Path, settings: DeploymentSettings, code: Path, account: str | None, node: Node) -> Path:
    """Write the templates into `folder`/cdk.out and return that. Raise `CdkFailed`."""
    asked, output = folder / "deployment.json", folder / "cdk.out"
    values = {"settings": settings, "code": str(code), "account": account}
    asked.write_bytes(msgspec.json.encode(values))
    environment = node.environment(CDK_OUTDIR=str(output), **{INPUT_VARIABLE: str(asked)})
    command = [sys.executable, "-m", "daehwa.deployment.stack"]
    try:
        programs.run(command, folder, environment=environment, what="Synthesising", seconds=_SYNTH_SECONDS)
    except ProgramFailed as error:
        raise CdkFailed(str(error)) from None
    return output


class Cdk:
    """The CDK CLI with a person's profile."""

    def __init__(self, node: Node, region: str, profile: str | None) -> None:
        self._node = node
        self._region = region
        self._profile = profile
        self._program = programs.npm_package(node, "aws-cdk", CDK_VERSION) / "node_modules" / "aws-cdk" / "bin" / "cdk"

    def bootstrap(self, account: str, regions: Sequence[str], folder: Path, say: Callable[[str], None]) -> None:
        """Make CDK at home in regions of the account. Raise `CdkFailed`."""
        self._run(["bootstrap", *(f"aws://{account}/{region}" for region in regions)], folder, say, {})

    def deploy(self, assembly: Path, stack: str, origin_key: Secret, say: Callable[[str], None]) -> None:
        """Deploy a stack, and those that it needs, from a written assembly. Raise `CdkFailed`."""
        options = ("--require-approval", "never", "--progress", "events")
        # By the environment and not as an option: options are seen by everybody on this machine.
        secret = {"CDK_PARAMETERS": f"{stack}:{ORIGIN_KEY_PARAMETER}={origin_key.reveal()}"}
        self._run(["deploy", stack, "--app", str(assembly), *options], assembly.parent, say, secret)

    def _run(self, arguments: list[str], folder: Path, say: Callable[[str], None], secret: dict[str, str]) -> None:
        chosen = [] if self._profile is None else ["--profile", self._profile]
        command = [self._node.node, str(self._program), *arguments, *_QUIET, *chosen]
        environment = self._node.environment(
            AWS_REGION=self._region, AWS_DEFAULT_REGION=self._region, CDK_DISABLE_CLI_TELEMETRY="true", **secret
        )
        last: deque[str] = deque(maxlen=_LAST_LINES)
        with (
            _interrupts_are_for_the_child(),
            subprocess.Popen(  # noqa: S603 - the CDK CLI, with our own arguments
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
            ) as process,
        ):
            for line in process.stdout or ():
                last.append(line.rstrip())
                if (shown := event_line(line)) is not None:
                    say(shown)
        if process.returncode in {-signal.SIGINT, 130}:
            raise KeyboardInterrupt
        if process.returncode != 0:
            raise CdkFailed(f"CDK failed. {programs.last_words(chr(10).join(last))}")


def event_line(line: str) -> str | None:
    """Return CDK's line of an event in our words, or None for what need not be shown."""
    found = _EVENT.match(line.strip())
    if found is None:
        return None
    share = f"{found['done']}/{found['all']}" if found["all"] else found["done"]
    return f"{share:>6}  {readable(found['status'], found['kind'], found['name'])}".rstrip()


@contextmanager
def _interrupts_are_for_the_child() -> Iterator[None]:
    """Ctrl-C reaches the CLI as well, which ends by itself; we read its last words meanwhile."""
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
