"""Ways out of the folders that files are served from."""

from collections.abc import AsyncIterator
from pathlib import Path

from attacks.outcome import Attempt, request, said_to
from server.serving import Site

SECRET = b"the-canary-of-a-file-outside"

_UP = [
    *(
        "../{}",
        "../../{}",
        "..%2f{}",
        "%2e%2e/{}",
        "%2e%2e%2f{}",
        "%252e%252e%252f{}",
        "..%252f{}",
        "..\\{}",
        "..%5c{}",
    ),
    *(
        "%2e%2e%5c{}",
        "....//{}",
        "..././{}",
        "..;/{}",
        ".%00./{}",
        "..%00/{}",
        "%c0%ae%c0%ae/{}",
        "%c0%ae%c0%ae%c0%af{}",
    ),
    *(
        "%e0%80%ae%e0%80%ae/{}",
        "..%c0%af{}",
        "..%ef%bc%8f{}",
        "%uff0e%uff0e/{}",
        "sub/../../{}",
        "sub/%2e%2e/%2e%2e/{}",
    ),
    *("./../{}", "//../{}", "/..//{}", "..//{}", "..%2f%2e%2e%2f{}", "a/b/c/../../../../{}", "sub/..%2f..%2f{}"),
]
_ALSO = [
    *("link.txt", "linked/outside.txt", "{root}/outside.txt", "/{root}/outside.txt", "file://{root}/outside.txt"),
    *(
        "%2f{root}/outside.txt",
        ".secret",
        ".git/config",
        "%2esecret",
        "sub/.secret",
        "outside.txt%00.js",
        "outside.txt",
    ),
    *("sub/../.secret", "C:%5coutside.txt", "~/outside.txt", "$HOME/outside.txt", "..", ".", "%2e", "%00", "sub/"),
]


def lay_out(folder: Path) -> tuple[Path, Path]:
    """Make a page, a classic folder and what lies beside them; return both."""
    page, classic = folder / "home" / "page", folder / "home" / "classic"
    for served in (page, classic):
        (served / "sub").mkdir(parents=True)
        (served / "assets").mkdir()
        (served / "index.html").write_text("<p>the page</p>", "utf-8")
        (served / "assets" / "a.js").write_text("1", "utf-8")
    for outside in (folder, folder / "home"):
        (outside / "outside.txt").write_bytes(SECRET)
    for hidden in (classic / ".secret", classic / "sub" / ".secret"):
        hidden.write_bytes(SECRET)
    (classic / ".git").mkdir()
    (classic / ".git" / "config").write_bytes(SECRET)
    (classic / "link.txt").symlink_to(folder / "outside.txt")
    (classic / "linked").symlink_to(folder)
    return page, classic


async def traversal(site: Site, folder: Path) -> AsyncIterator[Attempt]:
    """Ask for files outside by every spelling; none of the canaries is to come back."""
    root = str(folder)
    tried = [*(up.format("outside.txt") for up in _UP), *(each.format(root=root) for each in _ALSO)]
    for before in ("/", "/classic/", "/assets/"):
        for path in tried:
            target = f"{before}{path}"
            answer = await said_to(site.port, request(f"GET {target} HTTP/1.1", "host: localhost"))
            yield Attempt(target, SECRET in answer)
