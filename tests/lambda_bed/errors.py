"""What goes wrong in the test bed."""


class BedError(Exception):
    """The root of these errors."""


class NotAFrame(BedError):  # noqa: N818 - errors state the fact
    """The function answered in no form that API Gateway takes."""


class NotStarted(BedError):  # noqa: N818 - errors state the fact
    """The function did not come so far as to ask for an event; the text is what it said."""


class Throttled(BedError):  # noqa: N818 - errors state the fact
    """All environments that the account may have are busy."""


class Failed(BedError):  # noqa: N818 - errors state the fact
    """An invocation that did not end with an answer: what Lambda would say of it."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.message = message
