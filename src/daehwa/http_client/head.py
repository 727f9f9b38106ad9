"""The head of an answer: its lines as they came, and the headers that they make."""


def headers_of(lines: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return the headers by their names in lower case; of repeated ones, all, with commas.

    They are joined once: of one name there may be tens of thousands.
    """
    found: dict[str, list[str]] = {}
    for name, value in lines:
        found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return {name: ", ".join(values) for name, values in found.items()}
