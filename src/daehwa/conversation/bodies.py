"""What is wrong with the body of a request that cannot be read, in a sentence."""

import re

from daehwa.conversation.errors import InvalidRequest

# A surrogate that stands alone: not after an odd number of backslashes more, the first half not before a second one and
# the second not after a first. Compiled by the first body that cannot be read.
_HALF = (
    rb"(?<!\\)(?:\\\\)*(\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2})"
)


def not_json(body: bytes) -> InvalidRequest:
    """Return the error of a body that could not be read as JSON."""
    half = re.search(_HALF, body)
    if half is None:
        return InvalidRequest("The body is not valid JSON in UTF-8.")
    return InvalidRequest(
        f"The body is not valid JSON in UTF-8: it holds half a character, the lone surrogate {half.group(1).decode()}. "
        "Send characters such as emoji whole."
    )
