"""Addresses that others name, so that this server asks where they cannot (SSRF): never is anybody asked there."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, Self

import aiohttp
from attacks.outcome import Attempt
from clients.home import Home
from server.entrance import Entrance

from daehwa.http_client.client import HttpClient
from daehwa.http_client.errors import HttpError
from daehwa.http_client.inward import NoFurtherIn
from daehwa.sign_in.addresses import is_safe_endpoint

OUTSIDE = "https://login.example.com"


class Canary:
    """A service inside: it counts what is said to it."""

    def __init__(self) -> None:
        self.heard = 0
        self.port = 0
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._hear, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.read(1):
            self.heard += 1
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}")
        writer.close()


_SPELLINGS = [
    *("http://127.0.0.1:{port}/", "http://localhost:{port}/", "http://127.1:{port}/", "http://0.0.0.0:{port}/"),
    *("http://2130706433:{port}/", "http://0x7f000001:{port}/", "http://0177.0.0.1:{port}/", "http://0:{port}/"),
    *("http://[::ffff:127.0.0.1]:{port}/", "http://[::ffff:7f00:1]:{port}/", "http://127.0.0.1.:{port}/"),
    *(
        "http://LOCALHOST:{port}/",
        "http://localhost.:{port}/",
        "http://x@127.0.0.1:{port}/",
        "http://127.0.0.2:{port}/",
    ),
    *(
        "http://\uff11\uff12\uff17.0.0.1:{port}/",
        "http://127\u30020.0.1:{port}/",
        "http://\u24db\u24deocalhost:{port}/",
    ),
    *("http://127.0.0.1:{port}#@login.example.com/", "http://login.example.com@127.0.0.1:{port}/"),
]
_UNSAFE = [
    *("http://login.example.com/keys", "http://169.254.169.254/latest/meta-data/", "ftp://login.example.com/", ""),
    *("file:///etc/passwd", "gopher://127.0.0.1:6379/_x", "dict://127.0.0.1/", "unix:/var/run/x.sock", "javascript:x"),
    *(
        "https://",
        "https:///keys",
        "https://user@login.example.com/",
        "https://login.example.com:x/",
        "//evil.example/",
    ),
    *(
        "https://login.example.com/\r\nx: y",
        "https://login.example.com/ x",
        "https://login.ex\u00e4mple/",
        "http://localhost/",
    ),
    *("https://login.example.com\\@127.0.0.1/", "http://[::1]/", "data:,x", "https://login.example.com/\x00"),
]


async def inward(canary: Canary) -> AsyncIterator[Attempt]:
    """Let an identity provider outside name addresses inside, however they are spelled."""
    for spelling in _SPELLINGS:
        http, before = HttpClient(guard=NoFurtherIn(OUTSIDE), connect_seconds=2.0, use_proxy=False), canary.heard
        with contextlib.suppress(HttpError, ValueError):
            await http.fetch("GET", spelling.format(port=canary.port), seconds=2.0)
        await http.aclose()
        yield Attempt(spelling, canary.heard > before)
    for address in _UNSAFE:
        yield Attempt(address, is_safe_endpoint(address, OUTSIDE))


async def redirected(entrance: Entrance, canary: Canary) -> AsyncIterator[Attempt]:
    """Let the identity provider send us on, from each of its addresses and in each way."""
    there = f"http://127.0.0.1:{canary.port}/"
    for name in ("keys", "token", "person"):
        for status in (301, 302, 303, 307, 308):
            before = canary.heard
            entrance.issuer.redirects = {name: (status, there)}
            path, attempt = await entrance.come_back()
            await entrance.get(path, **{"__Host-daehwa-sign-in": attempt})
            yield Attempt(f"{status} of {name}", canary.heard > before)
    entrance.issuer.redirects = {}


_CALLS: list[tuple[str, Any]] = [
    ("chat/completions", {"base_url": "{there}", "api_base": "{there}", "endpoint": "{there}"}),
    ("chat/completions", {"model": "{there}"}),
    ("chat/completions", {"model": "double/{there}"}),
    ("chat/completions", {"model": "../../{there}"}),
    ("chat/completions", {"messages": [{"role": "user", "content": "See {there} and ![x]({there})."}]}),
    (
        "chat/completions",
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "{there}x.png"}}]}]},
    ),
    ("chat/completions", {"extra_body": {"base_url": "{there}"}, "proxy": "{there}", "webhook": "{there}"}),
    ("responses", {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "{there}"}]}]}),
    ("responses", {"input": [{"role": "user", "content": [{"type": "input_file", "file_url": "{there}"}]}]}),
    ("responses", {"input": "x", "tools": [{"type": "mcp", "server_label": "x", "server_url": "{there}"}]}),
    ("embeddings", {"input": "{there}", "user": "{there}"}),
    ("images/generations", {"prompt": "x", "image": "{there}", "response_format": "url"}),
]
_HEADERS = [
    *(
        {"x-forwarded-host": "{host}"},
        {"forwarded": "host={host}"},
        {"x-original-url": "{there}"},
        {"referer": "{there}"},
    ),
    *({"openai-base-url": "{there}"}, {"x-upstream": "{there}"}, {"x-rewrite-url": "{there}"}, {"via": "1.1 {host}"}),
    *({"proxy": "{there}"}, {"http-proxy": "{there}"}, {"x-http-destinationurl": "{there}"}, {"location": "{there}"}),
]


async def steered(home: Home, canary: Canary) -> AsyncIterator[Attempt]:
    """Name addresses in calls: in fields, in messages, in headers. The upstream may read them; we ask nobody."""
    there, host = f"http://127.0.0.1:{canary.port}/", f"127.0.0.1:{canary.port}"
    key = (await home.make_key("canary"))["secret"]
    tried: list[tuple[str, Any, dict[str, str]]] = [(path, body, {}) for path, body in _CALLS]
    tried += [("chat/completions", {}, headers) for headers in _HEADERS]
    async with aiohttp.ClientSession() as client:
        for path, body, headers in tried:
            asked = {"model": "double/talks", "messages": [{"role": "user", "content": "Hi"}], **body}
            sent = {name: text.format(there=there, host=host) for name, text in headers.items()}
            before = canary.heard
            async with client.post(
                f"{home.base_url}/{path}",
                json=_told(asked, there),
                headers={"authorization": f"Bearer {key}", **sent},
            ) as answer:
                await answer.read()
            yield Attempt(f"{path} {body or headers}", canary.heard > before)


def _told(value: Any, there: str) -> Any:
    if isinstance(value, str):
        return value.replace("{there}", there)
    if isinstance(value, list):
        return [_told(each, there) for each in value]
    if isinstance(value, dict):
        return {name: _told(each, there) for name, each in value.items()}
    return value
