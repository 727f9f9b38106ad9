"""What keeps a deployment from its work, each as one paragraph that says what to do."""


class DeploymentError(Exception):
    """The deployment cannot go on; the text is for the person who asked for it."""


class ProgramMissing(DeploymentError):  # noqa: N818 - errors state the fact
    """A program that is needed is neither on this machine nor could it be fetched."""


class ProgramFailed(DeploymentError):  # noqa: N818 - errors state the fact
    """A program that was started ended badly; its last words are in the text."""


class BytecodeImpossible(DeploymentError):  # noqa: N818 - errors state the fact
    """Nothing here can compile for the function's Python."""
