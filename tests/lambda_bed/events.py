"""Events as an API Gateway REST API with proxy integration makes them (format 1.0).

What it does with a request, as seen in captured events: the path stays percent-encoded and has no stage in it, the
query is decoded, the body is text unless the API names its type as binary, header names keep their case, and Host is
the API's own, because CloudFront does not pass the viewer's on.
"""

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl

API_HOST = "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com"
STAGE = "live"
ORIGIN_KEY = "the-key-that-only-the-distribution-knows"
EVENT_BYTES = 6 * 1024 * 1024
"""Lambda takes no larger event; base64 is counted."""


@dataclass(frozen=True)
class HttpRequest:
    """A request as it reaches API Gateway. `target` is path and query as on the request line."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


def request(method: str, target: str, body: object = None, **headers: str) -> HttpRequest:
    """Return a request; a body that is not bytes goes as JSON. `x_some_header` stands for x-some-header."""
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    if body is None:
        return HttpRequest(method, target, tuple(pairs))
    if not isinstance(body, bytes):
        body = json.dumps(body, ensure_ascii=False).encode()
        pairs.append(("content-type", "application/json"))
    return HttpRequest(method, target, (*pairs, ("content-length", str(len(body)))), body)


def event(asked: HttpRequest, *, binary: bool | None = None) -> bytes:
    """Return the event of a request. `binary`: the body goes as base64; by default if it is no text."""
    path, _, query = asked.target.partition("?")
    headers = [(name, value) for name, value in asked.headers if name.lower() not in {"host", "x-api-key"}]
    headers += [("Host", API_HOST), ("x-api-key", ORIGIN_KEY), ("X-Forwarded-Proto", "https")]
    headers += [("X-Forwarded-For", "203.0.113.7, 130.176.1.1"), ("X-Forwarded-Port", "443")]
    pairs = parse_qsl(query, keep_blank_values=True)
    text, is_base64 = _body(asked.body, binary=binary)
    return json.dumps(
        {
            "resource": "/{proxy+}",
            "path": path,
            "httpMethod": asked.method,
            "headers": dict(headers),
            "multiValueHeaders": _grouped(headers),
            "queryStringParameters": dict(pairs) or None,
            "multiValueQueryStringParameters": _grouped(pairs) or None,
            "pathParameters": {"proxy": path.lstrip("/")},
            "stageVariables": None,
            "requestContext": _context(asked.method, path),
            "body": text,
            "isBase64Encoded": is_base64,
        }
    ).encode()


def _body(body: bytes, *, binary: bool | None) -> tuple[str | None, bool]:
    if not body:
        return None, False
    if binary is None:
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            binary = True
    return (base64.b64encode(body).decode(), True) if binary else (body.decode("utf-8", "replace"), False)


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for name, value in pairs:
        grouped.setdefault(name, []).append(value)
    return grouped


def _context(method: str, path: str) -> dict[str, object]:
    return {
        "accountId": "123456789012",
        "apiId": "a1b2c3d4e5",
        "stage": STAGE,
        "path": f"/{STAGE}{path}",
        "resourceId": "abc123",
        "resourcePath": "/{proxy+}",
        "httpMethod": method,
        "protocol": "HTTP/1.1",
        "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
        "extendedRequestId": "JKJaXmPLvHcESHA=",
        "requestTime": "22/Nov/2026:10:00:00 +0000",
        "requestTimeEpoch": 1795341600000,
        "domainName": API_HOST,
        "domainPrefix": "a1b2c3d4e5",
        "identity": {
            "apiKey": ORIGIN_KEY,
            "apiKeyId": "k1",
            "sourceIp": "130.176.1.1",
            "userAgent": "Mozilla/5.0",
        },
    }
