"""What somebody has set for themselves, wherever they sit."""

from daehwa.accounts.unshown import Unshown

INSTRUCTION_CHARACTERS = 4_000


class Preferences(Unshown, frozen=True, kw_only=True):
    """`instructions` are given to the model before whatever this person asks in the page or by `daehwa ask`; empty:
    none. Programs say in each call what they want, and are not touched by them.
    """

    instructions: str = ""
