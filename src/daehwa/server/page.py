"""Serves the built page: a few files, read once, found by exact name, so that no path leads out of the folder."""

import asyncio
import hashlib
from pathlib import Path

import msgspec

from daehwa.server.asgi import Headers, Request, Response
from daehwa.server.errors import MethodNotAllowed, RouteNotFound

NOT_BUILT = (
    "The page is not built yet: run `npm install && npm run build` in the folder `web`, or install the package with "
    "`uv run daehwa`, which builds it.\n"
)
KEPT_BYTES = 512 * 1024
"""Larger files are read from the disk for each request."""

_INDEX_PATHS = ("/", "/chat.html")
_ENCODINGS = (("br", ".br"), ("gzip", ".gz"))
_MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}


class _Variant(msgspec.Struct, frozen=True):
    """A file, or its compressed sibling. `content` is None where the file is too large to keep."""

    path: Path
    etag: str
    encoding: str | None
    content: bytes | None


class _File(msgspec.Struct, frozen=True):
    """A file with its variants, compressed ones first, best first."""

    media_type: str
    cache_control: str
    variants: tuple[_Variant, ...]


class Page:
    """The page's files by URL path. They are read again when index.html has changed, as after a build."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._built_at: int | None = None
        self._files: dict[str, _File] = {}

    async def get_page(self, request: Request) -> Response:
        """Return a file of the page."""
        path: str = request.scope["path"]
        file = self._found(path)
        if file is None:
            if path in _INDEX_PATHS:
                return Response(503, NOT_BUILT.encode(), [(b"content-type", b"text/plain; charset=utf-8")])
            raise RouteNotFound
        if request.scope["method"] not in {"GET", "HEAD"}:
            raise MethodNotAllowed("GET, HEAD")
        return await _response(file, request)

    def _found(self, path: str) -> _File | None:
        try:
            built_at = (self._folder / "index.html").stat().st_mtime_ns
        except OSError:
            return None
        if built_at != self._built_at:
            self._files = _read_all(self._folder)
            self._built_at = built_at
        return self._files.get("/index.html" if path in _INDEX_PATHS else path)


async def _response(file: _File, request: Request) -> Response:
    accepted = _accepted(request.header(b"accept-encoding") or "")
    variant = next(v for v in file.variants if v.encoding is None or v.encoding in accepted)
    headers: Headers = [
        (b"cache-control", file.cache_control.encode()),
        (b"etag", variant.etag.encode()),
        (b"vary", b"accept-encoding"),
    ]
    if _is_known(variant.etag, request.header(b"if-none-match")):
        return Response(304, b"", headers)
    headers.append((b"content-type", file.media_type.encode()))
    if variant.encoding is not None:
        headers.append((b"content-encoding", variant.encoding.encode()))
    content = variant.content
    if content is None:
        content = await asyncio.to_thread(variant.path.read_bytes)
    return Response(200, content, headers)


def _accepted(header: str) -> set[str]:
    accepted = set()
    for item in header.lower().split(","):
        name, _, weight = item.replace(" ", "").partition(";q=")
        if weight.strip("0.") or not weight:
            accepted.add(name)
    return accepted


def _is_known(etag: str, header: str | None) -> bool:
    if header is None:
        return False
    # A cache or proxy between may have weakened the tag; for our purpose that is the same.
    tags = {tag.strip().removeprefix("W/") for tag in header.split(",")}
    return etag in tags or "*" in tags


def _read_all(folder: Path) -> dict[str, _File]:
    compressed = {suffix for _, suffix in _ENCODINGS}
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.suffix not in compressed]
    return {f"/{path.relative_to(folder).as_posix()}": _read(path, folder) for path in paths}


def _read(path: Path, folder: Path) -> _File:
    variants = []
    for encoding, suffix in (*_ENCODINGS, (None, "")):
        sibling = path.with_name(path.name + suffix)
        if encoding is None or sibling.is_file():
            content = sibling.read_bytes()
            digest = hashlib.sha256(content).hexdigest()[:20]
            kept = content if len(content) <= KEPT_BYTES else None
            variants.append(_Variant(sibling, f'"{digest}"', encoding, kept))
    is_hashed = path.relative_to(folder).parts[0] == "assets"
    return _File(
        media_type=_MEDIA_TYPES.get(path.suffix, "application/octet-stream"),
        cache_control="public, max-age=31536000, immutable" if is_hashed else "no-cache",
        variants=tuple(variants),
    )
