"""What whoever watches over this server is told: counts and times of calls, never a word of what was said."""
