"""How far a call came on its way to an upstream, and whether it is paid for where the upstream has counted nothing."""

import msgspec

from daehwa.conversation.errors import ProviderTimeoutError, TimeIsUp

_GIVEN_UP = frozenset({None, ProviderTimeoutError.type, TimeIsUp.type})
"""How calls end, as types of errors, that an upstream was still at work on: None where who asked has left."""


class Delivery(msgspec.Struct):
    """A call on its way. `is_sent` is set by whoever sends it, once its upstream may have all of it, and not while a
    connection is made for it: before that, nobody can be paid for it. Where several upstreams are asked in turn, it is
    said of the last.
    """

    is_sent: bool = False


def is_paid(error: str | None, *, is_sent: bool, has_begun: bool) -> bool:
    """Return whether a call is paid for that ended with an error of this type, None: with none. What came of an answer
    is, and a prompt without an answer where its upstream had it and was given up; one that failed by itself is not.
    """
    return has_begun or (is_sent and error in _GIVEN_UP)
