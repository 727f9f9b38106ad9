"""Providers: what turns a transcript into events. They know the core and nothing else of ours."""
