"""What holds a secret never shows it: not in a log, not in a traceback, not in a sentence."""

import importlib
import pkgutil
import re
import traceback
from collections.abc import Iterator

import msgspec
import pytest

import daehwa
from daehwa.accounts.unshown import Unshown
from daehwa.settings.values import ConfiguredProvider, ProviderSettings, Secret

SECRET = "sk-canary-of-a-secret"
SECRETIVE = re.compile(
    r"(^|_)(secret|password|passphrase|verifier|nonce|cookie|bearer|api_key|secret_key|secret_access_key|token|public_key)$"
)
STARTS_SOMETHING = ("__main__", "aws.function", "embedded_child")


def structs() -> Iterator[type[msgspec.Struct]]:
    """Every struct of the package."""
    for module in pkgutil.walk_packages(daehwa.__path__, "daehwa."):
        if module.name.endswith(STARTS_SOMETHING) or ".deployment.stack" in module.name:
            continue
        for found in vars(importlib.import_module(module.name)).values():
            if isinstance(found, type) and issubclass(found, msgspec.Struct) and found.__module__ == module.name:
                yield found


def _shows_fields(kind: type[msgspec.Struct]) -> bool:
    return kind.__repr__ is msgspec.Struct.__repr__


def test_structs_with_secrets_show_none_of_their_fields() -> None:
    found = [kind for kind in structs() if any(SECRETIVE.search(name) for name in kind.__struct_fields__)]
    assert len(found) > 8
    shown = [
        f"{kind.__module__}.{kind.__qualname__}"
        for kind in found
        if _shows_fields(kind)
        and any(
            field.type not in {Secret, Secret | None, bool}  # that there is one is no secret
            for field in msgspec.structs.fields(kind)
            if SECRETIVE.search(field.name)
        )
    ]
    assert shown == []


@pytest.mark.parametrize("form", ["{}", "{!r}", "{!s}", "{:>40}"])
def test_a_secret_is_told_in_no_form(form: str) -> None:
    if form == "{:>40}":
        with pytest.raises(TypeError):
            form.format(Secret(SECRET))
        return
    provider = ConfiguredProvider(
        settings=ProviderSettings(name="p"), key=Secret(SECRET), headers=(("x", Secret(SECRET)),), source="x"
    )
    for value in (Secret(SECRET), [Secret(SECRET)], {"key": Secret(SECRET)}, provider):
        assert SECRET not in form.format(value)


def test_a_secret_is_in_no_traceback_and_no_json() -> None:
    key = Secret(SECRET)
    with pytest.raises(TypeError):
        msgspec.json.encode({"key": key})
    with pytest.raises(ValueError, match="Secret") as caught:
        raise ValueError(key)
    assert SECRET not in "".join(traceback.format_exception(caught.value, limit=None))


def test_what_is_unshown_hides_from_those_who_ask_for_fields_too() -> None:
    class Token(Unshown, frozen=True):
        text: str

    shown = Token(SECRET)
    assert SECRET not in f"{shown} {shown!r} {shown.__rich_repr__()}"
