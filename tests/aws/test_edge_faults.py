"""What the test bed's edge does with a fault of the API; no adapter is needed, for the function may run nowhere."""

from collections.abc import Mapping
from pathlib import Path

import aiohttp
import pytest
from lambda_bed.edge import ERROR_SECONDS, UNTOLD_ERROR_SECONDS, Edge
from lambda_bed.environment import Code
from lambda_bed.function import Function
from lambda_bed.gateway import ApiGateway


@pytest.mark.parametrize(
    ("error_seconds", "reach_the_api"), [(ERROR_SECONDS, 2), (UNTOLD_ERROR_SECONDS, 1)], ids=["told", "untold"]
)
async def test_a_fault_is_given_to_others_only_where_the_distribution_is_not_told_otherwise(
    error_seconds: Mapping[int, float], reach_the_api: int, tmp_path: Path
) -> None:
    function = Function(Code(tmp_path, tmp_path), tmp_path, concurrency=0)
    edge = Edge(ApiGateway(function), tmp_path, error_seconds=error_seconds)
    async with edge.listening(), aiohttp.ClientSession(edge.address) as viewers:
        for cookie in ("ann", "ben"):
            async with viewers.get("/api/me", headers={"cookie": cookie}) as answer:
                assert (answer.status, await answer.json()) == (502, {"message": "Internal server error"})
        assert len(edge.api.asked) == reach_the_api
        async with viewers.post("/api/me") as answer:
            assert answer.status == 502
        assert len(edge.api.asked) == reach_the_api + 1, "what changes something is never answered from before"
