"""AWS's Signature Version 4 for requests whose whole body is at hand."""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import parse_qsl, quote, urlsplit

import msgspec

_ALGORITHM = "AWS4-HMAC-SHA256"
_UNRESERVED = "-_.~"
_SENT_AS_THEY_ARE = "!$%&'()*+,/:;=@~"
_PORTS = {"http": 80, "https": 443}


class AwsCredentials(msgspec.Struct, frozen=True, kw_only=True):
    """Whose word a request is."""

    access_key: str
    secret_key: str
    session_token: str | None = None

    def __repr__(self) -> str:
        """Show nothing of them."""
        return "AwsCredentials(…)"


class Scope(msgspec.Struct, frozen=True):
    """What a signature is for."""

    region: str
    service: str


class RequestToSign(msgspec.Struct, frozen=True, kw_only=True):
    """A request, whole. All its headers are signed; `host` is sent by the client and stands in none."""

    method: str
    url: str
    headers: Mapping[str, str] = {}
    body: bytes = b""


def signed_headers(
    request: RequestToSign, credentials: AwsCredentials, scope: Scope, *, now: datetime
) -> dict[str, str]:
    """Return the request's headers and those that sign it, `now` in UTC."""
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    given = {name.lower(): value for name, value in request.headers.items()}
    given["x-amz-date"] = stamp
    if credentials.session_token is not None:
        given["x-amz-security-token"] = credentials.session_token
    signed = {"host": _host(request.url), **given}
    names = ";".join(sorted(signed))
    canonical = "\n".join(
        [
            request.method,
            _path(request.url),
            _query(request.url),
            *(f"{name}:{' '.join(signed[name].split())}" for name in sorted(signed)),
            "",
            names,
            hashlib.sha256(request.body).hexdigest(),
        ]
    )
    where = f"{stamp[:8]}/{scope.region}/{scope.service}/aws4_request"
    to_sign = "\n".join([_ALGORITHM, stamp, where, hashlib.sha256(canonical.encode()).hexdigest()])
    key = _signing_key(credentials.secret_key, stamp[:8], scope)
    signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    given["authorization"] = (
        f"{_ALGORITHM} Credential={credentials.access_key}/{where}, SignedHeaders={names}, Signature={signature}"
    )
    return given


def _signing_key(secret: str, day: str, scope: Scope) -> bytes:
    key = ("AWS4" + secret).encode()
    for part in (day, scope.region, scope.service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def _host(url: str) -> str:
    address = urlsplit(url)
    host = (address.hostname or "").lower()
    host = f"[{host}]" if ":" in host else host
    return host if address.port in {None, _PORTS.get(address.scheme)} else f"{host}:{address.port}"


def _path(url: str) -> str:
    # Each service but S3 wants the path as it is sent, encoded once more.
    return quote(quote(urlsplit(url).path or "/", safe=_SENT_AS_THEY_ARE), safe=f"/{_UNRESERVED}")


def _query(url: str) -> str:
    pairs = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    encoded = sorted((quote(name, safe=_UNRESERVED), quote(value, safe=_UNRESERVED)) for name, value in pairs)
    return "&".join(f"{name}={value}" for name, value in encoded)
