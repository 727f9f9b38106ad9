"""How many transactions whoever writes on the spot begins."""

from collections.abc import Callable

from daehwa.stores.sqlite import SqliteStore


def transactions(store: SqliteStore) -> list[str]:
    """Return a list that gets each transaction that is begun by whoever writes on the spot."""
    begun: list[str] = []
    store.jotter.run_now(lambda database: database.set_trace_callback(_those_that_begin(begun)))
    return begun


def _those_that_begin(begun: list[str]) -> Callable[[str], None]:
    return lambda statement: begun.append(statement) if statement.startswith("BEGIN") else None
