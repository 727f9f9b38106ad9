"""What daehwa is measured with: what comes with it, and nothing that other packages of the group `bench` bring."""

from importlib.metadata import requires

import contestants
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def _brought_by(package: str) -> set[str]:
    """Return it and all that is installed with it on this Python, without extras."""
    found, pending = set[str](), [package]
    while pending:
        name = canonicalize_name(pending.pop())
        if name not in found:
            found.add(name)
            asked = map(Requirement, requires(name) or ())
            pending += [each.name for each in asked if each.marker is None or each.marker.evaluate({"extra": ""})]
    return found


@pytest.mark.parametrize("hidden", [file.stem for file in contestants.CORE_ALONE.glob("*.py")])
def test_what_is_hidden_from_it_does_not_come_with_it(hidden: str) -> None:
    assert "msgspec" in (brought := _brought_by("daehwa"))
    assert canonicalize_name(hidden) not in brought
