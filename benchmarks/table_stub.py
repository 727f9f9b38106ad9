"""A stand-in for DynamoDB, on 127.0.0.1: a table in which one person is signed in and has no conversation yet.

It answers at once and knows what a first request asks: a session, its user, and queries, which find nothing.
"""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "A" * 43
"""What the browser's cookie holds."""
_PERSON = {
    "is": {"S": "https://issuer.invalid"},
    "su": {"S": "1"},
    "na": {"S": "A person"},
    "r": {"S": "member"},
    "c": {"N": "1"},
    "ls": {"N": "1"},
}
_HOUR_MS = 3_600_000


class _Table(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet, else the other side waits before it says that it has the first
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        """Answer a question."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        body = json.dumps(_answer(self.headers["X-Amz-Target"], asked)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Say nothing."""


def _answer(target: str, asked: dict[str, Any]) -> dict[str, Any]:
    if target.endswith(".Query"):
        return {"Items": [], "Count": 0, "ScannedCount": 0}
    key = asked["Key"]
    item = {"S": _session(), "U": _PERSON}.get(key["sk"]["S"])
    return {} if item is None else {"Item": key | item}


def _session() -> dict[str, Any]:
    now = int(time.time() * 1000)
    identity = hashlib.sha256(TOKEN.encode()).hexdigest()
    value = {"id": identity, "user": "person", "created": now, "expires": now + _HOUR_MS, "last_seen": now}
    return {"v": {"B": base64.b64encode(json.dumps(value).encode()).decode()}}


@contextmanager
def table() -> Iterator[str]:
    """Serve the table from a thread; yield its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Table) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
