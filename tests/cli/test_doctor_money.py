"""What the doctor says of keys, money, routes and telemetry."""

import json

from cli.conftest import Program
from cli.test_doctor import signing_in
from sign_in.issuer import Issuer
from upstream import FakeUpstream

from daehwa.data_folder import DATABASE, LOCK, DataFolder

SETTINGS = """
budgets = ["all month 50", "user day 2.50", "key day 0.005", "user:ann@example.com month 30", "group:lab total 7"]
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
    assert "key, day: each their own of $0.005" in ended.out
    assert "group:lab, total: $0.00 spent of $7.00" in ended.out
    assert "route       quick: openai/gpt-test" in ended.out
    assert "OpenTelemetry: off" in ended.out
    assert "prices      genai-prices" in ended.out
    assert "circuits" not in ended.out


async def test_the_doctor_makes_no_database(program: Program) -> None:
    async with FakeUpstream() as upstream:
        (program.folder / "daehwa.toml").write_text(SETTINGS)
        shown = await program.run("doctor", OPENAI_BASE_URL=upstream.base_url)
        ended = await program.run("doctor", "--json", OPENAI_BASE_URL=upstream.base_url)
    assert "budgets     all, month: $0.00 spent of $50.00" in shown.out
    assert "user, day: each their own of $2.50" in shown.out
    assert "user:ann@example.com, month: $0.00 spent of $30.00" in shown.out
    assert json.loads(ended.out)["money"]["live_keys"] == 0
    assert not program.data.exists()


async def test_the_doctor_asks_a_running_server_for_its_circuits(program: Program) -> None:
    async with (
        FakeUpstream() as upstream,
        program.serving("--no-open", OPENAI_BASE_URL=upstream.base_url),
    ):
        environment = {"OPENAI_BASE_URL": upstream.base_url, "OTEL_TRACES_EXPORTER": "otlp"}
        ended = await program.run("doctor", **environment)
    assert "circuits    openai closed" in ended.out, ended.out + ended.err
    assert "OpenTelemetry: traces" in ended.out


async def test_the_doctor_says_why_it_does_not_know_the_circuits(program: Program) -> None:
    async with FakeUpstream() as upstream, Issuer() as issuer:
        (program.folder / "daehwa.toml").write_text(signing_in(issuer.url))
        environment = {"OPENAI_BASE_URL": upstream.base_url}
        async with program.serving("--no-open", **environment):
            signed = await program.run("doctor", **environment)
            noted = (program.data / LOCK).read_text("ascii").splitlines()
            (program.data / LOCK).write_text("\n".join([*noted[:2], "another", ""]), "ascii")
            refused = await program.run("doctor", **environment)
        folder = DataFolder(program.data)
        folder.hold()
        folder.note_address("http://127.0.0.1:9")
        silent = await program.run("doctor", **environment)
        folder.release()
    assert "circuits    openai closed" in signed.out, signed.out + signed.err
    assert noted[2] not in signed.out + signed.err
    assert "circuits    not told: /metrics wants an admin's API key" in refused.out, refused.out + refused.err
    assert "circuits    not told: the server that runs does not answer at http://127.0.0.1:9" in silent.out


async def test_what_cannot_be_read_of_a_budget_is_said(program: Program) -> None:
    (program.folder / "daehwa.toml").write_text(SETTINGS)
    program.data.mkdir()
    (program.data / DATABASE).write_bytes(b"This is no database at all. " * 100)
    async with FakeUpstream() as upstream:
        ended = await program.run("doctor", OPENAI_BASE_URL=upstream.base_url)
    assert "budgets     all, month: $50.00, and what is spent cannot be read" in ended.out
