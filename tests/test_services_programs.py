"""Which settings open /v1 to whom, and where the classic dialect is on."""

from pathlib import Path
from typing import Any

import pytest
from cores import Core
from gateway.bed import OWNER, Bed
from server.serving import serving

from daehwa.accounts.keys import KeyLimits
from daehwa.accounts.minting import mint_key
from daehwa.conversation.ids import now_ms
from daehwa.conversation.room import Room
from daehwa.server.entrances import NO_ENTRANCES, Entrances
from daehwa.server.options import ServerOptions
from daehwa.server.programs import Programs
from daehwa.services.dialects import AWS_LIMITS
from daehwa.services.gateway_parts import GatewayParts
from daehwa.services.programs import build_programs
from daehwa.settings import Settings
from daehwa.sign_in.local_accounts import LocalAccounts
from daehwa.stores.memory_people import memory_people
from daehwa.stores.memory_rates import MemoryRates


def programs(bed: Bed | None = None, *, has_sign_in: bool = False, home: Any = "local", **settings: Any) -> Programs:
    bed = bed or Bed()
    parts = GatewayParts(bed.models, bed.meter, bed.accounts, bed.keys, MemoryRates(), bed.answers, Room())
    options = ServerOptions(version="0", user=OWNER, home=home)
    people = memory_people(bed.accounts)
    entrances = Entrances(local=LocalAccounts(people, "https://chat.example"), people=people)
    return build_programs(parts, Settings(**settings), options, entrances if has_sign_in else NO_ENTRANCES)


@pytest.mark.parametrize(
    ("made", "status", "has_classic"),
    [
        (programs(), 200, True),
        (programs(host="::1"), 200, True),
        (programs(require_keys=True), 401, False),
        (programs(host="0.0.0.0", allow_unprotected=True), 401, True),  # noqa: S104 - nothing is bound
        (programs(has_sign_in=True), 401, False),
        (programs(has_sign_in=True, classic=True), 401, True),
        (programs(classic=False), 200, False),
        (programs(has_sign_in=True, home="aws"), 401, False),
    ],
)
async def test_who_may_ask_without_a_key(tmp_path: Path, made: Programs, status: int, *, has_classic: bool) -> None:
    async with serving(Core(), tmp_path, programs=made) as site:
        assert (await site.call("GET", "/v1/models"))[0] == status
        assert (await site.call("GET", "/v1/models", headers={"Authorization": "Bearer dh_wrong"}))[0] == 401
        assert (await site.call("GET", "/v1/openapi.json"))[0] == 200
        assert (await site.call("POST", "/chat", {"text": "Hi"}))[0] == (200 if has_classic else 404)


@pytest.mark.parametrize("path", ["/chat", "/classic/chat"])
@pytest.mark.parametrize("has_sign_in", [False, True])
async def test_where_keys_are_required_the_classic_dialect_needs_one_as_well(
    tmp_path: Path, path: str, *, has_sign_in: bool
) -> None:
    bed = Bed()
    made = programs(bed, require_keys=True, classic=True, has_sign_in=has_sign_in)
    key, text = mint_key(OWNER.id, "Program", limits=KeyLimits(), expires=None, now=now_ms())
    await bed.keys.add_key(key)
    async with serving(Core(), tmp_path, programs=made) as site:
        status, answer = await site.call("POST", path, {"text": "Hi"})
        assert (status, answer["statusCode"]) == (401, 401)
        assert "key" in answer["msg"]
        headers = {"Authorization": "Bearer dh_wrong"}
        assert (await site.call("POST", path, {"text": "Hi"}, headers=headers))[0] == 401
        headers = {"Authorization": f"Bearer {text}"}
        assert await site.call("POST", path, {"text": "Hi"}, headers=headers) == (
            200,
            {"statusCode": 200, "msg": "You said: Hi"},
        )
    assert [call.key for call in bed.meter.calls] == [key.id]


async def test_the_folder_of_the_demo_is_served(tmp_path: Path) -> None:
    (tmp_path / "chat.html").write_text("<p>Demo", "utf-8")
    made = programs(classic_folder=tmp_path)
    async with serving(Core(), tmp_path / "page", programs=made) as site, site.client.get("/classic/") as answer:
        assert await answer.text() == "<p>Demo"


def test_a_body_fits_into_an_event_of_lambda() -> None:
    assert max(AWS_LIMITS.json_bytes, AWS_LIMITS.upload_bytes) * 4 / 3 < 6_291_456 - 200_000
