"""What the program is made of, as one file, and whether anything of it is known to be faulty."""

import base64
import hashlib
import http.server
import importlib.util
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from node_packages import ROOT

SCRIPTS = ROOT / "scripts"


def ran(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPTS / script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 - our own


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("sbom") / "daehwa.cdx.json"
    done = ran("sbom.py", str(file))
    assert done.returncode == 0, done.stderr
    return file


@pytest.fixture
def written(file: Path) -> str:
    return file.read_text("utf-8")


def test_it_is_cyclone_dx(written: str) -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(written) is None


def test_it_names_what_is_installed_and_what_for(written: str) -> None:
    bom = json.loads(written)
    assert (bom["bomFormat"], bom["metadata"]["component"]["name"]) == ("CycloneDX", "daehwa")
    scopes = {part["name"]: part["scope"] for part in bom["components"]}
    for name in ("msgspec", "uvicorn", "click", "httptools", "h11"):
        assert scopes[name] == "required"
    for name in ("joserfc", "cryptography", "aiodynamo", "opentelemetry-sdk"):
        assert scopes[name] == "optional"
    for name in ("pytest", "mypy", "schemathesis", "vitest", "jsdom"):
        assert scopes[name] == "excluded"
    for name in ("svelte", "markdown-it", "vite", "@codemirror/legacy-modes"):
        assert scopes[name] == "required"
    purls = {part["purl"] for part in bom["components"]}
    assert any(purl.startswith("pkg:npm/%40codemirror/legacy-modes@") for purl in purls)
    assert all(part["version"] for part in bom["components"])
    assert "://registry" not in written, "where it was fetched is nobody's business"


def test_it_says_the_checksums_that_npm_wrote_down(tmp_path: Path) -> None:
    """npm writes them down where it fetched by a lock file, and not always else."""
    digest = hashlib.sha512(b"svelte").digest()
    lock = tmp_path / ".package-lock.json"
    said = {"version": "5.1.0", "integrity": f"sha512-{base64.b64encode(digest).decode()}"}
    lock.write_text(json.dumps({"packages": {"node_modules/svelte": said, "node_modules/vite": {"version": "8.0.0"}}}))
    bom = json.loads(by_hand("sbom").sbom(lock))
    hashes = {part["name"]: part.get("hashes") for part in bom["components"]}
    assert hashes["svelte"] == [{"alg": "SHA-512", "content": digest.hex()}]
    assert hashes["vite"] is None


def by_hand(script: str) -> Any:
    """Return a script as a module."""
    spec = importlib.util.spec_from_file_location(script, SCRIPTS / f"{script}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def a_database(answer: Any) -> Iterator[tuple[str, list[Any]]]:
    """A database on this machine that says the same to all, or what a function makes of the question."""
    asked: list[Any] = []

    class Answering(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            body = json.dumps(answer(asked[-1]) if callable(answer) else answer).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/", asked
    finally:
        server.shutdown()
        server.server_close()


def _one_is_faulty(asked: Any) -> Any:
    faulty = [query["package"]["purl"].startswith("pkg:pypi/msgspec@") for query in asked["queries"]]
    return {"results": [{"vulns": [{"id": "GHSA-test"}]} if each else {} for each in faulty]}


def test_a_known_fault_is_named_and_fails(file: Path) -> None:
    with a_database(_one_is_faulty) as (address, asked):
        done = ran("audit.py", f"--sbom={file}", f"--database={address}")
        assert done.returncode == 1
        assert "GHSA-test" in done.stdout
        assert "pkg:pypi/msgspec@" in done.stdout
        kinds = {query["package"]["purl"].split("/")[0] for query in asked[0]["queries"]}
        assert kinds == {"pkg:pypi", "pkg:npm"}
        assert ran("audit.py", f"--sbom={file}", f"--database={address}", "--report").returncode == 0


@pytest.mark.parametrize("answer", [[], {"results": [{}]}])
def test_an_answer_of_another_form_is_not_taken_for_all_well(answer: Any, file: Path) -> None:
    with a_database(answer) as (address, _):
        done = ran("audit.py", f"--sbom={file}", f"--database={address}")
    assert done.returncode == 0
    assert "Nothing was checked" in done.stdout


def test_a_database_that_is_not_there_is_said_plainly(file: Path) -> None:
    done = ran("audit.py", f"--sbom={file}", "--database=http://127.0.0.1:9/")
    assert done.returncode == 0
    assert "not reachable" in done.stdout
    assert "Nothing was checked" in done.stdout
