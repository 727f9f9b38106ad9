"""Write what is really installed, for Python and for the page, as CycloneDX JSON: `python scripts/sbom.py [FILE]`.

Scopes say what a part is for: `required` by the program or by the page's build, `optional` for an extra of the package,
`excluded` where it serves development alone.
"""

import base64
import json
import sys
import tomllib
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
OURS = "daehwa"
NODE_PACKAGES = ROOT / "web" / "node_modules" / ".package-lock.json"
_NO_EXTRA = ("",)


def main() -> int:
    """Write it to the file that is named, else to the standard output."""
    text = sbom()
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(text + "\n", "utf-8")
    else:
        print(text)
    return 0


def sbom(node_packages: Path = NODE_PACKAGES) -> str:
    """Return the document."""
    bom = Bom()
    installed = {str(canonicalize_name(found.metadata["Name"])): found for found in distributions()}
    bom.metadata.component = root = Component(
        name=OURS, version=project()["version"], type=ComponentType.APPLICATION, bom_ref=OURS
    )
    parts = [*python_parts(installed), *page_parts(node_packages)]
    for part in parts:
        bom.components.add(part)
    bom.register_dependency(root, [part for part in parts if part.scope is not ComponentScope.EXCLUDED])
    return JsonV1Dot6(bom).output_as_string(indent=1)


def python_parts(installed: dict[str, Distribution]) -> Iterator[Component]:
    """Yield the packages of this environment."""
    core = reached(installed, _NO_EXTRA)
    extras = reached(installed, project()["optional-dependencies"])
    for name, found in sorted(installed.items()):
        if name != canonicalize_name(OURS):
            scope = ComponentScope.OPTIONAL if name in extras else ComponentScope.EXCLUDED
            yield Component(
                name=name,
                version=found.version,
                scope=ComponentScope.REQUIRED if name in core else scope,
                purl=PackageURL("pypi", name=name, version=found.version),
                bom_ref=f"pypi:{name}",
            )


def reached(installed: dict[str, Distribution], extras: Iterable[str]) -> set[str]:
    """Return the packages that ours needs with these extras, by way of others too."""
    todo = [(canonicalize_name(OURS), extra) for extra in extras]
    seen = set(todo)
    while todo:
        name, extra = todo.pop()
        found = installed.get(name)
        for text in own_requirements() if name == OURS else (None if found is None else found.requires) or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                wanted = canonicalize_name(requirement.name)
                more = {(wanted, each) for each in (*requirement.extras, "")} - seen
                seen |= more
                todo += more
    return {str(name) for name, _ in seen}


def project() -> dict[str, Any]:
    """Return what the project says of itself: what is installed of it may be older."""
    found: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return found


def own_requirements() -> Iterator[str]:
    """Yield what the project needs, as a package's own description would say it."""
    said = project()
    yield from said["dependencies"]
    for extra, texts in said["optional-dependencies"].items():
        for text in texts:
            bare, _, marker = text.partition(";")
            yield f"{bare}; extra == '{extra}'" + (f" and ({marker})" if marker else "")


def page_parts(node_packages: Path) -> Iterator[Component]:
    """Yield the packages that build the page; none where they are not installed."""
    if not node_packages.is_file():
        return
    packages: dict[str, dict[str, Any]] = json.loads(node_packages.read_text("utf-8"))["packages"]
    parts: dict[tuple[str, str], dict[str, Any]] = {}
    for place, said in packages.items():
        name = place.rpartition("node_modules/")[2]
        known = parts.setdefault((name, said["version"]), said)
        if known.get("dev") and not said.get("dev"):
            parts[name, said["version"]] = said
    for (name, version), said in sorted(parts.items()):
        namespace, _, bare = name.rpartition("/")
        yield Component(
            name=name,
            version=version,
            scope=ComponentScope.EXCLUDED if said.get("dev") else ComponentScope.REQUIRED,
            purl=PackageURL("npm", namespace=namespace or None, name=bare, version=version),
            hashes=list(hashes_of(said.get("integrity", ""))),
            bom_ref=f"npm:{name}@{version}",
        )


def hashes_of(integrity: str) -> Iterator[HashType]:
    """Yield the checksums that npm wrote down."""
    for each in integrity.split():
        algorithm, _, digest = each.partition("-")
        if algorithm == "sha512":
            yield HashType(alg=HashAlgorithm.SHA_512, content=base64.b64decode(digest).hex())


if __name__ == "__main__":
    sys.exit(main())
