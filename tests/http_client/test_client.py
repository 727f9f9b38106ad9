"""Short requests over real sockets: whole answers, connections kept and gone stale, every limit of time and size."""

import asyncio
import gzip
import ssl
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from wire_server import Line, Talk, WireServer, end, left, reset, saying

from daehwa.http_client.client import HttpClient
from daehwa.http_client.errors import (
    ClientClosed,
    ConnectFailed,
    ConnectionLost,
    HttpError,
    NotHttp,
    Reason,
    TimedOut,
    TooLong,
)

pytestmark = pytest.mark.both_loops

OK = b"HTTP/1.1 200 OK\r\n"
SHORT = OK + b"content-length: 2\r\n\r\nhi"


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    """A client; in the end asyncio must not have complained."""
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: complaints.append(told))
    made = HttpClient(connect_seconds=2)
    yield made
    await made.aclose()
    assert complaints == []


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


async def test_a_request_as_it_is_sent_and_its_answer(client: HttpClient) -> None:
    said: list[bytes] = []

    async def talk(line: Line) -> None:
        head = await line.reader.readuntil(b"\r\n\r\n")
        said.append(head + await line.reader.readexactly(4))
        await line.say(b"HTTP/1.1 404 No\r\nX-Amzn-RequestId: abc\r\nx-a: 1\r\nX-A: 2\r\ncontent-length: 3\r\n\r\nbad")

    async with WireServer(talk) as server:
        url = f"{server.base_url}/a b?c=d%20e&f=가"
        answer = await client.fetch("POST", url, headers={"X-Amz-Target": "T.Get", "Accept": "x"}, body=b"body")
        assert (answer.status, answer.body) == (404, b"bad")
        assert answer.headers == {"x-amzn-requestid": "abc", "x-a": "1, 2", "content-length": "3"}
        assert said == [
            b"POST /v1/a%20b?c=d%20e&f=%EA%B0%80 HTTP/1.1\r\n"
            b"host: 127.0.0.1:" + str(server.port).encode() + b"\r\naccept-encoding: identity\r\nuser-agent: daehwa\r\n"
            b"x-amz-target: T.Get\r\naccept: x\r\ncontent-length: 4\r\n\r\nbody"
        ]


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_only_a_request_that_may_have_a_body_has_a_length(client: HttpClient, method: str) -> None:
    heads: list[bytes] = []

    async def talk(line: Line) -> None:
        heads.append(await line.request())
        await line.say(SHORT)

    async with WireServer(talk) as server:
        await client.fetch(method, server.base_url)
    assert (b"content-length: 0" in heads[0]) == (method == "POST")


async def test_redirects_are_not_followed(client: HttpClient) -> None:
    moved = b"HTTP/1.1 302 Found\r\nlocation: https://elsewhere.invalid/\r\ncontent-length: 0\r\n\r\n"
    async with WireServer(saying(moved)) as server:
        answer = await client.fetch("GET", server.base_url)
    assert (answer.status, answer.headers["location"]) == (302, "https://elsewhere.invalid/")


async def test_headers_are_those_of_the_final_head_alone(client: HttpClient) -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\nx-a: 0\r\n\r\n"
    final = OK + b"x-a: 1\r\n" + b"X-A: 2\r\n" * 10_000 + b"transfer-encoding: chunked\r\n\r\n0\r\nx-a: 3\r\n\r\n"
    async with WireServer(saying(early + early, final)) as server:
        for _ in range(2):
            answer = await client.fetch("GET", server.base_url)
            assert answer.headers == {"x-a": "1" + ", 2" * 10_000, "transfer-encoding": "chunked"}


async def test_each_server_has_connections_of_its_own_that_are_kept(client: HttpClient) -> None:
    async with WireServer(saying(SHORT)) as one, WireServer(saying(SHORT)) as other:
        for path in ("/a", "/b?c", ""):
            await client.fetch("GET", one.base_url + path)
            await client.fetch("GET", other.base_url + path)
        assert (len(one.lines), len(other.lines)) == (1, 1)


async def test_tls_by_a_private_authority(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    async with WireServer(saying(SHORT), tls=context) as server:
        client = HttpClient(ca_file=str(tmp_path / "ca.pem"))
        answers = [await client.fetch("GET", server.base_url) for _ in range(3)]
        assert [answer.body for answer in answers] == [b"hi"] * 3
        assert len(server.lines) == 1
        await client.aclose()
        stranger = HttpClient()
        with pytest.raises(ConnectFailed, match=r"no safe connection to 127\.0\.0\.1.*issuer") as caught:
            await stranger.fetch("GET", server.base_url)
        assert caught.value.reason == "trust"
        await stranger.aclose()


async def test_the_environments_proxy_is_asked(client: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    heads: list[bytes] = []

    async def talk(line: Line) -> None:
        heads.append(await line.request())
        await line.say(SHORT)

    async with WireServer(talk) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        assert (await client.fetch("GET", "http://issuer.test/keys")).body == b"hi"
    assert heads[0].startswith(b"GET http://issuer.test:80/keys HTTP/1.1\r\nhost: issuer.test\r\n")


async def test_no_proxy_is_asked_where_none_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    async with WireServer(saying(SHORT)) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        direct = HttpClient(use_proxy=False)
        with pytest.raises(ConnectFailed, match="not found"):
            await direct.fetch("GET", "http://nowhere.invalid/")
        await direct.aclose()
        assert proxy.lines == []


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://nowhere.invalid/", "name"),
        ("ftp://127.0.0.1/", "address"),
        ("https://user:secret@127.0.0.1/", "address"),
        ("nothing", "address"),
    ],
)
async def test_a_server_that_cannot_be_reached(client: HttpClient, url: str, reason: Reason) -> None:
    with pytest.raises(ConnectFailed) as caught:
        await client.fetch("GET", url)
    assert caught.value.reason == reason
    assert "secret" not in caught.value.message


async def test_a_port_that_nobody_listens_on(client: HttpClient, unused_tcp_port: int) -> None:
    with pytest.raises(ConnectFailed, match="cannot be reached: connection refused"):
        await client.fetch("GET", f"http://127.0.0.1:{unused_tcp_port}/")


@pytest.mark.parametrize(
    ("pieces", "then", "error"),
    [
        ([], end, ConnectionLost),
        ([b"HTTP/1.1 2"], end, ConnectionLost),
        ([OK + b"content-length: 3\r\n\r\nhi"], end, ConnectionLost),
        ([OK + b"\r\nhi"], reset, ConnectionLost),
        ([b"SSH-2.0-Server\r\n"], left, NotHttp),
        ([b"HTTP/1.1 000 Nothing\r\n\r\n"], left, NotHttp),
        ([b"HTTP/1.1 099 Strange\r\ncontent-length: 2\r\n\r\nhi"], left, NotHttp),
        ([b"HTTP/1.1 199 Strange\r\ncontent-length: 2\r\n\r\nhi"], left, NotHttp),
        ([b"HTTP/1.1 103 Early\r\ncontent-length: 2\r\n\r\nhi", OK + b"content-length: 1\r\n\r\n!"], left, NotHttp),
    ],
)
async def test_an_answer_that_is_none(
    client: HttpClient, pieces: list[bytes], then: Talk, error: type[HttpError]
) -> None:
    async with WireServer(saying(*pieces, then=then)) as server:
        with pytest.raises(error):
            await client.fetch("POST", server.base_url, body=b"once")
        assert len(server.lines) == 1


@pytest.mark.parametrize("begun", [b"", OK, OK + b"content-length: 3\r\n\r\nhi"])
async def test_the_time_for_an_answer_is_bounded_at_every_stage(begun: bytes) -> None:
    client = HttpClient(connect_seconds=0.1)
    async with WireServer(saying(begun, then=left)) as server:
        with pytest.raises(TimedOut, match=r"has not answered within 0\.1 s") as caught:
            await client.fetch("GET", server.base_url, seconds=0.1)
        assert not caught.value.connecting
        await server.ended[0].wait()
    await client.aclose()


async def test_the_time_for_connecting_is_bounded() -> None:
    client = HttpClient(connect_seconds=0.1)
    async with WireServer(left) as server:  # it takes the connection and says nothing to the handshake
        with pytest.raises(TimedOut, match=r"no connection to 127\.0\.0\.1:\d+ within 0\.1 s"):
            await client.fetch("GET", server.base_url.replace("http:", "https:"))
        await server.ended[0].wait()
    await client.aclose()


@pytest.mark.parametrize("compressed", [False, True])
async def test_an_answer_longer_than_its_limit(*, compressed: bool) -> None:
    body = bytes(10_000_000)
    head = OK
    if compressed:
        body, head = zlib.compress(bytes(3_000_000)), OK + b"content-encoding: deflate\r\n"
    answer = head + b"content-length: %d\r\n\r\n" % len(body) + body
    client = HttpClient(body_limit=200_000)
    async with WireServer(saying(answer, then=left)) as server:
        with pytest.raises(TooLong, match="longer than 200000 bytes"):
            await client.fetch("GET", server.base_url)
        await client.aclose()
        await server.ended[0].wait()


def zipped(said: bytes) -> bytes:
    return gzip.compress(said, mtime=0)


def packed(body: bytes, *, sized: bool) -> bytes:
    head = OK + b"content-encoding: gzip\r\n" + (b"content-length: %d\r\n" % len(body) if sized else b"")
    return head + b"\r\n" + body


@pytest.mark.parametrize("sized", [False, True])
@pytest.mark.parametrize("cut_at", [None, 1, 15, 40])
async def test_all_members_of_a_compressed_answer_are_read(
    client: HttpClient, cut_at: int | None, *, sized: bool
) -> None:
    body = zipped(b"one, ") + zipped(b"") + zipped(b"two")
    answer = packed(body, sized=sized)
    at = len(answer) - len(body) + (cut_at or 0)

    async def talk(line: Line) -> None:
        await line.request()
        await line.say(answer[:at])
        await asyncio.sleep(0.01)  # so that it is read by itself
        await line.say(answer[at:])

    async with WireServer(talk) as server:
        assert (await client.fetch("GET", server.base_url)).body == b"one, two"


@pytest.mark.parametrize("body", [b"", zipped(b"")], ids=["nothing", "member"])
async def test_a_compressed_answer_may_be_empty(client: HttpClient, body: bytes) -> None:
    async with WireServer(saying(packed(body, sized=True))) as server:
        assert (await client.fetch("GET", server.base_url)).body == b""


@pytest.mark.parametrize("rest", [b"\n", bytes(8), b"and something else"], ids=["line", "zeros", "other"])
@pytest.mark.parametrize("sized", [False, True])
async def test_what_follows_a_whole_member_and_is_none_is_ignored(
    client: HttpClient, rest: bytes, *, sized: bool
) -> None:
    async with WireServer(saying(packed(zipped(b"whole") + rest, sized=sized), then=end)) as server:
        assert (await client.fetch("GET", server.base_url)).body == b"whole"


@pytest.mark.parametrize("sized", [False, True])
@pytest.mark.parametrize(
    "body",
    [
        zipped(b"whole")[:-1],
        zipped(b"whole")[:-12],
        zipped(b"whole")[:5],
        zipped(b"whole") + zipped(b"cut")[:-9],
        zipped(b"x") * 1001,
    ],
    ids=["size", "check", "header", "second", "many"],
)
async def test_a_compressed_answer_that_is_cut_short_is_none(client: HttpClient, body: bytes, *, sized: bool) -> None:
    async with WireServer(saying(packed(body, sized=sized), then=end)) as server:
        with pytest.raises((NotHttp, ConnectionLost)):
            await client.fetch("GET", server.base_url)


async def test_a_compressed_answer_in_chunks_that_is_cut_short_is_none(client: HttpClient) -> None:
    body = zipped(b"whole")[:-8]
    head = OK + b"content-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n"
    async with WireServer(saying(head + b"%x\r\n%b\r\n" % (len(body), body), b"0\r\n\r\n")) as server:
        with pytest.raises(NotHttp, match="cut short"):
            await client.fetch("GET", server.base_url)


async def test_a_closed_client_asks_nobody(client: HttpClient) -> None:
    async with WireServer(saying(SHORT)) as server:
        await client.fetch("GET", server.base_url)
        await client.aclose()
        await server.ended[0].wait()
        with pytest.raises(ClientClosed):
            await client.fetch("GET", server.base_url)
        async with WireServer(saying(SHORT)) as another:
            with pytest.raises(ClientClosed):
                await client.fetch("GET", another.base_url)
        assert (len(server.lines), len(another.lines)) == (1, 0)


# ---------------------------------------------------------------- after standing still, as on Lambda


async def test_a_connection_that_the_server_closed_meanwhile_is_replaced_unseen(client: HttpClient) -> None:
    async def talk(line: Line) -> None:
        await line.request()
        await line.say(SHORT)
        if line.number == 1:
            line.reset()
            return
        await line.left()

    async with WireServer(talk) as server:
        await client.fetch("GET", server.base_url)
        await server.ended[0].wait()
        assert (await client.fetch("POST", server.base_url, body=b"x")).body == b"hi"
        assert len(server.lines) == 2


@pytest.mark.parametrize("last_words", [b"", b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n"])
async def test_what_came_while_the_process_stood_still_is_seen_before_anything_is_sent(
    client: HttpClient, last_words: bytes
) -> None:
    go = asyncio.Event()
    requests = 0

    async def talk(line: Line) -> None:
        nonlocal requests
        requests += 1
        await line.request()
        await line.say(SHORT)
        await go.wait()
        await line.say(last_words)

    async with WireServer(talk) as server:
        await client.fetch("GET", server.base_url)
        (kept,) = client._to(server.base_url).idle
        kept.pause()  # as a loop that does not look: what comes lies in the kernel
        go.set()
        await server.ended[0].wait()
        assert kept.is_reusable
        assert not kept.is_fresh
        assert (await client.fetch("GET", server.base_url)).body == b"hi"
        assert requests == 2


@pytest.mark.parametrize("clock", ["idle_since", "idle_since_date"])
async def test_a_connection_idle_for_a_minute_by_either_clock_is_not_used(client: HttpClient, clock: str) -> None:
    async with WireServer(saying(SHORT)) as server:
        await client.fetch("GET", server.base_url)
        (kept,) = client._to(server.base_url).idle
        setattr(kept, clock, getattr(kept, clock) - 61)
        await client.fetch("GET", server.base_url)
        assert len(server.lines) == 2
