"""Signing in through an OpenID Connect provider: the way there and back, and the sessions. No SQL, no ASGI."""
