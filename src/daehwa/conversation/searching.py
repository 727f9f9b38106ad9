"""What makes an upstream read more than it is sent, though no tool says so: fields by which it searches, and models
that always do. Pure, for turns and the gateway alike.

What it finds is read as part of the prompt, so nobody knows beforehand how long that is. Perplexity's Sonar models are
not among them: what they find is paid by the request, which stands in their price, but for the research, whose reading
is counted.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

UNSEEN_TOKENS = 128_000
"""How much a model may read that is kept or found elsewhere, where nobody knows how much it can read."""

_SEARCHES: Final = (
    r"(?i)search-preview|search-api|:online(?![a-z])|deep-research|sonar-pro-search|(?:^|/)compound(?:-|$)"
)
"""OpenAI's models for searching, OpenRouter's suffix, researches of several, Groq's systems. Compiled at first use."""
_FIND_NOTHING: Final = frozenset({"response-healing", "context-compression", "moderation", "auto-router"})
"""OpenRouter's plugins by which nothing is read."""


def _is_set(value: Any) -> bool:
    return value is not None and value is not False and value != []


def _is_on(parameters: Any) -> bool:
    """XAI searches as the model likes where nothing is said of it."""
    return not (isinstance(parameters, dict) and parameters.get("mode") == "off") and _is_set(parameters)


def _has_search(plugins: Any) -> bool:
    if not isinstance(plugins, list):
        return _is_set(plugins)
    return not all(
        isinstance(plugin, dict) and (plugin.get("id") in _FIND_NOTHING or plugin.get("enabled") is False)
        for plugin in plugins
    )


_FIELDS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "web_search_options": _is_set,  # OpenAI, and others after it
    "plugins": _has_search,  # OpenRouter
    "search_parameters": _is_on,  # xAI
    "enable_search": _is_set,  # Qwen
    "data_sources": _is_set,  # Azure
}
SEARCH_FIELDS: Final = frozenset(_FIELDS)
"""The fields of a request by which an upstream reads more."""


def most_read(sent: int, window: int | None) -> int:
    """Return how many tokens are read at most where a model reads more than the `sent` ones; `window` is all that it
    can read, None where nobody knows.
    """
    return max(sent, window or UNSEEN_TOKENS)


def asks_to_search(fields: Mapping[str, Any]) -> bool:
    """Whether one of these fields lets an upstream read what it finds; what it cannot be does."""
    return any(name in fields and reads(fields[name]) for name, reads in _FIELDS.items())


@lru_cache(maxsize=1000)
def always_searches(model: str) -> bool:
    """Whether a model of this name reads what it finds, whoever asks it."""
    return re.search(_SEARCHES, model) is not None
