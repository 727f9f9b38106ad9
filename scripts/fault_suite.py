"""The fault suite: `python scripts/fault_suite.py --long`, or parts of it: `… --long kills cuts`.

Without `--long` it is the short form that every test run has. docs/faults.md says what the parts are.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests")]

from faults.suite import main  # noqa: E402 - found by the path set above

if __name__ == "__main__":
    sys.exit(main())
