"""The way to an upstream against real sockets: proxies, addresses in every form, trust."""

import asyncio
import base64
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trustme
from providers.client_asks import body_of, upstream_fault_of
from providers.conftest import KEY, Make
from upstream import FakeUpstream, server_side
from wire_server import Line, WireServer, left, saying

from daehwa.conversation.errors import ProviderCutError, ProviderError, ProviderUnreachableError
from daehwa.providers.upstream_client import UpstreamClient

SHORT = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"
LOGIN = "user:p%40ss"
BASIC = b"proxy-authorization: Basic " + base64.b64encode(b"user:p@ss")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


async def refused(client: UpstreamClient) -> ProviderError:
    return await upstream_fault_of(client.get("models"))


class Proxy:
    """What a CONNECT proxy does, to one port whatever the name: `heads` are what it was asked."""

    def __init__(self, port: int, answer: bytes = b"HTTP/1.1 200 Connection established\r\nvia: x\r\n\r\n") -> None:
        self.heads: list[bytes] = []
        self._port = port
        self._answer = answer

    async def talk(self, line: Line) -> None:
        self.heads.append(await line.request())
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        await line.say(self._answer)
        try:
            await asyncio.gather(pump(line.reader, writer), pump(reader, line.writer))
        finally:
            writer.close()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(65536):
        writer.write(piece)
        await writer.drain()
    writer.close()


# ---------------------------------------------------------------- proxies


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy"])
async def test_http_goes_to_the_proxy_with_the_whole_address(
    make: Make, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    heads: list[bytes] = []

    async def talk(line: Line) -> None:
        heads.append(await line.request())
        await line.say(SHORT)

    async with WireServer(talk) as proxy:
        monkeypatch.setenv(variable, f"http://{LOGIN}@127.0.0.1:{proxy.port}")
        assert await body_of(make("http://upstream.test/v1?a=1", key=KEY)) == b"hi"
    assert heads[0].startswith(b"GET http://upstream.test:80/v1/models?a=1 HTTP/1.1\r\nhost: upstream.test\r\n")
    assert BASIC in heads[0]
    assert b"authorization: Bearer " + KEY.encode() in heads[0]


@pytest.mark.parametrize("proxy_tls", [False, True])
async def test_https_goes_through_the_proxy_which_never_sees_the_key(
    make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, authority: trustme.CA, *, proxy_tls: bool
) -> None:
    async with FakeUpstream(tls=server_side(authority, "upstream.test")) as upstream:
        proxy = Proxy(upstream.port)
        async with WireServer(proxy.talk, tls=server_side(authority, "127.0.0.1") if proxy_tls else None) as server:
            monkeypatch.setenv("https_proxy", f"{'https' if proxy_tls else 'http'}://{LOGIN}@127.0.0.1:{server.port}")
            client = make("https://upstream.test/v1", key=KEY, ca_file=str(tmp_path / "ca.pem"))
            for _ in range(2):
                assert b"gpt-test" in await body_of(client)
            await client.aclose()
    assert upstream.requests[0].headers["host"] == "upstream.test"
    assert upstream.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert "proxy-authorization" not in upstream.requests[0].headers
    assert len(proxy.heads) == 1
    assert proxy.heads[0].startswith(b"CONNECT upstream.test:443 HTTP/1.1\r\nhost: upstream.test:443\r\n")
    assert BASIC in proxy.heads[0]
    assert KEY.encode() not in proxy.heads[0]


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (b"HTTP/1.1 407 Who?\r\nproxy-authenticate: Basic\r\ncontent-length: 0\r\n\r\n", "proxy.*407"),
        (b"SSH-2.0-Server\r\n", "not.* HTTP"),
        (b"", "hangs up|closed the connection"),
    ],
)
async def test_a_proxy_that_refuses(
    make: Make, monkeypatch: pytest.MonkeyPatch, scheme: str, answer: bytes, sentence: str
) -> None:
    async def talk(line: Line) -> None:
        await line.request()
        await line.say(answer)

    async with WireServer(talk) as proxy:
        monkeypatch.setenv(f"{scheme}_proxy", f"{LOGIN}@127.0.0.1:{proxy.port}")
        fault = await refused(make(f"{scheme}://upstream.test/v1"))
        assert re.search(sentence, fault.message)
        assert "p@ss" not in fault.message
        await proxy.ended[0].wait()


@pytest.mark.parametrize("tunnelled", [False, True])
async def test_a_server_that_speaks_as_a_proxy_would_is_not_taken_for_one(
    make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, authority: trustme.CA, *, tunnelled: bool
) -> None:
    said = b"HTTP/1.1 407 Who?\r\ncontent-length: 2\r\n\r\nno"
    tls = server_side(authority, "upstream.test") if tunnelled else None
    async with WireServer(saying(said), tls=tls) as server, WireServer(Proxy(server.port).talk) as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        url = "https://upstream.test/v1" if tunnelled else server.base_url
        client = make(url, ca_file=str(tmp_path / "ca.pem"))
        stream = await client.get("models")
        assert (stream.status, await stream.body()) == (407, b"no")
        stream.close()
        await client.aclose()


async def test_a_proxy_that_is_not_there(make: Make, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int) -> None:
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{unused_tcp_port}")
    assert "The proxy on the way to acme" in str(await refused(make("https://upstream.test/v1")))


@pytest.mark.parametrize("address", ["socks5://127.0.0.1:9", "http://", "http://127.0.0.1:x"])
async def test_a_proxy_that_cannot_be_used_is_not_passed_by(
    make: Make, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("all_proxy", address)
    assert "http://host:port" in str(await refused(make("http://nowhere.invalid/v1")))


@pytest.mark.parametrize("but", [".invalid", "nowhere.invalid", "other, nowhere.invalid:81", "*"])
async def test_no_proxy_is_heeded(make: Make, monkeypatch: pytest.MonkeyPatch, but: str) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", but)
    assert "is not found" in str(await refused(make("http://nowhere.invalid:81/v1")))


@pytest.mark.parametrize("settings", [{}, {"use_proxy": False}])
async def test_loopback_takes_no_proxy(make: Make, monkeypatch: pytest.MonkeyPatch, settings: dict[str, bool]) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    async with FakeUpstream() as upstream:
        assert b"gpt-test" in await body_of(make(upstream.base_url, **settings))


# ---------------------------------------------------------------- addresses


async def test_an_ipv6_address(make: Make) -> None:
    heads: list[bytes] = []

    async def talk(line: Line) -> None:
        heads.append(await line.request())
        await line.say(SHORT)

    async with WireServer(talk, host="::1") as server:
        assert await body_of(make(server.base_url)) == b"hi"
        assert f"host: [::1]:{server.port}\r\n".encode() in heads[0]


async def test_a_host_and_a_path_outside_ascii(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    heads: list[bytes] = []

    async def talk(line: Line) -> None:
        heads.append(await line.request())
        await line.say(SHORT)

    async with WireServer(talk) as proxy:
        monkeypatch.setenv("http_proxy", f"127.0.0.1:{proxy.port}")
        assert await body_of(make("http://대화.test:8000/길%20x?q=가")) == b"hi"
    there = "대화.test:8000".encode("idna")
    assert heads[0].startswith(b"GET http://" + there + b"/%EA%B8%B8%20x/models?q=%EA%B0%80 HTTP/1.1\r\n")
    assert b"host: " + there + b"\r\n" in heads[0]


@pytest.mark.parametrize(
    "url",
    [
        "http://user:secret@127.0.0.1/v1",
        "http://secret@127.0.0.1/v1",
        "http://127.0.0.1/v1#secret",
        "http://127.0.0.1:0/v1",
        "http://127.0.0.1:99999/v1",
        "http://a..b/v1",
        f"http://{'a' * 64}.test/v1",
        "http://[::1/v1",
        "http://127.0.0.1/v 1",
        "http://127.0.0.1/v1\r\nx: y",
        "",
    ],
)
async def test_an_address_that_cannot_be_used(make: Make, url: str) -> None:
    fault = await refused(make(url))
    assert type(fault) is ProviderUnreachableError
    assert "not an address of the form https://host/v1" in str(fault)
    assert "secret" not in str(fault)


# ---------------------------------------------------------------- trust


async def test_two_first_calls_at_once_both_trust_the_private_authority(
    make: Make, tmp_path: Path, authority: trustme.CA
) -> None:
    async with FakeUpstream(tls=server_side(authority, "127.0.0.1")) as upstream:
        client = make(upstream.base_url, ca_file=str(tmp_path / "ca.pem"))
        found = await asyncio.gather(*(body_of(client) for _ in range(4)))
        assert all(b"gpt-test" in body for body in found)


async def test_ten_megabytes_go_over_tls(make: Make, tmp_path: Path, authority: trustme.CA) -> None:
    async with FakeUpstream(tls=server_side(authority, "127.0.0.1")) as upstream:
        stream = await make(upstream.base_url, ca_file=str(tmp_path / "ca.pem")).post("chat/completions", b"x" * 10**7)
        assert b"Hello" in await stream.body()
        stream.close()
    assert upstream.requests[0].body == b"x" * 10**7


async def test_a_certificate_for_another_name(make: Make, tmp_path: Path, authority: trustme.CA) -> None:
    async with FakeUpstream(tls=server_side(authority, "other.test")) as upstream:
        fault = await refused(make(upstream.base_url, ca_file=str(tmp_path / "ca.pem")))
        assert type(fault) is ProviderUnreachableError
        assert "mismatch" in str(fault)
        assert upstream.requests == []


@pytest.mark.parametrize("content", [None, "no certificate"])
async def test_a_file_of_authorities_that_cannot_be_read(make: Make, tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    client = make("https://127.0.0.1:9/v1", ca_file=str(path))
    for _ in range(2):
        assert "certificate authorities cannot be read" in str(await refused(client))


@pytest.mark.parametrize("says", [b"", b"\x15\x03\x03\x00\x02\x02\x28", b"HTTP/1.1 400 Speak plainly\r\n\r\n"])
async def test_a_handshake_that_fails(make: Make, says: bytes) -> None:
    async def talk(line: Line) -> None:
        await line.reader.read(1)
        await line.say(says)

    async with WireServer(talk) as server:
        assert type(await refused(make(server.base_url.replace("http:", "https:")))) is ProviderUnreachableError
        await server.ended[0].wait()


async def test_a_proxy_that_lets_through_and_leaves(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    async def talk(line: Line) -> None:
        await line.request()
        await line.say(b"HTTP/1.1 200 Go on\r\ncontent-length: 0\r\n\r\n")

    async with WireServer(talk) as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        async with asyncio.timeout(30):
            assert type(await refused(make("https://upstream.test/v1"))) is ProviderUnreachableError


@pytest.mark.parametrize("injected", [b"no TLS record", b""])
async def test_a_tls_stream_that_is_disturbed_is_cut_after_what_came_well(
    make: Make, tmp_path: Path, authority: trustme.CA, injected: bytes
) -> None:
    go = asyncio.Event()
    begun = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n"

    async def between(line: Line) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        pumps = [asyncio.ensure_future(pump(*way)) for way in ((line.reader, writer), (reader, line.writer))]
        try:
            await go.wait()
            await line.say(injected)
        finally:
            writer.close()
            for one in pumps:
                one.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async with (
        WireServer(saying(begun, then=left), tls=server_side(authority, "127.0.0.1")) as server,
        WireServer(between) as middle,
    ):
        client = make(middle.base_url.replace("http:", "https:"), ca_file=str(tmp_path / "ca.pem"))
        stream = await client.get("models")
        assert await stream.read() == b"hi"
        go.set()
        assert type(await upstream_fault_of(stream.read())) is ProviderCutError
        stream.close()


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("has_length", [False, True])
async def test_tls_holds_back_and_loses_nothing_when_the_end_comes_while_it_is_held(
    make: Make, tmp_path: Path, authority: trustme.CA, *, held: bool, has_length: bool
) -> None:
    body = bytes(range(256)) * 8000
    head = b"HTTP/1.1 200 OK\r\n" + (b"content-length: %d\r\n\r\n" % len(body) if has_length else b"\r\n")

    async def end(line: Line) -> None:
        del line

    then: Callable[[Line], Awaitable[None]] = left if has_length else end
    async with WireServer(saying(head, body, then=then), tls=server_side(authority, "127.0.0.1")) as server:
        stream = await make(server.base_url, ca_file=str(tmp_path / "ca.pem")).get("models")
        got = bytearray(await stream.read())
        if held:
            stream.hold()
        await asyncio.sleep(0.05)
        while piece := await stream.gather():
            got += piece
            if held:
                stream.hold()
        assert bytes(got) == body
        stream.close()
