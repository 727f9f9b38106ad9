"""People, their sign-ins and what they may spend: no HTTP, no SQL, no environment, as in the core."""
