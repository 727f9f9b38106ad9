"""Lets these tests import the benchmark's modules, which are programs of their own and belong to no package."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from load import Load

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))


@pytest.fixture
def a_load() -> "Load":
    """Return what the client says of a stream of five tokens that came whole."""
    from load import Gaps, Load, Times  # noqa: PLC0415 - found by the path set above

    once = Times(1, 1.0, 1.0, 1.0, 1.0)
    return Load(
        whole=1,
        failed=0,
        refused=0,
        wrong=0,
        unfinished=0,
        open=0,
        tokens=5,
        reads=5,
        bytes=1,
        connections=1,
        first=once,
        total=once,
        gap=Gaps(1, 20.0, 20.0, 20.0, 20.0),
        seconds=1.0,
        cpu_seconds=0.1,
    )
