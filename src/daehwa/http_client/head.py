"""The head of an answer: its lines as they came, and the headers that they make."""


def headers_of(lines: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return the headers by their names in lower case; of repeated ones, all, with commas.

    Those are joined once: of one name there may be tens of thousands.
    """
    found: dict[str, str] = {}
    repeated: dict[str, list[str]] = {}
    for line in lines:
        name, text = line[0].decode("latin-1").lower(), line[1].decode("latin-1")
        if name in found:
            repeated.setdefault(name, [found[name]]).append(text)
        else:
            found[name] = text
    for name, texts in repeated.items():
        found[name] = ", ".join(texts)
    return found
