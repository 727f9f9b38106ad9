"""The programs that a deployment starts, where the machine does not have them."""

import os
import subprocess
import sys
from pathlib import Path

from daehwa.deployment.programs import OLDEST_NODE

FIND = "from daehwa.deployment.programs import find_node; find_node()"
UV = "def find_uv_bin() -> str:\n    return {program!r}\n"


def test_where_no_node_can_be_fetched_it_names_the_oldest_that_is_taken(tmp_path: Path) -> None:
    program = tmp_path / "fetches-nothing"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    (tmp_path / "uv.py").write_text(UV.format(program=str(program)))  # stands before the real one on the path
    places = {"PYTHONPATH": str(tmp_path), "PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = [sys.executable, "-c", FIND]
    ended = subprocess.run(command, env={**os.environ, **places}, capture_output=True, text=True, check=False)  # noqa: S603 - our own Python
    assert ended.returncode == 1
    assert OLDEST_NODE == (20, 19)
    assert ended.stderr.splitlines()[-1].endswith("did not bring it. Install Node 20.19 or newer.")
