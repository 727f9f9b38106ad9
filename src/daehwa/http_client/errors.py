"""What can go wrong between here and a server, before anybody knows what the request was for.

HttpError
├── ConnectFailed     no connection; `reason` says why
├── TimedOut          nothing came, or not all, within the time for it
├── ConnectionLost    the connection closed before the answer's end
├── NotHttp           what came is not an HTTP answer that can be read
├── TooLong           the answer is longer than its limit
└── ClientClosed      this program has closed the client
"""

from typing import Literal, TypeAlias

Reason: TypeAlias = Literal["address", "name", "refused", "trust", "proxy"]


class HttpError(Exception):
    """An exchange that came to nothing; `message` says what happened, without any header or body."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ConnectFailed(HttpError):  # noqa: N818 - errors state the fact
    """No connection came about. `reason`: the address is none, its name unknown, it was refused, cannot be trusted, or
    the proxy's doing; `detail` says more where more is known.
    """

    def __init__(self, reason: Reason, host: str, detail: str = "") -> None:
        super().__init__(_SENTENCES[reason].format(host=host, detail=detail))
        self.reason: Reason = reason
        self.detail = detail


_SENTENCES: dict[Reason, str] = {
    "address": "the address is not of the form https://host/path",
    "name": "the name {host} is not found",
    "refused": "{host} cannot be reached: {detail}",
    "trust": "no safe connection to {host}: {detail}",
    "proxy": "the proxy on the way to {host} does not let the request through: {detail}",
}


class TimedOut(HttpError):  # noqa: N818 - errors state the fact
    """The time was over: `connecting` says whether no connection stood yet."""

    def __init__(self, host: str, seconds: float, *, connecting: bool) -> None:
        super().__init__(
            f"no connection to {host} within {seconds:g} s"
            if connecting
            else f"{host} has not answered within {seconds:g} s"
        )
        self.connecting = connecting
        self.seconds = seconds


class ConnectionLost(HttpError):  # noqa: N818 - errors state the fact
    """The connection closed before the answer's end."""

    def __init__(self) -> None:
        super().__init__("the connection closed before the answer's end")


class NotHttp(HttpError):  # noqa: N818 - errors state the fact
    """What came is not an HTTP answer that can be read; the message says what it is."""

    def __init__(self, what: str = "something that is not HTTP") -> None:
        super().__init__(what)


class TooLong(HttpError):  # noqa: N818 - errors state the fact
    """The answer is longer than its limit."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the answer is longer than {limit} bytes")


class ClientClosed(HttpError):  # noqa: N818 - errors state the fact
    """The client was closed, because the program is ending."""

    def __init__(self) -> None:
        super().__init__("the connection is closed: daehwa is ending")
