"""Stands before the real one on the path, as if it were not installed."""

raise ImportError("It is not installed, for this test.")
