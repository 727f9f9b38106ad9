"""A proxy on 127.0.0.1 by which a program finds AWS's web addresses in ministack, and all others where they are.

It shows a certificate of its own for AWS's names, so whoever does not trust that one reaches nobody there.
"""

import contextlib
import select
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import trustme

AWS_NAMES = (".cloudfront.net", ".amazonaws.com")
_AT_ONCE = 65_536
_PATIENCE = 60


class AwsNames(NamedTuple):
    """The proxy's address, and the file by which its certificate is trusted."""

    url: str
    trusted: Path


@contextlib.contextmanager
def aws_names(folder: Path, emulator_port: int, region: str) -> Iterator[AwsNames]:
    """Run the proxy."""
    authority = trustme.CA()
    trusted = folder / "authority.pem"
    authority.cert_pem.write_to_path(str(trusted))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("*.cloudfront.net", f"*.execute-api.{region}.amazonaws.com").configure_cert(context)

    class Handler(socketserver.StreamRequestHandler):
        rbufsize = 0  # what follows the head is the tunnel's

        def handle(self) -> None:
            host, _, port = self.rfile.readline().split()[1].decode().rpartition(":")
            while self.rfile.readline().strip():
                pass
            is_aws = host.endswith(AWS_NAMES)
            with contextlib.suppress(OSError):
                place = ("127.0.0.1", emulator_port) if is_aws else (host, int(port))
                with socket.create_connection(place, _PATIENCE) as onward:
                    self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
                    if not is_aws:
                        _pass(self.connection, onward)
                        return
                    with context.wrap_socket(self.connection, server_side=True) as opened:
                        _ask_emulator(opened, onward)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield AwsNames(f"http://127.0.0.1:{server.server_address[1]}", trusted)
        finally:
            server.shutdown()


def _ask_emulator(opened: socket.socket, emulator: socket.socket) -> None:
    """Pass one request on, as one that came by TLS, and the answer back."""
    head = b""
    while b"\r\n\r\n" not in head and (more := opened.recv(_AT_ONCE)):
        head += more
    emulator.sendall(head.replace(b"\r\n", b"\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n", 1))
    while more := emulator.recv(_AT_ONCE):
        opened.sendall(more)


def _pass(one: socket.socket, other: socket.socket) -> None:
    """Pass bytes both ways until one side ends."""
    while True:
        readable, _, _ = select.select([one, other], [], [], _PATIENCE)
        if not readable:
            return
        for source in readable:
            data = source.recv(_AT_ONCE)
            if not data:
                return
            (other if source is one else one).sendall(data)
