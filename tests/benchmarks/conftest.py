"""Lets these tests import the benchmark's modules, which are programs of their own and belong to no package."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
