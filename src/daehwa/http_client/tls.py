"""TLS for a connection that moves bytes itself: OpenSSL between two buffers.

asyncio's own TLS reads the socket at every packet, whoever waits; here a held stream stays in the kernel.
"""

import asyncio
import ssl
import threading

_RECORD_BYTES = 16 * 1024
_known: dict[str | None, ssl.SSLContext] = {}
_reading = threading.Lock()


async def trusted_authorities(ca_file: str | None) -> ssl.SSLContext:
    """Return what is trusted: the machine's authorities and those of `ca_file`. Raise `OSError`.

    One for the whole process: reading some hundred certificates takes 20 to 50 ms and 2 MB each time.
    """
    if ca_file in _known:
        return _known[ca_file]
    return await asyncio.to_thread(_read_authorities, ca_file)


def _read_authorities(ca_file: str | None) -> ssl.SSLContext:
    with _reading:  # several that come at once read them once
        if ca_file not in _known:
            trust = ssl.create_default_context()
            trust.set_alpn_protocols(["http/1.1"])
            if ca_file is not None:
                trust.load_verify_locations(ca_file)
            _known[ca_file] = trust
        return _known[ca_file]


class Tls:
    """The client's side of TLS with `host`, over a transport.

    `is_open`: the handshake is over. `has_ended`: the other side said goodbye. `is_broken`: what came makes no sense.
    """

    def __init__(self, trust: ssl.SSLContext, host: str, transport: asyncio.Transport) -> None:
        self.is_open = False
        self.has_ended = False
        self.is_broken = False
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = trust.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._transport = transport

    def _send(self) -> None:
        data = self._outgoing.read()
        if data and not self._transport.is_closing():
            self._transport.write(data)

    def feed(self, data: bytes | memoryview) -> None:
        """Take what came."""
        self._incoming.write(data)

    def shake_hands(self) -> bool:
        """Go on with the handshake; return whether it is over. Raise `ssl.SSLError`."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        finally:
            self._send()  # the other side is told what is wrong, too
        self.is_open = True
        return True

    def read(self) -> bytes:
        """Return what can be read by now."""
        pieces = []
        try:
            while self._incoming.pending or self._tls.pending():
                piece = self._tls.read(_RECORD_BYTES)
                if not piece:
                    self.has_ended = True
                    break
                pieces.append(piece)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            self.is_broken = True
        self._send()  # keys may be renewed at any time
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def write(self, data: bytes) -> None:
        """Send all of it, encrypted."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._tls.write(rest) :]
        except ssl.SSLError:
            self.is_broken = True
        self._send()
