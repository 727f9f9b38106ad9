"""Builds the function: its packages for Lambda's processor, our modules that it reaches, bytecode, and the zip of it.

No Docker and no compiler: uv takes ready wheels for the wanted platform, whatever machine this is. The page is not in
it, since S3 has it, nor boto3. The same files make the same zip, byte for byte.
"""

import importlib.metadata
import re
import shutil
import sys
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

import daehwa
from daehwa.deployment import programs
from daehwa.deployment.bytecode import compile_folder
from daehwa.deployment.errors import DeploymentError
from daehwa.deployment.reached import reached_modules
from daehwa.deployment.shared_objects import without_symbols
from daehwa.deployment.stack.limits import START_SCRIPT as START_FILE

LAMBDA_PLATFORM = "aarch64-manylinux_2_28"
"""As uv names it. Lambda's Amazon Linux 2023 has glibc 2.34."""

LARGEST_ZIP = 8_000_000
EXTRAS = ("dynamodb", "sign-in")
START_SCRIPT = Path("aws", START_FILE)
_DATA = {"accounts/prices.json"}
"""What of ours is read as a file: everything else that is no code stays at home."""
_COMMAND = "daehwa.aws.function"
"""What the start script runs: of our modules those are packed that it reaches."""
# cffi's modules and pycparser build bindings; cryptography's are built, and need cffi's compiled part alone. click is
# for uvicorn's command and ours, platformdirs for folders of a person, prometheus_client for `/metrics`, which one of
# many functions would answer for itself alone, argon2 for passwords that nobody has there, h11 for uvicorn's other
# protocol: nothing on AWS imports them.
_PACKAGES_LEFT_OUT = {
    *("bin", "cffi", "pycparser", ".lock", "click", "platformdirs", "prometheus_client"),
    *("argon2", "argon2_cffi", "argon2_cffi_bindings", "_argon2_cffi_bindings", "h11"),
}
_PARTS_LEFT_OUT = {Path("uvicorn", "protocols", "websockets"), Path("uvicorn", "supervisors")}
"""Nothing on AWS imports these either."""
_FOLDERS_LEFT_OUT = {"__pycache__", "test", "tests"}
_SUFFIXES_LEFT_OUT = {".pyi", ".pyx", ".pxd", ".c", ".h", ".typed"}
_NAMES_LEFT_OUT = re.compile(r"_testcapi\..*\.(so|pyd)")
_KEPT_OF_METADATA = re.compile(r"METADATA|licen[cs]es/.*|(LICEN[CS]E|NOTICE|COPYING|AUTHORS).*", re.IGNORECASE)
_EXTRA = re.compile(r"""extra\s*==\s*["']([\w-]+)["']""")
_EPOCH = (1980, 1, 1, 0, 0, 0)


class Target(msgspec.Struct, frozen=True):
    """What the function shall run on: Python's minor version, and uv's name of a platform or None for this machine."""

    python: str
    platform: str | None

    @classmethod
    def of_lambda(cls, python: str) -> "Target":
        """Return Lambda's arm64 with this Python."""
        return cls(python, LAMBDA_PLATFORM)

    @classmethod
    def of_this_machine(cls) -> "Target":
        """Return this machine with the Python that runs this."""
        return cls(f"{sys.version_info.major}.{sys.version_info.minor}", None)


class Part(msgspec.Struct, frozen=True):
    """One package in the zip: how many files, their bytes, and their bytes in the zip."""

    name: str
    files: int
    size: int
    packed: int


class FunctionPackage(msgspec.Struct, frozen=True):
    """The function as built: a folder, the same as a zip, what is in it, and who compiled it (None: nobody)."""

    folder: Path
    archive: Path
    parts: tuple[Part, ...]
    compiled_by: str | None

    @property
    def packed(self) -> int:
        """The zip's size in bytes."""
        return self.archive.stat().st_size


def build_function(
    place: Path, target: Target, *, with_bytecode: bool = True, say: Callable[[str], None] = lambda _: None
) -> FunctionPackage:
    """Build `place`/function and `place`/function.zip anew. Raise `DeploymentError`."""
    folder, archive = place / "function", place / "function.zip"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    say(f"gathering packages for Python {target.python} on {target.platform or 'this machine'}")
    _install(folder, target)
    _leave_out(folder)
    _copy_ours(folder)
    compiled_by = None
    if with_bytecode:
        compiled_by = compile_folder(folder, target.python)
        say(f"compiled by {compiled_by}")
    parts = write_zip(folder, archive)
    return FunctionPackage(folder, archive, parts, compiled_by)


def requirements() -> list[str]:
    """Return what the function needs beside us: our own dependencies, and those of the extras it has."""
    needed = []
    for line in importlib.metadata.requires("daehwa") or ():
        requirement, _, marker = line.partition(";")
        extra = _EXTRA.search(marker)
        if extra is None or extra[1] in EXTRAS:
            needed.append(requirement.strip())
    return needed


def write_zip(folder: Path, archive: Path) -> tuple[Part, ...]:
    """Pack a folder so that the same files make the same bytes; return its parts, the largest first."""
    parts: dict[str, list[zipfile.ZipInfo]] = defaultdict(list)
    with zipfile.ZipFile(archive, "w") as packed:
        for path in _files(folder):
            name = path.relative_to(folder).as_posix()
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = 3  # Unix, whatever this machine is: else the modes below are not read
            executable = path.suffix == ".so" or name == START_SCRIPT.name
            entry.external_attr = (0o100755 if executable else 0o100644) << 16
            packed.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED, 9)
            parts[_part_of(name)].append(entry)
    found = [
        Part(name, len(files), sum(f.file_size for f in files), sum(f.compress_size for f in files))
        for name, files in parts.items()
    ]
    return tuple(sorted(found, key=lambda part: (-part.packed, part.name)))


def contents_table(parts: tuple[Part, ...]) -> list[str]:
    """Return the parts as lines, with their sum."""
    total = Part("in all", sum(p.files for p in parts), sum(p.size for p in parts), sum(p.packed for p in parts))
    return [
        f"{p.name:<16} {p.files:>5} files {p.size / 1e6:>7.2f} MB {p.packed / 1e6:>6.2f} MB packed"
        for p in (*parts, total)
    ]


def _install(folder: Path, target: Target) -> None:
    options = ["--quiet", "--only-binary", ":all:", "--exclude-newer", programs.PUBLISHED_BEFORE]
    # uv links its cache's files otherwise, and what is changed here would change there, and in programs that run.
    options += ["--link-mode", "copy"]
    if target.platform is not None:
        options += ["--python-platform", target.platform, "--python-version", target.python]
    command = [programs.find_uv(), "pip", "install", "--python", sys.executable, "--target", str(folder), *options]
    programs.run([*command, *requirements()], folder, what="Gathering the function's packages by uv")


def _leave_out(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        inside = path.relative_to(folder)
        if path.is_file() and _is_left_out(inside):
            path.unlink()
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()
        elif path.suffix == ".so":
            path.write_bytes(without_symbols(path.read_bytes()))


def _is_left_out(path: Path) -> bool:
    top = path.parts[0]
    if top.partition("-")[0] in _PACKAGES_LEFT_OUT - {"cffi"}:
        return True
    if top.endswith(".dist-info"):
        return _KEPT_OF_METADATA.fullmatch("/".join(path.parts[1:])) is None
    return (
        top in _PACKAGES_LEFT_OUT
        or bool(_FOLDERS_LEFT_OUT & set(path.parts[:-1]) or _PARTS_LEFT_OUT & set(path.parents))
        or path.suffix in _SUFFIXES_LEFT_OUT
        or _NAMES_LEFT_OUT.fullmatch(path.name) is not None
    )


def _copy_ours(folder: Path) -> None:
    source = Path(daehwa.__file__).parent
    for inside in sorted({Path(data) for data in _DATA} | reached_modules(source, _COMMAND)):
        copy = folder / "daehwa" / inside
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / inside, copy)
    script = source / START_SCRIPT
    if not script.is_file():
        raise DeploymentError(f"This installation of daehwa has no {START_SCRIPT}. Install it again, whole.")
    # Checked out on Windows it may have other line ends, which its interpreter line cannot have.
    (folder / script.name).write_bytes(script.read_bytes().replace(b"\r\n", b"\n"))
    (folder / script.name).chmod(0o755)


def _files(folder: Path) -> Iterator[Path]:
    yield from sorted(path for path in folder.rglob("*") if path.is_file())


def _part_of(name: str) -> str:
    top = name.split("/", maxsplit=1)[0]
    if top.endswith(".dist-info"):
        return top.partition("-")[0].replace("_", "-")
    if top.startswith("_cffi_backend"):
        return "cffi"
    return top
