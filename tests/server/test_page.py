"""The built page: two addresses for one file, hashed assets for ever, compressed siblings, and no way out."""

import gzip
import os
from pathlib import Path

import pytest
from cores import Core
from server.serving import Site, serving

from daehwa.server.page import KEPT_BYTES

SCRIPT = b"console.log('daehwa');" * 40


@pytest.fixture
def page(tmp_path: Path) -> Path:
    folder = tmp_path / "page"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html><title>daehwa</title>")
    (folder / "icon.svg").write_text("<svg/>")
    script = folder / "assets" / "main-abc123.js"
    script.write_bytes(SCRIPT)
    script.with_name("main-abc123.js.gz").write_bytes(gzip.compress(SCRIPT, mtime=0))
    script.with_name("main-abc123.js.br").write_bytes(b"not really brotli")
    (tmp_path / "secret.txt").write_text("a key")
    return folder


async def test_before_the_page_is_built_a_sentence_says_how(site: Site) -> None:
    for path in ("/", "/chat.html"):
        async with site.client.get(path) as answer:
            assert answer.status == 503
            assert answer.content_type == "text/plain"
            assert "npm run build" in await answer.text()


async def test_the_page_is_at_both_addresses_and_asked_for_again_each_time(page: Path) -> None:
    async with serving(Core(), page) as site:
        for path in ("/", "/chat.html", "/index.html"):
            async with site.client.get(path) as answer:
                assert answer.status == 200
                assert answer.headers["content-type"] == "text/html; charset=utf-8"
                assert answer.headers["cache-control"] == "no-cache"
                assert "daehwa" in await answer.text()
                etag = answer.headers["etag"]
            for tags in (etag, f"W/{etag}", f'"other", {etag}', "*"):
                async with site.client.get(path, headers={"If-None-Match": tags}) as answer:
                    assert (answer.status, await answer.read()) == (304, b"")
                    assert answer.headers["etag"] == etag
            async with site.client.get(path, headers={"If-None-Match": '"other"'}) as answer:
                assert answer.status == 200


async def test_a_new_build_is_served_without_a_restart(page: Path) -> None:
    async with serving(Core(), page) as site:
        async with site.client.get("/") as answer:
            before = answer.headers["etag"]
        (page / "index.html").write_text("<!doctype html><title>newer</title>")
        os.utime(page / "index.html", ns=(1, 1))
        async with site.client.get("/", headers={"If-None-Match": before}) as answer:
            assert (answer.status, "newer" in await answer.text()) == (200, True)


async def test_assets_are_kept_for_a_year(page: Path) -> None:
    async with serving(Core(), page) as site, site.client.get("/assets/main-abc123.js") as answer:
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
        assert answer.headers["vary"] == "accept-encoding"


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip, deflate, br", "br"),
        ("BR", "br"),
        ("gzip", "gzip"),
        ("br;q=0, gzip;q=0.5", "gzip"),
        ("br;q=0.0, gzip; q=0.000", None),
        ("identity", None),
        ("", None),
    ],
)
async def test_the_best_accepted_encoding_is_chosen(page: Path, accepted: str, encoding: str | None) -> None:
    async with serving(Core(), page) as site:
        asked = f"GET /assets/main-abc123.js HTTP/1.0\r\nHost: localhost\r\nAccept-Encoding: {accepted}\r\n\r\n"
        head, _, body = (await site.raw(asked.encode())).partition(b"\r\n\r\n")
    assert (f"content-encoding: {encoding}".encode() in head) == (encoding is not None)
    expected = {"br": b"not really brotli", "gzip": gzip.compress(SCRIPT, mtime=0), None: SCRIPT}[encoding]
    assert body == expected
    assert f"content-length: {len(body)}".encode() in head


async def test_each_encoding_has_a_tag_of_its_own(page: Path) -> None:
    async with serving(Core(), page) as site:
        tags = set()
        for accepted in ("br", "gzip", "identity"):
            asked = f"HEAD /assets/main-abc123.js HTTP/1.0\r\nHost: localhost\r\nAccept-Encoding: {accepted}\r\n\r\n"
            head = (await site.raw(asked.encode())).decode()
            tags.add(head.partition("etag: ")[2].partition("\r\n")[0])
    assert len(tags) == 3


async def test_head_tells_the_size_without_the_file(page: Path) -> None:
    async with serving(Core(), page) as site:
        answer = await site.raw(b"HEAD / HTTP/1.0\r\nHost: localhost\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"content-length: 36\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


async def test_the_page_is_not_written_to(page: Path) -> None:
    async with serving(Core(), page) as site:
        assert await site.refused("POST", "/", {}) == (405, "method_not_allowed", None)


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/assets/../../secret.txt",
        "/%2e%2e/secret.txt",
        "/assets/%2e%2e%2f%2e%2e%2fsecret.txt",
        "/..%5csecret.txt",
        "//secret.txt",
        "/assets/",
        "/assets",
        "/assets/main-abc123.js.gz",
        "/assets/main-abc123.js%00",
        "/ICON.svg",
    ],
)
async def test_nothing_but_the_built_files_is_served(page: Path, path: str) -> None:
    async with serving(Core(), page) as site:
        answer = await site.raw(f"GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"a key" not in answer


async def test_a_large_file_is_served_from_the_disk(page: Path) -> None:
    large = os.urandom(KEPT_BYTES + 1)
    (page / "assets" / "large-1.wasm").write_bytes(large)
    async with serving(Core(), page) as site, site.client.get("/assets/large-1.wasm") as answer:
        assert answer.headers["content-type"] == "application/wasm"
        assert await answer.read() == large
