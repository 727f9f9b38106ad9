"""The HTTP side: routes, middleware and wire dialects. It knows the core; stores and providers come in from outside."""
