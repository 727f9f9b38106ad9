"""When another upstream is asked in place of one that did not answer, as a pure decision."""

from daehwa.conversation.errors import ProviderContextError, ProviderError, ProviderRefusedError

_ELSEWHERE = frozenset({404, 408, 409, 425, 429})
_SERVER_FAULT = 500


def falls_over(fault: ProviderError | int) -> bool:
    """Whether another upstream may do better: after an error without an answer, or an answer's HTTP status.

    A request that is refused for what it says is refused by the next one as well. To be asked before the first byte
    of an answer alone.
    """
    if isinstance(fault, int):
        return fault >= _SERVER_FAULT or fault in _ELSEWHERE
    return not isinstance(fault, ProviderRefusedError | ProviderContextError)
