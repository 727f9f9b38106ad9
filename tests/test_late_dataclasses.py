"""A dataclass that is made late is the dataclass that it would have been."""

import dataclasses
import inspect
import json
import subprocess
import sys
from types import ModuleType

import pytest

from daehwa.late_dataclasses import late_dataclasses

SOURCE = """
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

@dataclass
class Plain:
    first: int
    second: list[int] = field(default_factory=list)

@dataclass(frozen=True)
class Frozen:
    name: str = "none"

    def renamed(self, name: str) -> "Frozen":
        return Frozen(name)

@dataclass(frozen=True)
class Longer(Frozen):
    size: int = 1

@dataclass(order=True, kw_only=True)
class Ordered:
    rank: int

@dataclass
class After:
    given: int
    twice: int = field(init=False)

    def __post_init__(self) -> None:
        self.twice = 2 * self.given

class Base(ABC):
    @abstractmethod
    def encode(self) -> str: ...

@dataclass(frozen=True)
class Coded(Base):
    text: str

    def encode(self) -> str:
        return self.text

@dataclass
class Failed(Exception):
    inner: Exception

@dataclass
class Own:
    size: int

    def __init__(self) -> None:
        self.size = 3

@dataclass(slots=True)
class Slotted:
    size: int

@dataclass
class Above:
    first: int

@dataclass(slots=True)
class Below(Above):
    second: int

class Child(Plain):
    def __init__(self) -> None:
        super().__init__(7)
"""
MADE = (
    *("Plain(1)", "Plain(first=1, second=[2])", "Frozen()", "Frozen('a').renamed('b')", "Longer()", "Longer('a', 2)"),
    *("Ordered(rank=1) < Ordered(rank=2)", "After(4)", "Coded('x').encode()", "Failed(ValueError('no')).inner.args"),
    *("Own()", "Slotted(1)", "Below(1, 2)", "Child()", "Child().second", "hash(Frozen('a')) == hash(Frozen('a'))"),
    *("Longer('a') == Frozen('a')", "Plain()", "Ordered(1)", "Base()", "vars(Longer(size=2))"),
)


def a_module(*, late: bool) -> ModuleType:
    module = ModuleType("of_a_test")
    if late:
        with late_dataclasses():
            exec(SOURCE, module.__dict__)  # noqa: S102 - the text above
    else:
        exec(SOURCE, module.__dict__)  # noqa: S102 - likewise
    return module


def outcome(module: ModuleType, expression: str) -> str:
    try:
        return repr(eval(expression, module.__dict__))  # noqa: S307 - of the list above
    except TypeError as error:
        return str(error)


@pytest.mark.parametrize("expression", MADE)
def test_what_is_made_late_is_what_it_would_have_been(expression: str) -> None:
    late, ordinary = a_module(late=True), a_module(late=False)
    for _ in range(2):  # the first time it is made, the second time it is there
        assert outcome(late, expression) == outcome(ordinary, expression)


def test_a_frozen_one_is_frozen_and_has_its_fields_from_the_first_on() -> None:
    first = a_module(late=True).Longer("a")
    with pytest.raises(dataclasses.FrozenInstanceError):
        first.name = "b"
    assert [field.name for field in dataclasses.fields(first)] == ["name", "size"]
    assert dataclasses.replace(first, size=5).size == 5
    assert str(inspect.signature(type(first))) == str(inspect.signature(a_module(late=False).Longer))


def test_a_class_is_no_dataclass_before_it_is_used_and_the_decorator_is_as_before_afterwards() -> None:
    ordinary = dataclasses.dataclass
    module = a_module(late=True)
    assert dataclasses.dataclass is ordinary
    assert not dataclasses.is_dataclass(module.Plain)
    assert dataclasses.is_dataclass(module.Slotted)
    module.Child()
    assert dataclasses.is_dataclass(module.Plain)


def test_an_import_that_fails_leaves_the_decorator_as_it_was() -> None:
    ordinary = dataclasses.dataclass
    with pytest.raises(ModuleNotFoundError), late_dataclasses():
        import daehwa.no_such_module  # type: ignore[import-not-found]  # noqa: F401, PLC0415 - that it is not there is what is tried
    assert dataclasses.dataclass is ordinary


_IMPORTED = """
import dataclasses, json, sys
import daehwa.services.aws
found = [
    dataclasses.is_dataclass(it)
    for name, module in list(sys.modules.items()) if name.startswith("aiodynamo.")
    for it in vars(module).values() if isinstance(it, type) and it.__module__ == name and "__annotations__" in vars(it)
]
print(json.dumps([found.count(True), found.count(False)]))
"""


def test_the_function_starts_with_hardly_any_of_aiodynamos_dataclasses_made() -> None:
    ran = subprocess.run([sys.executable, "-c", _IMPORTED], capture_output=True, check=True, text=True, timeout=60)  # noqa: S603 - this very Python
    made, waiting = json.loads(ran.stdout)
    assert made <= 5
    assert waiting >= 40
