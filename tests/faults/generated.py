"""Generated requests of the whole API, with and without sign-in: no fault of the server's, nothing undescribed.

Several of these programs run at once: making a request takes them longer than answering it takes a server.
"""

import asyncio
import re
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from clients.home import Home, a_home
from faults.findings import Findings, Note, Size
from faults.place import SAME_ORIGIN, Place
from openai_like.server import OpenAiLike
from program import Program
from server.serving import asked

PROGRAM = Path(sys.executable).with_name("schemathesis")
OPTIONS = (
    *("--phases", "coverage,fuzzing", "--request-timeout", "20", "--continue-on-failure", "--workers", "1"),
    # Some rules are more than a description can say, such as "one of the two"; breaking them is told in words.
    # That few of the generated texts can stand in a path is a hint to whoever generates them, and no fault of the API.
    *("--suppress-health-check", "all"),
    *("--exclude-checks", "positive_data_acceptance", "--generation-database", "none", "--no-color"),
    *("--header", "Sec-Fetch-Site: same-origin"),
)
AT_ONCE = 4
SECONDS = 3600
LEAVING = ("/auth/sign-out", "/api/people/{person}/sign-out", "/api/account/sessions/{session}", "/api/account")
"""Where a session ends. It is asked there at the end: whoever is out sees nothing but refusals."""
# That a text is longer than it may be is found by its length, or earlier, by that of the whole body.
_TOO_LONG = """
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 428, 429, "5xx"]
"""
_GENERATED = re.compile(r"([\d,]+) generated")
_FAILED = re.compile(r"([\d,]+) found ([\d,]+) unique failures")
_FAULT = re.compile(r"Server error")
_LINK = re.compile(r"/#/link/(\S+)")
_TWO_DOORS = """
accounts = true

[sign_in]
issuer = "http://127.0.0.1:9/"
client_id = "daehwa"
allowed_emails = ["*"]
"""


@dataclass
class Run:
    """One run of schemathesis: whose, of which description, with which headers and real ids, of which paths."""

    who: str
    address: str
    description: str
    headers: tuple[str, ...] = ()
    ids: dict[str, str] = field(default_factory=dict)
    paths: tuple[str, ...] = ()


@dataclass
class Cases:
    """How many requests were made, and what came of them."""

    made: int = 0
    faults: int = 0
    breaches: int = 0


async def run(size: Size, folder: Path, note: Note) -> Findings:
    """Ask as the owner, with real ids, by `/v1` with and without a key, and where people sign in, with and without."""
    found, cases, at_once = Findings("fuzz of the API"), Cases(), asyncio.Semaphore(AT_ONCE)
    async with AsyncExitStack() as stack:
        (folder / "open").mkdir()
        home = await stack.enter_async_context(a_home(folder / "open"))
        upstream = await stack.enter_async_context(OpenAiLike())
        closed = Place(folder / "closed", upstream.base_url, lines="require_keys = true" + _TWO_DOORS)
        program, _ = await stack.enter_async_context(closed.served())
        admin = await stack.enter_async_context(await _first_admin(program))
        closed_runs = await _closed_runs(admin, folder)
        runs = [*closed_runs[:-1], *(await _open_runs(home))]  # the longest ones first

        async def made(number: int, one: Run) -> None:
            async with at_once:
                count = await _made(one, size.of(1, 90), folder / str(number), found, cases)
            note(f"{one.who}: {count:,} requests; {cases.faults} faults, {cases.breaches} breaches so far")

        await asyncio.gather(*(made(number, one) for number, one in enumerate(runs)))
        is_in = (await _told(admin, "GET", "/api/me"))[0] == 200
        await made(len(runs), closed_runs[-1])
    found.add("requests made", cases.made, "≥ 20,000", holds=not size.is_long or cases.made >= 20_000)
    found.count("faults of the server", cases.faults)
    found.count("other breaches of the description", cases.breaches)
    found.add("signed in to the end", "yes" if is_in else "no", "yes", holds=is_in)
    return found


async def _open_runs(home: Home) -> list[Run]:
    """Return the runs on a server without sign-in. Each has a key of its own: those before may revoke theirs."""
    async with aiohttp.ClientSession(home.address, headers=SAME_ORIGIN) as client:
        ids = await _ids(client)
    programs = await home.make_key("programs", total=100_000_000)
    page, calls = f"{home.address}/api/openapi.json", f"{home.address}/v1/openapi.json"
    return [
        Run("the owner", home.address, page),
        Run("the owner, of what is there", home.address, page, ids=ids),
        Run("a program", home.address, calls, (f"Authorization: Bearer {programs['secret']}",)),
        Run("a program without a key", home.address, calls),
    ]


async def _closed_runs(admin: aiohttp.ClientSession, folder: Path) -> list[Run]:
    """Return the runs where people sign in, by accounts of the server's own or elsewhere; the last one ends that."""
    description = folder / "closed.json"  # told to nobody who is not signed in
    async with admin.get("/api/openapi.json") as answer:
        description.write_text(await answer.text(), "utf-8")
    address, where = str(admin._base_url).rstrip("/"), str(description)
    cookie = (f"Cookie: {admin.headers['cookie']}",)
    staying = tuple(part for path in LEAVING for part in ("--exclude-path", path))
    leaving = tuple(part for path in LEAVING for part in ("--include-path", path))
    return [
        Run("nobody, where people sign in", address, where),
        Run("an admin, where people sign in", address, where, cookie, paths=staying),
        Run("an admin, of what is there", address, where, cookie, await _ids_of_people(admin), staying),
        Run("an admin, who leaves", address, where, cookie, paths=leaving),
    ]


async def _first_admin(program: Program) -> aiohttp.ClientSession:
    """Take the link that the terminal shows; return the client of the admin whom that makes."""
    async with asyncio.timeout(30):
        while (link := _LINK.search(program.said)) is None:  # noqa: ASYNC110 - another process says it
            await asyncio.sleep(0.05)
    body = {"token": link[1], "password": "a long enough sentence", "login": "admin"}
    async with (
        aiohttp.ClientSession(program.address, headers=SAME_ORIGIN, cookie_jar=aiohttp.DummyCookieJar()) as client,
        client.post("/auth/link/accept", json=body) as answer,
    ):
        assert answer.status == 200, await answer.text()
        cookie = f"daehwa={answer.cookies['daehwa'].value}"
    return aiohttp.ClientSession(
        program.address, headers={**SAME_ORIGIN, "cookie": cookie}, cookie_jar=aiohttp.DummyCookieJar()
    )


async def _ids(client: aiohttp.ClientSession) -> dict[str, str]:
    """Make a conversation and a key; return what stands for the names in paths."""
    turn = asked("Hello")
    async with client.post("/api/turns", json=turn) as answer:
        assert answer.status == 200, await answer.text()
        await answer.read()
    status, made = await _told(client, "POST", "/api/keys", {"name": "there"})
    assert status == 201, made
    return {"conversation": turn["conversation"], "reply": turn["reply"], "key": made["key"]["id"]}


async def _ids_of_people(admin: aiohttp.ClientSession) -> dict[str, str]:
    """Make somebody, a group and an invitation too; return what stands for the names in paths."""
    names = await _ids(admin)
    _, group = await _told(admin, "POST", "/api/groups", {"name": "there"})
    _, invited = await _told(admin, "POST", "/api/invitations", {"groups": [group["id"]]})
    body = {"token": invited["url"].rpartition("/")[2], "password": "a long enough sentence", "login": "there"}
    async with admin.post("/auth/link/accept", json=body, headers={"cookie": ""}) as answer:
        assert answer.status == 200, await answer.text()
    _, people = await _told(admin, "GET", "/api/people")
    person = next(each["id"] for each in people["people"] if each["login"] == "there")
    _, waiting = await _told(admin, "POST", "/api/invitations", {})
    _, listed = await _told(admin, "GET", "/api/providers")
    provider = listed["providers"][0]["name"]
    made = {"person": person, "group": group["id"], "invitation": waiting["invitation"]["id"], "provider": provider}
    return {**names, **made}


async def _told(client: aiohttp.ClientSession, method: str, path: str, body: object = None) -> tuple[int, Any]:
    async with client.request(method, path, json=body) as answer:
        return answer.status, await answer.json()


def _prepare(folder: Path, ids: dict[str, str]) -> None:
    """Make the folder that a run has for itself, and say there which ids are real."""
    folder.mkdir()
    lines = "".join(f'"{name}" = "{text}"\n' for name, text in ids.items())
    (folder / "schemathesis.toml").write_text(f"[parameters]\n{lines}{_TOO_LONG}", "utf-8")


async def _made(one: Run, examples: int, folder: Path, found: Findings, cases: Cases) -> int:
    """Run it; count what it made and what came of it; return how many requests that were."""
    _prepare(folder, one.ids)
    headers = [part for header in one.headers for part in ("--header", header)]
    process = await asyncio.create_subprocess_exec(
        *(str(PROGRAM), "run", one.description, *OPTIONS, *headers),
        *("--url", one.address, *one.paths),
        *("--max-examples", str(examples), "--seed", "1"),
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said = (await asyncio.wait_for(process.communicate(), SECONDS))[0].decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    made = _GENERATED.search(said)
    count = int(made[1].replace(",", "")) if made else 0
    cases.made += count
    if process.returncode or not made:
        failed = _FAILED.search(said)
        faults = len(_FAULT.findall(said))
        cases.faults += faults
        cases.breaches += max(1, int(failed[2].replace(",", "")) if failed else 1) - faults
        found.blame(f"{one.who}: {said[-6000:]}")
    return count
