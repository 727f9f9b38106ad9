"""What the server really sends, of every route, every event and every state, as samples for the page's decoders.

Each file of `web/test/wire-samples/` is one answer: {"route", "type", "status", "contentType", "body"}. `type` names
the schema in docs/api.md; `body` is JSON, or for "EventStream" the stream's text, byte for byte but for ids and times.
"""

import asyncio
import json
import re
import shutil
from pathlib import Path
from typing import Any

import msgspec
from books import at, note, some_books
from cores import Core
from images import GIF, PNG, sent
from server.serving import Site, asked, serving
from transfer.foreign import research
from wire.people_samples import record_people

from daehwa.accounts.budgets import BudgetRule
from daehwa.accounts.key_making import KeyWish, make_key
from daehwa.accounts.people import User
from daehwa.conversation.errors import ProviderCutError, ProviderRateLimitError
from daehwa.conversation.events import Finished, ReasoningDelta, TextDelta, ToolCallDelta, UsageReported
from daehwa.conversation.ids import new_id
from daehwa.conversation.messages import Usage
from daehwa.conversation.ports import GenerationRequest
from daehwa.providers.scripted import ScriptedProvider, Step, spoken
from daehwa.server.books import Books
from daehwa.server.options import Limits

SAMPLES = Path(__file__).parents[2] / "web" / "test" / "wire-samples"
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
BUDGETS = (
    BudgetRule(scope="user", kind="day", limit=2_000_000),
    BudgetRule(scope="user", kind="total", limit=90_000_000),
    BudgetRule(scope="all", kind="month", limit=50_000_000),
    BudgetRule(scope="key", kind="month", limit=10_000_000),
)
CUT = ProviderCutError("The model's answer broke off. Continue it, or try again.")
BUSY = ProviderRateLimitError("The model is asked too often. Try again in 7 seconds.", retry_after=7)

SCRIPTS: dict[str, list[Step]] = {
    "everything": [
        (ReasoningDelta("Let me "), ReasoningDelta("think.")),
        (TextDelta("Hello, **world**\n\n```python\nprint('안녕')\n```\n"),),
        (ToolCallDelta("call-1", "weather", '{"city": '),),
        (ToolCallDelta("call-1", "weather", '"서울"}'),),
        (TextDelta('🌦️ \u2028 and a \\ and a "quote"'),),
        (Finished("stop"), UsageReported(Usage(input=12, output=34, cached=5, reasoning=6))),
    ],
    "cut": [(TextDelta("Half of"),), CUT],
    "busy": [BUSY],
    "long": spoken("As far as it goes", finish="length"),
    "quiet": [(TextDelta("Still "),), 0.12, *spoken("here")],
    "title": spoken("A greeting in two languages"),
}


class Recorder:
    """Asks, and keeps each answer as a sample."""

    def __init__(self, site: Site, folder: Path, books: Books) -> None:
        self.site = site
        self.books = books
        self._folder = folder
        self._ids: dict[str, str] = {}

    async def call(self, name: str, kind: str, method: str, path: str, body: object = None, **headers: str) -> Any:
        content = None if body is None else json.dumps(body)
        if body is not None:
            headers["content-type"] = "application/json"
        async with self.site.client.request(method, path, data=content, headers=headers) as answer:
            text = await answer.text()
            content_type = answer.headers.get("content-type", "")
        decoded = None if not text else text if kind == "EventStream" else json.loads(text)
        normal = self._normal(text)
        sample = {
            "route": f"{method} {UUID.sub('{id}', path)}",
            "type": kind,
            "status": answer.status,
            "contentType": content_type,
            "body": normal if kind == "EventStream" else json.loads(normal or "null"),
        }
        written = json.dumps(sample, ensure_ascii=False, indent=2)
        (self._folder / f"{name}.json").write_text(written + "\n", "utf-8")
        return decoded

    def _normal(self, text: str) -> str:
        def stable(match: re.Match[str]) -> str:
            return self._ids.setdefault(match[0], f"00000000-0000-7000-8000-{len(self._ids) + 1:012d}")

        text = UUID.sub(stable, text)
        text = re.sub(r"dh_[0-9A-Za-z]{8}", "dh_abcdefgh", text)
        text = re.sub(r"dh_abcdefgh_[0-9A-Za-z]+", f"dh_abcdefgh_{'x' * 40}", text)
        text = re.sub(r"\b1[0-9]{12}\b", "1790000000000", text)
        text = re.sub(r"request id [0-9a-f]{12}", "request id 0123456789ab", text)
        return re.sub(r'"after":"[^"]*"', '"after":"cursor"', text)


def _script(request: GenerationRequest) -> list[Step]:
    """Play the script that the question names; any other request is one for a title."""
    return SCRIPTS.get(request.messages[-1].text, SCRIPTS["title"])


async def _record_what_there_is(recorder: Recorder) -> None:
    me = await recorder.call("me", "Me", "GET", "/api/me", **{"Accept-Language": "ko"})
    assert me["locale"] == "ko"
    models = await recorder.call("models", "Models", "GET", "/api/models")
    assert models["default"] == models["models"][0]["id"]
    await recorder.call("health", "Health", "GET", "/healthz")


async def _record_streams(recorder: Recorder) -> None:
    def names(stream: str) -> list[str]:
        return re.findall(r"^event: (.*)$", stream, re.MULTILINE)

    body = asked("everything")
    stream = await recorder.call("stream-everything", "EventStream", "POST", "/api/turns", body)
    assert set(names(stream)) == {"reasoning", "delta", "tool", "usage", "done", "title"}
    path = f"/api/turns/{body['reply']}/events"
    stream = await recorder.call("stream-resumed", "EventStream", "GET", path, **{"Last-Event-ID": "20"})
    assert names(stream)[-1] == "done"
    opened = await recorder.call(
        "conversation", "OpenedConversation", "GET", f"/api/conversations/{body['conversation']}"
    )
    assert opened["conversation"]["title_source"] == "model"
    path = f"/api/conversations/{body['conversation']}?limit=1&total=true"
    end = await recorder.call("conversation-end", "OpenedConversation", "GET", path)
    assert (end["whole"], end["total"]["calls"]) == (False, 1)
    assert {part["type"] for part in opened["messages"][1]["parts"]} == {"text", "reasoning", "tool_call"}
    for script, last in (("busy", "error"), ("cut", "error"), ("long", "done"), ("quiet", "title")):
        body = asked(script)
        stream = await recorder.call(f"stream-{script}", "EventStream", "POST", "/api/turns", body)
        ends = [name for name in names(stream) if name in {"done", "error"}]
        assert (names(stream)[-1], len(ends)) == (last if script != "long" else "title", 1)
        path = f"/api/conversations/{body['conversation']}"
        await recorder.call(f"conversation-{script}", "OpenedConversation", "GET", path)
        assert ("\n\n:\n\n" in stream) == (script == "quiet"), "a comment is the heartbeat"


async def _record_a_reply_that_grows_and_is_stopped(recorder: Recorder) -> None:
    gate = asyncio.Event()
    recorder.site.core.provider.script = [(TextDelta("It grows"),), gate]
    body = asked("grow")
    async with recorder.site.client.post("/api/turns", json=body) as answer:
        await answer.content.readuntil(b"grows")
        path = f"/api/conversations/{body['conversation']}"
        opened = await recorder.call("conversation-streaming", "OpenedConversation", "GET", path)
        assert opened["messages"][1]["status"] == "streaming"
        stopped = await recorder.call("stopped", "Message", "POST", f"/api/turns/{body['reply']}/stop")
        assert stopped["status"] == "stopped"
    stream = await recorder.call("stream-stopped", "EventStream", "GET", f"/api/turns/{body['reply']}/events")
    assert '"status":"stopped"' in stream


async def _record_conversations(recorder: Recorder) -> None:
    for text in ("How is the weather in 서울?", "And in 부산?", "Thank you"):
        await recorder.site.turn(asked(text))
    listed = await recorder.call("conversations", "ConversationPage", "GET", "/api/conversations?limit=2")
    assert listed["after"] is not None
    await recorder.call("conversations-end", "ConversationPage", "GET", "/api/conversations")
    found = await recorder.call("search", "SearchHits", "GET", "/api/conversations?query=weather")
    assert found["hits"]
    await recorder.call("search-nothing", "SearchHits", "GET", "/api/conversations?query=absent")
    one = f"/api/conversations/{listed['conversations'][0]['id']}"
    changed = await recorder.call("changed", "Conversation", "PATCH", one, {"title": "새 이름", "pinned": True})
    assert changed["title_source"] == "user"
    assert await recorder.call("deleted", "Nothing", "DELETE", one) is None
    await recorder.call("restored", "Conversation", "POST", f"{one}/restore")
    some = {"conversations": [research(), {"title": "Strange"}]}
    brought = await recorder.call("brought", "Brought", "POST", "/api/conversations/import", some)
    assert (brought["added"], len(brought["left_out"]), brought["not_brought"]["image"]) == (1, 1, 1)


async def _record_images(recorder: Recorder) -> None:
    body = asked("everything")
    body["message"]["parts"] += [sent(PNG), sent(GIF)]
    await recorder.site.turn(body)
    path = f"/api/conversations/{body['conversation']}"
    opened = await recorder.call("conversation-images", "OpenedConversation", "GET", path)
    assert [part["type"] for part in opened["messages"][0]["parts"]] == ["image", "image", "text"]
    await recorder.call("error-image-not-found", "ErrorAnswer", "GET", f"{path}/images/{new_id()}")
    catalogue = recorder.site.core.catalogue
    for name, part, sees in (("no-image", sent(b"<svg/>"), True), ("images-not-seen", sent(), False)):
        catalogue.model = msgspec.structs.replace(catalogue.model, sees_images=sees)
        wrong = asked("everything")
        wrong["message"]["parts"].append(part)
        answer = await recorder.call(f"error-{name}", "ErrorAnswer", "POST", "/api/turns", wrong)
        assert answer["error"]["type"] == name.replace("-", "_")
    await recorder.call("models-that-see-none", "Models", "GET", "/api/models")


async def _record_keys(recorder: Recorder) -> None:
    wish = {"name": "laptop", "models": ["gpt-*"], "day": 2_000_000, "expires": at("2027-01-01")}
    made = await recorder.call("key-made", "MadeKey", "POST", "/api/keys", wish)
    key = made["key"]["id"]
    await note(recorder.books, "me", key=key)
    await recorder.call("keys", "KeyList", "GET", "/api/keys")
    await recorder.call("key-revoked", "Key", "DELETE", f"/api/keys/{key}")
    await recorder.call("key-missing", "ErrorAnswer", "DELETE", f"/api/keys/{new_id()}")
    await recorder.call("key-refused", "ErrorAnswer", "POST", "/api/keys", {"name": ""})


async def _record_money(recorder: Recorder) -> None:
    key, _ = await make_key(recorder.books.keys, "me", KeyWish(name="laptop"), now=1)
    await note(recorder.books, "me", key=key.id)
    await note(recorder.books, "me", kind="turn", day="2026-11-27", cost=None)
    await note(recorder.books, "me", is_open=True, cost=300)
    await note(recorder.books, "somebody", failed="provider_timeout")
    await recorder.call("usage", "UsageReport", "GET", "/api/usage?since=2026-11-01&until=2026-11-28")
    await recorder.call("usage-everybody", "UsageReport", "GET", "/api/usage?everybody=true")
    await recorder.call("usage-none", "UsageReport", "GET", "/api/usage?until=2026-01-01")
    await recorder.call("usage-refused", "ErrorAnswer", "GET", "/api/usage?since=2026-11-02&until=2026-11-01")
    await recorder.call("budgets", "BudgetList", "GET", "/api/budgets")
    await recorder.call("models-with-budgets", "Models", "GET", "/api/models")


async def _record_errors(recorder: Recorder) -> None:
    body = asked("everything")
    await recorder.site.turn(body)
    other = {**asked("another"), "reply": body["reply"]}
    wrong = [
        ("invalid-request", "POST", "/api/turns", {"conversation": new_id()}),
        ("invalid-id", "GET", "/api/conversations/x", None),
        ("conversation-not-found", "GET", f"/api/conversations/{new_id()}", None),
        ("model-not-found", "POST", "/api/turns", {**asked(), "model": "nobody/knows"}),
        ("id-taken", "POST", "/api/turns", other),
        ("too-large", "POST", "/api/turns", asked("a" * 60_000)),
        ("method-not-allowed", "DELETE", "/api/me", None),
    ]
    for name, method, path, content in wrong:
        answer = await recorder.call(f"error-{name}", "ErrorAnswer", method, path, content)
        assert answer["error"]["type"] in {name.replace("-", "_"), "too_large"}
    answer = await recorder.call("error-host", "ErrorAnswer", "GET", "/api/me", Host="evil.example")
    assert answer["error"]["type"] == "host_not_allowed"

    recorder.site.core.catalogue.model = None  # type: ignore[assignment] # a fault of our own
    answer = await recorder.call("error-internal", "ErrorAnswer", "GET", "/api/models")
    assert answer["error"]["type"] == "internal_error"


RECORDINGS = (
    _record_what_there_is,
    _record_streams,
    _record_a_reply_that_grows_and_is_stopped,
    _record_conversations,
    _record_images,
    _record_keys,
    _record_money,
    _record_errors,
)


async def test_every_route_event_and_state_has_its_sample(tmp_path: Path) -> None:
    shutil.rmtree(SAMPLES, ignore_errors=True)
    SAMPLES.mkdir(parents=True)
    for record in RECORDINGS:
        core = Core(ScriptedProvider(_script), titles=True)
        books = some_books(budgets=BUDGETS if record is _record_money else ())
        owner = User(id="me", name="Tester", role="admin")
        async with serving(core, tmp_path, books=books, user=owner, limits=Limits(turn_bytes=50_000)) as site:
            await record(Recorder(site, SAMPLES, books))
    await record_people(tmp_path, lambda site: Recorder(site, SAMPLES, some_books()))
    samples = [json.loads(path.read_text("utf-8")) for path in SAMPLES.glob("*.json")]
    asked_for = {sample["route"].partition("?")[0] for sample in samples if sample["status"] < 400}
    assert asked_for == {
        "DELETE /api/conversations/{id}",
        "DELETE /api/keys/{id}",
        "GET /api/account",
        "GET /api/audit",
        "GET /api/audit/check",
        "GET /api/budgets",
        "GET /api/conversations",
        "GET /api/conversations/{id}",
        "GET /api/groups",
        "GET /api/installation",
        "GET /api/invitations",
        "GET /api/keys",
        "GET /api/me",
        "GET /api/models",
        "GET /api/people",
        "GET /api/preferences",
        "GET /api/providers",
        "GET /api/turns/{id}/events",
        "GET /api/usage",
        "GET /auth/doors",
        "GET /healthz",
        "PATCH /api/conversations/{id}",
        "PATCH /api/installation",
        "PATCH /api/people/{id}",
        "PATCH /api/preferences",
        "POST /api/account/passkeys",
        "POST /api/account/totp",
        "POST /api/account/totp/confirm",
        "POST /api/conversations/import",
        "POST /api/conversations/{id}/restore",
        "POST /api/groups",
        "POST /api/invitations",
        "POST /api/keys",
        "POST /api/people/{id}/reset",
        "POST /api/turns",
        "POST /api/turns/{id}/stop",
        "POST /auth/link",
        "POST /auth/passkey/options",
        "POST /auth/password",
        "POST /auth/sign-out",
    }
    assert {sample["status"] for sample in samples} >= {200, 204, 400, 404, 405, 409, 413, 421, 500}
