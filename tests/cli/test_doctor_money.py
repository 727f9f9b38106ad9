"""What the doctor says of keys, money, routes and telemetry."""

import json

from cli.conftest import Program
from upstream import FakeUpstream

SETTINGS = """
budgets = ["all month 50", "user day 2.50", "user:ann@example.com month 30", "group:lab total 7"]
groups = ["lab ann@example.com"]

[[routes]]
name = "quick"
targets = ["openai/gpt-test"]
"""


async def test_the_doctor_says_how_it_stands_with_keys_and_money(program: Program) -> None:
    (program.folder / "daehwa.toml").write_text(SETTINGS)
    for name in ("laptop", "ci"):
        assert (await program.run("key", "create", name)).code == 0
    await program.run("key", "revoke", "ci")
    async with FakeUpstream() as upstream:
        ended = await program.run("doctor", OPENAI_BASE_URL=upstream.base_url)
    assert "keys        1 live" in ended.out, ended.out + ended.err
    assert "budgets     all, month: $0.00 spent of $50.00" in ended.out
    assert "user, day: each their own of $2.50" in ended.out
    assert "group:lab, total: $0.00 spent of $7.00" in ended.out
    assert "route       quick: openai/gpt-test" in ended.out
    assert "OpenTelemetry: off" in ended.out
    assert "prices      genai-prices" in ended.out
    assert "circuits" not in ended.out


async def test_the_doctor_makes_no_database(program: Program) -> None:
    async with FakeUpstream() as upstream:
        ended = await program.run("doctor", "--json", OPENAI_BASE_URL=upstream.base_url)
    assert json.loads(ended.out)["money"]["live_keys"] == 0
    assert not program.data.exists()


async def test_the_doctor_asks_a_running_server_for_its_circuits(program: Program) -> None:
    async with (
        FakeUpstream() as upstream,
        program.serving("--no-open", OPENAI_BASE_URL=upstream.base_url) as server,
    ):
        port = server.address.rstrip("/").rpartition(":")[2]
        environment = {"OPENAI_BASE_URL": upstream.base_url, "OTEL_TRACES_EXPORTER": "otlp", "DAEHWA_PORT": port}
        ended = await program.run("doctor", **environment)
    assert "circuits    openai closed" in ended.out, ended.out + ended.err
    assert "OpenTelemetry: traces" in ended.out
