"""Stores: where conversations are kept. They know the core and nothing else of ours."""
