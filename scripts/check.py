"""Everything that must hold before a change lands: `python3 scripts/check.py`, with `--quick` for all but the browser,
with `--engines` in Firefox and WebKit too.

On a fresh machine it installs what it needs: uv (into .check/), the project's environment, Chromium. It needs Python
3.11 and no package but the standard library's to begin with, and then goes on inside the project's environment. What
takes long runs side by side, in two lanes, where the machine has two processors. Last and alone runs a quick benchmark.
"""

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = ROOT / ".venv"
OWN_UV = ROOT / ".check" / "uv"
SCRIPTS = "Scripts" if os.name == "nt" else "bin"
FAULTS = "tests/faults"
PRINTING = threading.Lock()
SKIPPED = re.compile(r"\b([1-9]\d*) skipped\b")


class Step(NamedTuple):
    """One thing to run, and in which folder."""

    name: str
    command: list[str]
    folder: Path = ROOT


class Result(NamedTuple):
    """How a step went."""

    name: str
    seconds: float
    fault: str | None


def main() -> int:
    """Prepare, run every step, sum up."""
    if Path(sys.prefix).resolve() != ENVIRONMENT.resolve():
        return enter_environment()
    begun = time.monotonic()
    asked = {"with_browser": "--quick" not in sys.argv, "adapter": has_adapter()}
    results = [run(step) for step in preparations(**asked)]
    asked["engines"] = "--engines" in sys.argv and has_engines()
    with ThreadPoolExecutor() as pool:
        for lane in pool.map(run_lane, lanes(**asked)):
            results += lane
    if can_measure():  # alone, so that nothing else takes the processors
        results.append(run(Step("benchmark", [sys.executable, str(ROOT / "benchmarks" / "run.py"), "--check"])))
    print("\n== summary")
    for result in results:
        print(f"{'FAILED' if result.fault else 'ok':>8} {result.seconds:7.1f} s  {result.name}  {result.fault or ''}")
    failed = sum(result.fault is not None for result in results)
    total = time.monotonic() - begun
    if not can_measure():
        print("not run: the benchmark, which needs Linux, two processors, taskset and a C compiler")
    if not asked["adapter"]:
        print("not run: the tests behind the Lambda Web Adapter; cargo, which builds it, is not on this machine")
    if "--engines" in sys.argv and not asked["engines"]:
        print("not run: the tests in Firefox and WebKit; what they need is not here and could not be installed")
    print(f"steps: {len(results) - failed} passed, {failed} failed, in {total:.0f} s")
    return 1 if failed else 0


def enter_environment() -> int:
    """Install the project with its tools and run this script again with its Python."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this line runs on whatever Python the person has
        print(f"daehwa needs Python 3.11 or newer; this is {sys.version.split()[0]}.")
        return 1
    os.environ["UV"] = uv = find_uv()  # as `uv run` does; scripts/npm.py may need it
    installed = run(Step("install", [uv, "sync", "--group", "dev", "--python", sys.executable]))
    if installed.fault is not None:
        return 1
    again = [str(ENVIRONMENT / SCRIPTS / "python"), str(Path(__file__).resolve()), *sys.argv[1:]]
    return subprocess.run(again, cwd=ROOT, check=False).returncode


def find_uv() -> str:
    """Return the machine's uv, or one of our own beside the project."""
    found = shutil.which("uv")
    if found is not None and subprocess.run([found, "--version"], capture_output=True, check=False).returncode == 0:
        return found
    own = OWN_UV / SCRIPTS / "uv"
    if not own.exists():
        print("== uv is not installed: putting it into .check/", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(OWN_UV)], check=True)
        subprocess.run([str(OWN_UV / SCRIPTS / "python"), "-m", "pip", "install", "-q", "uv"], check=True)
    return str(own)


def preparations(*, with_browser: bool, adapter: bool) -> list[Step]:
    """Return what is quick, and what the tests need: Node where there is none, the page, the adapter, Chromium."""
    python, npm = sys.executable, str(ROOT / "scripts" / "npm.py")
    result = [
        Step("ruff check", [python, "-m", "ruff", "check"]),
        Step("ruff format", [python, "-m", "ruff", "format", "--check"]),
        Step("npm install", [python, npm, "install"]),
        Step("page", [python, str(ROOT / "hatch_build.py")]),
        Step("audit", [python, str(ROOT / "scripts" / "audit.py"), "--report"]),  # says so where it cannot ask
    ]
    if adapter:
        result.append(Step("lambda adapter", [python, str(ROOT / "scripts" / "lambda_adapter.py")]))
    if with_browser:
        result.append(Step("chromium", [python, str(ROOT / "scripts" / "chromium.py")]))
    return result


def lanes(*, with_browser: bool, adapter: bool, engines: bool) -> list[list[Step]]:
    """Return what runs side by side. The page's tests read what the server's tests wrote, so they follow them."""
    python = sys.executable
    npm = [python, str(ROOT / "scripts" / "npm.py")]
    pytest = [python, "-m", "pytest", "-q"]
    first = [
        Step("pytest", [*pytest, "-m", "not browser and not engines and not lambda_adapter", f"--ignore={FAULTS}"]),
        Step("vitest", [*npm, "test"]),
    ]
    second = [
        Step("mypy", [python, "-m", "mypy"]),
        Step("svelte-check", [*npm, "run", "check"]),
        Step("faults", [*pytest, FAULTS]),
    ]
    # Pytest alone takes as long as all of these, so that the lanes end together. With a third lane both processors were
    # full, and DynamoDB Local once too slow for a hundred questions in one moment.
    # Each is told where its tests lie (tests/test_architecture.py): to look through all of them takes half a minute.
    if adapter:
        second.append(Step("tests behind the adapter", [*pytest, "-m", "lambda_adapter", "tests/aws"]))
    if engines:
        second.append(Step("tests in other engines", [*pytest, "-m", "engines", "tests/engines"]))
    if with_browser:
        chosen = "browser" if adapter else "browser and not lambda_adapter"
        second.append(Step("browser tests", [*pytest, "-m", chosen, "tests/browser"]))
    return [first, second] if (os.cpu_count() or 1) > 1 else [first + second]


def has_adapter() -> bool:
    """Whether the Lambda Web Adapter is there or can be built, which takes minutes once."""
    return (
        shutil.which("cargo") is not None
        or subprocess.run(
            [sys.executable, str(ROOT / "scripts" / "lambda_adapter.py")], capture_output=True, check=False
        ).returncode
        == 0
    )


def has_engines() -> bool:
    """Whether Firefox and WebKit are there or can be installed; it says which."""
    return subprocess.run([sys.executable, str(ROOT / "scripts" / "engines.py")], check=False).returncode == 0


def can_measure() -> bool:
    """Whether the benchmark runs here."""
    if sys.platform != "linux" or not {0, 1} <= os.sched_getaffinity(0):
        return False
    return shutil.which("cc") is not None and shutil.which("taskset") is not None


def run_lane(lane: list[Step]) -> list[Result]:
    """Run steps one after another beside another lane's; what each printed is passed on when it ends."""
    return [run(step, at_once=False) for step in lane]


def run(step: Step, *, at_once: bool = True) -> Result:
    """Run one step, passing its output on; a test that was skipped counts as a fault."""
    title = f"\n== {step.name}: {' '.join(step.command)}\n".encode()
    show(title if at_once else f"\n== {step.name} has begun\n".encode())
    begun = time.monotonic()
    skipped, kept = "", [title]
    with subprocess.Popen(
        step.command, cwd=step.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        for line in process.stdout or ():
            if at_once:
                show(line)
            kept.append(line)
            if found := SKIPPED.search(line.decode("utf-8", "replace")):
                skipped = found[0]
    if not at_once:
        show(b"".join(kept))
    fault = f"exit code {process.returncode}" if process.returncode else skipped or None
    return Result(step.name, time.monotonic() - begun, fault)


def show(output: bytes) -> None:
    """Print, in one piece whatever else is printed meanwhile."""
    with PRINTING:
        sys.stdout.buffer.write(output)
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
