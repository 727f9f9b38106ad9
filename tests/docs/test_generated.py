import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_parts_of_the_documentation_are_as_their_source_says() -> None:
    assert script("generate_docs").stale_pages() == [], "run: python scripts/generate_docs.py"


@pytest.mark.parametrize(
    ("number", "said"),
    [
        ("1.37", "1.37이었습니다"),  # 칠
        ("0.0", "0.0이었습니다"),  # 영
        ("10", "10이었습니다"),  # 십
        ("1.1", "1.1이었습니다"),  # 일
        ("0.23", "0.23이었습니다"),  # 삼
        ("0.6", "0.6이었습니다"),  # 육
        ("0.8", "0.8이었습니다"),  # 팔
        ("0.2", "0.2였습니다"),  # 이
        ("0.04", "0.04였습니다"),  # 사
        ("1.5", "1.5였습니다"),  # 오
        ("0.19", "0.19였습니다"),  # 구
    ],
)
def test_was_in_korean_goes_by_how_the_last_digit_is_read(number: str, said: str) -> None:
    assert number + script("generate_docs").was_in_korean(number) == said
