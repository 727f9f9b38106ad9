"""The composition root, one module a home: only it names adapters, and makes of settings what they say."""
