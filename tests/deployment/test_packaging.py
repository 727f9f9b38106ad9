import shutil
import stat
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from daehwa.deployment import bytecode, programs
from daehwa.deployment.errors import BytecodeImpossible
from daehwa.deployment.packaging import (
    LARGEST_ZIP,
    FunctionPackage,
    Target,
    build_function,
    contents_table,
    requirements,
    write_zip,
)
from daehwa.deployment.reached import reached_modules
from daehwa.deployment.shared_objects import without_symbols

ROOT = Path(__file__).parents[2]
SIGNING_WORKS = """
import sys
sys.path[:] = [path for path in sys.path if not path.endswith("site-packages")]
sys.path.insert(0, ".")
import daehwa.services.aws
import httptools.parser.parser, msgspec._core, multidict._multidict, uvicorn.server, aiodynamo
from joserfc import jwk, jwt
for kind, key in (("RS256", jwk.RSAKey.generate_key(2048)), ("ES256", jwk.ECKey.generate_key("P-256"))):
    assert jwt.decode(jwt.encode({"alg": kind}, {"sub": "1"}, key), key).claims == {"sub": "1"}
print(daehwa.__file__)
"""

EACH_IMPORTED = """
import importlib, pathlib, sys
sys.path[:] = [path for path in sys.path if not path.endswith("site-packages")]
sys.path.insert(0, ".")
for path in sorted(pathlib.Path("daehwa").rglob("*.py")):
    try:
        importlib.import_module(".".join(path.with_suffix("").parts).removesuffix(".__init__"))
    except ModuleNotFoundError as error:
        if error.name.startswith("daehwa"):
            raise
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> FunctionPackage:
    return build_function(tmp_path_factory.mktemp("host"), Target.of_this_machine())


@pytest.fixture(scope="module")
def arm(tmp_path_factory: pytest.TempPathFactory) -> FunctionPackage:
    return build_function(tmp_path_factory.mktemp("arm"), Target.of_lambda("3.13"), with_bytecode=False)


def names(package: FunctionPackage) -> list[str]:
    with zipfile.ZipFile(package.archive) as archive:
        return archive.namelist()


def test_versions_are_fixed_by_the_date_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert project["tool"]["uv"]["exclude-newer"] == programs.PUBLISHED_BEFORE


def test_the_function_has_our_dependencies_and_its_two_extras() -> None:
    wanted = " ".join(requirements())
    assert all(name in wanted for name in ("uvicorn", "httptools", "aiodynamo", "joserfc"))
    assert "boto3" not in wanted
    assert "cdk" not in wanted


def test_what_is_packed_runs_with_nothing_else_on_the_path(host: FunctionPackage) -> None:
    command = [sys.executable, "-I", "-c", SIGNING_WORKS]
    ended = subprocess.run(command, cwd=host.folder, capture_output=True, text=True, check=False)  # noqa: S603 - our own Python
    assert ended.returncode == 0, ended.stderr
    assert Path(ended.stdout.strip()).resolve().is_relative_to(host.folder.resolve())


def test_each_module_of_ours_finds_those_that_it_imports(host: FunctionPackage) -> None:
    command = [sys.executable, "-I", "-c", EACH_IMPORTED]
    ended = subprocess.run(command, cwd=host.folder, capture_output=True, text=True, check=False)  # noqa: S603 - our own Python
    assert ended.returncode == 0, ended.stderr


def test_of_our_modules_those_are_reached_that_are_imported_now_or_later(tmp_path: Path) -> None:
    package = tmp_path / "own"
    texts = {
        "__init__.py": "",
        "command.py": "import os\nfrom own.a import b\ndef late():\n    import own.c.d\n",
        "a/__init__.py": "from own.e import value\n",
        "a/b.py": "import own.command\n",
        "c/__init__.py": "",
        "c/d.py": "from . import other\n",
        "e.py": "value = 1\n",
        "alone.py": "import own.command\n",
    }
    for name, text in texts.items():
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(text, "utf-8")
    reached = {path.as_posix() for path in reached_modules(package, "own.command")}
    assert reached == set(texts) - {"alone.py"}


def test_every_module_has_bytecode_that_no_time_invalidates(host: FunctionPackage) -> None:
    sources = [path for path in host.folder.rglob("*.py") if path.parent != host.folder]
    assert len(sources) > 300
    for source in sources:
        compiled = source.parent / "__pycache__" / f"{source.stem}.{sys.implementation.cache_tag}.pyc"
        assert compiled.read_bytes()[4:8] == b"\x01\x00\x00\x00"  # by hash, and never checked


def test_the_zip_holds_what_is_needed_and_no_more(host: FunctionPackage) -> None:
    packed = names(host)
    assert {"daehwa/server/app.py", "daehwa/services/dialects.py", "daehwa/accounts/prices.json"} <= set(packed)
    assert not {"daehwa/stores/sqlite.py", "daehwa/services/local.py", "uvicorn/supervisors/__init__.py"} & set(packed)
    assert "run.sh" in packed
    tops = {name.split("/")[0] for name in packed}
    assert not tops & {"bin", "boto3", "botocore", ".lock", "cffi", "pycparser", "click", "h11", "platformdirs"}
    assert not [top for top in tops if "argon2" in top or top == "aws_cdk"]
    assert not [
        name for name in packed if name.startswith(("daehwa/cli/", "daehwa/deployment/", "daehwa/server/page/"))
    ]
    assert not [name for name in packed if "/tests/" in name or name.endswith((".pyi", ".pyx", ".h"))]
    assert [name for name in packed if "cryptography" in name and "licenses/" in name]
    table = contents_table(host.parts)
    assert table[-1].startswith("in all")
    assert sum(part.files for part in host.parts) == len(packed)


def test_the_start_script_can_be_started_from_the_zip(host: FunctionPackage) -> None:
    with zipfile.ZipFile(host.archive) as archive:
        entry = archive.getinfo("run.sh")
        assert stat.S_IMODE(entry.external_attr >> 16) == 0o755
        assert b"\r" not in archive.read("run.sh")
        assert all(info.date_time == (1980, 1, 1, 0, 0, 0) for info in archive.infolist())


def test_the_same_function_is_the_same_zip(host: FunctionPackage, tmp_path: Path) -> None:
    again = tmp_path / "function"
    shutil.copytree(host.folder, again, ignore=shutil.ignore_patterns("__pycache__"))
    bytecode.compile_folder(again, Target.of_this_machine().python)
    write_zip(again, tmp_path / "function.zip")
    assert (tmp_path / "function.zip").read_bytes() == host.archive.read_bytes()


def test_lambdas_processor_gets_its_own_modules_within_the_limit(arm: FunctionPackage) -> None:
    modules = list(arm.folder.rglob("*.so"))
    assert len(modules) >= 5
    aarch64 = 183
    assert {int.from_bytes(path.read_bytes()[18:20], "little") for path in modules} == {aarch64}
    assert any("313" in path.name for path in modules)
    assert arm.compiled_by is None
    assert arm.packed < LARGEST_ZIP


def test_pyodide_compiles_for_a_python_this_machine_lacks(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("def said():\n    return '대화'\n", "utf-8")
    assert bytecode.compile_by_pyodide(tmp_path, "3.14").startswith("3.14.")
    compiled = (tmp_path / "__pycache__" / "one.cpython-314.pyc").read_bytes()
    assert compiled[:8] == b"\x2b\x0e\r\n\x01\x00\x00\x00"  # 3.14's own mark, and never checked
    assert b"/var/task/one.py" in compiled


def test_a_module_that_does_not_compile_is_told_with_what_can_be_done(tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text("def :\n", "utf-8")
    with pytest.raises(BytecodeImpossible, match="--without-bytecode"):
        bytecode.compile_folder(tmp_path, Target.of_this_machine().python)


def test_what_is_no_compiled_module_stays_as_it_is() -> None:
    assert without_symbols(b"\xcf\xfa\xed\xfe, a Mac's") == b"\xcf\xfa\xed\xfe, a Mac's"


def test_a_folder_is_packed_in_the_order_of_its_names(tmp_path: Path) -> None:
    folder = tmp_path / "function"
    for name in ("b/two.py", "a.py", "b/one.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x = 1\n", "utf-8")
    write_zip(folder, tmp_path / "function.zip")
    with zipfile.ZipFile(tmp_path / "function.zip") as archive:
        assert archive.namelist() == ["a.py", "b/one.py", "b/two.py"]
