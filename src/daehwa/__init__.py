"""daehwa (대화, "conversation"): your own ChatGPT in one small package."""

__version__ = "0.1.0"
