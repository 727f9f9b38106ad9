"""What runs on Lambda beside the app: its command, signed requests to AWS, the upstream's key out of a parameter."""
