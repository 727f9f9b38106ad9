"""Which settings open /v1 to whom, and where the classic dialect is on."""

from pathlib import Path
from typing import Any

import pytest
from cores import Core
from gateway.bed import OWNER, Bed
from server.serving import serving

from daehwa.server.app import Programs
from daehwa.server.options import ServerOptions
from daehwa.services.programs import AWS_LIMITS, GatewayStores, build_programs
from daehwa.settings import Settings
from daehwa.stores.memory_rates import MemoryRates


def programs(*, has_sign_in: bool = False, home: Any = "local", **settings: Any) -> Programs:
    bed = Bed()
    stores = GatewayStores(accounts=bed.accounts, keys=bed.keys, rates=MemoryRates(), answers=bed.answers)
    options = ServerOptions(version="0", user=OWNER, home=home)
    return build_programs(bed.models, bed.meter, stores, Settings(**settings), options, has_sign_in=has_sign_in)


@pytest.mark.parametrize(
    ("made", "status", "has_classic"),
    [
        (programs(), 200, True),
        (programs(host="::1"), 200, True),
        (programs(require_keys=True), 401, True),
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


async def test_the_folder_of_the_demo_is_served(tmp_path: Path) -> None:
    (tmp_path / "chat.html").write_text("<p>Demo", "utf-8")
    made = programs(classic_folder=tmp_path)
    async with serving(Core(), tmp_path / "page", programs=made) as site, site.client.get("/classic/") as answer:
        assert await answer.text() == "<p>Demo"


def test_a_body_fits_into_an_event_of_lambda() -> None:
    assert max(AWS_LIMITS.json_bytes, AWS_LIMITS.upload_bytes) * 4 / 3 < 6_291_456 - 200_000
