"""Ask the OSV database for known faults of everything that is installed: `python scripts/audit.py`.

It knows the advisories that `pip-audit` and `npm audit` know, takes the list of `scripts/sbom.py` as it is, and answers
for both in one request. Where it cannot be reached, this says so and that nothing was checked, and is no failure.
With `--report` a finding is none either; without, it ends with 1. `--sbom=FILE`: a list that was written before.
"""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

DATABASE = "https://api.osv.dev/v1/querybatch"
SECONDS = 10
MOST_BYTES = 50_000_000
ACCEPTED: Mapping[str, str] = {}
"""Advisories that are known and do not concern us, by id, each with the reason."""


class Unreachable(Exception):  # noqa: N818 - errors state the fact
    """The database was not asked, or did not answer in its form; the text says why."""


class Finding(NamedTuple):
    """An advisory for a part."""

    part: str
    scope: str
    advisory: str


def main() -> int:
    """Ask, and say what came of it."""
    options = dict(each.partition("=")[::2] for each in sys.argv[1:])
    listed = Path(options["--sbom"]).read_text("utf-8") if "--sbom" in options else written()
    parts = {part["purl"]: part["scope"] for part in json.loads(listed)["components"]}
    try:
        found = list(findings(parts, options.get("--database", DATABASE)))
    except Unreachable as reason:
        print(f"The database of advisories was not reachable ({reason}). Nothing was checked: {len(parts)} parts.")
        return 0
    for part, scope, advisory in found:
        accepted = f", accepted: {ACCEPTED[advisory]}" if advisory in ACCEPTED else ""
        print(f"{advisory:22} {part} ({scope}{accepted})")
    print(f"{len(parts)} parts were looked up; {len(found)} advisories concern them.")
    left = [each for each in found if each.advisory not in ACCEPTED]
    return 1 if left and "--report" not in options else 0


def written() -> str:
    """Return the list of what is installed."""
    command = [sys.executable, str(Path(__file__).with_name("sbom.py"))]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def findings(parts: Mapping[str, str], database: str) -> Iterator[Finding]:
    """Yield what is known of these parts, by purl and scope. Raise `Unreachable`."""
    asked = {"queries": [{"package": {"purl": purl}} for purl in parts]}
    results = answer(database, json.dumps(asked).encode()).get("results")
    if not isinstance(results, list) or len(results) != len(parts):
        raise Unreachable("its answer is not for what was asked")
    for (purl, scope), result in zip(parts.items(), results, strict=True):
        for advisory in (result or {}).get("vulns") or ():
            yield Finding(purl, scope, advisory["id"])


def answer(database: str, asked: bytes) -> dict[str, Any]:
    """Return the database's answer. Raise `Unreachable`."""
    request = urllib.request.Request(database, asked, {"content-type": "application/json"})  # noqa: S310 - our constant
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as response:  # noqa: S310 - as above
            found = json.loads(response.read(MOST_BYTES))
    except (OSError, ValueError) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        raise Unreachable(str(reason) or type(error).__name__) from None
    if not isinstance(found, dict):
        raise Unreachable("its answer is no object")
    return found


if __name__ == "__main__":
    sys.exit(main())
