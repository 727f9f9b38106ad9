"""The trace that what runs now belongs to, as whoever asked named it. Tasks begun for a request are in it too."""

from contextvars import ContextVar

TRACE_PARENT: ContextVar[str | None] = ContextVar("trace_parent", default=None)
"""The header `traceparent` of W3C's Trace Context, as it came."""
