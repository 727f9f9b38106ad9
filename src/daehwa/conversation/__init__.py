"""The core: conversations, turns and replies. It knows no HTTP, no SQL, no SDK and no environment."""
