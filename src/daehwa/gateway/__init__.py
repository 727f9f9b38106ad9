"""Calls in OpenAI's dialect, as bytes: who may make them, which upstream takes them, what they cost.

No HTTP server, no SQL, no environment, as in the core.
"""
