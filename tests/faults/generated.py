"""Generated requests of the whole API, with and without sign-in: no fault of the server's, nothing undescribed."""

import asyncio
import re
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from clients.home import Home, a_home
from faults.findings import Findings, Note, Size
from faults.place import Place, get
from openai_like.server import OpenAiLike
from server.serving import asked

from daehwa.accounts.people import Profile, Session
from daehwa.conversation.ids import now_ms
from daehwa.sign_in.tokens import digest, new_token
from daehwa.stores.sqlite import SqliteStore
from daehwa.stores.sqlite_accounts import SqliteAccounts

PROGRAM = Path(sys.executable).with_name("schemathesis")
OPTIONS = (
    *("--phases", "coverage,fuzzing", "--request-timeout", "20", "--continue-on-failure", "--workers", "2"),
    # Some rules are more than a description can say, such as "one of the two"; breaking them is told in words.
    *("--exclude-checks", "positive_data_acceptance", "--generation-database", "none", "--no-color"),
    *("--header", "Sec-Fetch-Site: same-origin"),
)
SECONDS = 3600
_GENERATED = re.compile(r"([\d,]+) generated")
_FAILED = re.compile(r"([\d,]+) found ([\d,]+) unique failures")
_FAULT = re.compile(r"Server error")
_SIGN_IN = """
[sign_in]
issuer = "http://127.0.0.1:9/"
client_id = "daehwa"
allowed_emails = ["*"]
"""


@dataclass
class Run:
    """One run of schemathesis: whose, of which description, with which headers and real ids."""

    who: str
    address: str
    path: str
    headers: tuple[str, ...] = ()
    ids: dict[str, str] | None = None
    described_at: str = ""
    """Where the description is read, if not at the same address."""


@dataclass
class Cases:
    """How many requests were made, and what came of them."""

    made: int = 0
    faults: int = 0
    breaches: int = 0


async def run(size: Size, folder: Path, note: Note) -> Findings:
    """Ask as the owner, with real ids, by `/v1` with and without a key, and where people sign in, with and without."""
    found, cases = Findings("fuzz of the API"), Cases()
    async with AsyncExitStack() as stack:
        (folder / "open").mkdir()
        home = await stack.enter_async_context(a_home(folder / "open"))
        upstream = await stack.enter_async_context(OpenAiLike())
        closed = Place(folder / "closed", upstream.base_url, lines="require_keys = true")
        cookie = await _signed_in(closed)
        _, client = await stack.enter_async_context(closed.served())
        for number, one in enumerate(
            [*(await _open_runs(home)), *_closed_runs(str(client._base_url).rstrip("/"), cookie, home.address)]
        ):
            before = cases.made
            await _made(one, size.of(1, 190), folder / str(number), found, cases)
            note(
                f"{one.who}: {cases.made - before:,} requests; {cases.faults} faults, {cases.breaches} breaches so far"
            )
    found.add("requests made", cases.made, "≥ 20,000", holds=not size.is_long or cases.made >= 20_000)
    found.count("faults of the server", cases.faults)
    found.count("other breaches of the description", cases.breaches)
    return found


async def _open_runs(home: Home) -> list[Run]:
    """Return the runs on a server without sign-in. Each has a key of its own: those before may revoke theirs."""
    conversation = asked("Hello")
    async with aiohttp.ClientSession(home.address, headers={"Sec-Fetch-Site": "same-origin"}) as client:
        async with client.post("/api/turns", json=conversation) as answer:
            await answer.read()
        await get(client, f"/api/conversations/{conversation['conversation']}")
    key = await home.make_key("there")
    programs = await home.make_key("programs", total=100_000_000)
    ids = {
        "conversation": conversation["conversation"],
        "reply": conversation["reply"],
        "key": key["key"]["id"] if "key" in key and isinstance(key["key"], dict) else key["id"],
    }
    return [
        Run("the owner", home.address, "/api/openapi.json"),
        Run("the owner, of what is there", home.address, "/api/openapi.json", ids=ids),
        Run("a program", home.address, "/v1/openapi.json", (f"Authorization: Bearer {programs['secret']}",)),
        Run("a program without a key", home.address, "/v1/openapi.json"),
    ]


def _closed_runs(address: str, cookie: str, described_at: str) -> list[Run]:
    return [
        Run("nobody, where people sign in", address, "/api/openapi.json", described_at=described_at),
        Run("an admin, where people sign in", address, "/api/openapi.json", (f"Cookie: daehwa={cookie}",)),
    ]


async def _signed_in(place: Place) -> str:
    """Switch sign-in on, and let an admin be signed in; return the cookie's text."""
    with (place.folder / "daehwa.toml").open("a", encoding="utf-8") as settings:
        settings.write(_SIGN_IN)
    place.data.mkdir()
    store = await SqliteStore.open(place.database)
    accounts, now, token = SqliteAccounts(store), now_ms(), new_token()
    profile = Profile(issuer="http://127.0.0.1:9/", subject="admin", email="admin@example.com", name="Admin")
    user = await accounts.sign_in(profile, role="admin", now=now)
    day = 24 * 60 * 60 * 1000
    await accounts.save_session(Session(id=digest(token), user=user.id, created=now, expires=now + day))
    await store.aclose()
    return token


def _prepare(folder: Path, ids: dict[str, str]) -> None:
    """Make the folder that a run has for itself, and say there which ids are real."""
    folder.mkdir()
    lines = "".join(f'"{name}" = "{text}"\n' for name, text in ids.items())
    (folder / "schemathesis.toml").write_text(f"[parameters]\n{lines}", "utf-8")


async def _made(one: Run, examples: int, folder: Path, found: Findings, cases: Cases) -> None:
    _prepare(folder, one.ids or {})
    headers = [part for header in one.headers for part in ("--header", header)]
    process = await asyncio.create_subprocess_exec(
        *(str(PROGRAM), "run", f"{one.described_at or one.address}{one.path}", *OPTIONS, *headers),
        *("--url", one.address),
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
    cases.made += int(made[1].replace(",", "")) if made else 0
    if process.returncode or not made:
        failed = _FAILED.search(said)
        faults = len(_FAULT.findall(said))
        cases.faults += faults
        cases.breaches += max(1, int(failed[2].replace(",", "")) if failed else 1) - faults
        found.blame(f"{one.who}: {said[-6000:]}")
