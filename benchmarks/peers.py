"""The peers: what they are, how they are installed into environments of their own, and how each is started.

They are installed once, by pinned versions, and kept in the user's cache folder. LiteLLM runs without a database and
Portkey without a cache, so neither counts or stores anything here. Open WebUI and Chainlit are pages: of the first,
`/api/chat/completions` is measured as its `/v1`, and its page in the browser; of the second start, memory, size, page.
"""

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import interpreter
import platformdirs
import programs
from contestants import Contestant, Served
from load import Target
from results import nameless, reason

LITELLM, OPEN_WEBUI, CHAINLIT, PORTKEY = "LiteLLM proxy", "Open WebUI", "Chainlit", "Portkey gateway"
FOLDER = Path(platformdirs.user_cache_dir("daehwa-benchmarks"))
NEWEST = "2026-11-15T00:00:00Z"
NOT_TO_BE_HAD = {
    "any-llm-gateway": "is no package on PyPI, and any-llm-sdk has no gateway in it",
    "Bifrost, TensorZero, Kong": "come as containers or downloads, not as packages",
}

_KEY = "sk-benchmark-0123456789abcdef0123456789abcdef"
_SECONDS_TO_START = 180.0
_INSTALL_SECONDS = 1800
_CHAINLIT_APP = """
import os
import chainlit
from openai import AsyncOpenAI

client = AsyncOpenAI(base_url=os.environ["OPENAI_BASE_URL"], api_key="benchmark")


@chainlit.on_message
async def answer(message: chainlit.Message) -> None:
    said = chainlit.Message(content="")
    asked = [{"role": "user", "content": message.content}]
    async for chunk in await client.chat.completions.create(model="mock", messages=asked, stream=True):
        if chunk.choices and chunk.choices[0].delta.content:
            await said.stream_token(chunk.choices[0].delta.content)
    await said.update()
"""


@dataclass(frozen=True)
class Package:
    """What is installed for a peer: requirements for pip, or packages for npm."""

    folder: str
    requirements: Sequence[str]
    by_npm: bool = False

    @property
    def path(self) -> Path:
        """Return its environment's folder."""
        return FOLDER / self.folder

    def program(self, name: str) -> str:
        """Return the path of one of its programs."""
        return str(self.path / "bin" / name)

    @property
    def marker(self) -> Path:
        """Return the file that says what is installed."""
        return self.path / "installed.txt"

    def is_installed(self) -> bool:
        """Return whether it is there in these versions, and of the interpreter that runs this."""
        return self.marker.exists() and self.marker.read_text() == self._wanted()

    def note_installed(self) -> None:
        """Say that it is there."""
        self.marker.write_text(self._wanted())

    def install(self) -> None:
        """Install it where it is not there as it shall be."""
        if self.is_installed():
            return
        print(f"  installing {', '.join(self.requirements)} into {self.path}", flush=True)
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.mkdir(parents=True)
        for command in self._commands():
            subprocess.run(command, cwd=self.path, check=True, capture_output=True, timeout=_INSTALL_SECONDS)
        self.note_installed()

    def _wanted(self) -> str:
        made_by = () if self.by_npm else (interpreter.name(),)
        return "\n".join((*self.requirements, *made_by))

    def _commands(self) -> list[list[str]]:
        if self.by_npm:
            npm = shutil.which("npm")
            if npm is None:
                raise FileNotFoundError("there is no npm")
            (self.path / "package.json").write_text('{"private": true}')
            return [[npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", *self.requirements]]
        python = str(self.path / "bin" / "python")
        install = [programs.uv(), "pip", "install", "-q", "--compile-bytecode", "--exclude-newer", NEWEST]
        making = [programs.uv(), "venv", "-q", "--clear", "--python", sys.executable, str(self.path)]
        return [making, [*install, "--python", python, *self.requirements]]

    def weigh(self) -> float:
        """Return what is installed in MB, without bytecode."""
        places = [self.path / "node_modules"] if self.by_npm else self.path.glob("lib/python*/site-packages")
        return sum(programs.folder_mb(place) for place in places)


PACKAGES: Mapping[str, Package] = {
    LITELLM: Package("litellm", ("litellm[proxy]==1.106.2",)),
    PORTKEY: Package("portkey", ("@portkey-ai/gateway@1.15.2",), by_npm=True),
    OPEN_WEBUI: Package("open-webui", ("open-webui==0.12.4",)),
    CHAINLIT: Package("chainlit", ("chainlit==2.12.0", "openai>=3.50,<4")),
}
JUDGE = Package("aiperf", ("aiperf==0.13.0",))


def _log(name: str) -> Path:
    return FOLDER / f"{name}.log"


@contextlib.contextmanager
def litellm(upstream: int) -> Iterator[Served]:
    """Run LiteLLM's proxy with one worker and a key, without a database."""
    port, package = programs.free_port(), PACKAGES[LITELLM]
    with tempfile.TemporaryDirectory() as folder:
        upstream_model = {"model": "openai/mock", "api_base": f"http://127.0.0.1:{upstream}/v1", "api_key": "benchmark"}
        config = Path(folder, "config.yaml")  # JSON is YAML
        config.write_text(json.dumps({"model_list": [{"model_name": "mock", "litellm_params": upstream_model}]}))
        line = [package.program("litellm"), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
        env = {"LITELLM_MASTER_KEY": _KEY, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False"}
        command = programs.Command(
            line=line,
            port=port,
            ready="/health/liveliness",
            env=env,
            cwd=Path(folder),
            log=_log("litellm"),
            seconds=_SECONDS_TO_START,
        )
        with programs.server(command) as running:
            yield Served(LITELLM, Target(LITELLM, port, key=_KEY), running)


@contextlib.contextmanager
def portkey(upstream: int) -> Iterator[Served]:
    """Run Portkey's gateway on Node."""
    port, package = programs.free_port(), PACKAGES[PORTKEY]
    entry = package.path / "node_modules" / "@portkey-ai" / "gateway" / "build" / "start-server.js"
    line = ["node", str(entry), f"--port={port}", "--headless"]
    headers = {"x-portkey-provider": "openai", "x-portkey-custom-host": f"http://127.0.0.1:{upstream}/v1"}
    with programs.server(programs.Command(line=line, port=port, ready="/", log=_log("portkey"))) as running:
        yield Served(PORTKEY, Target(PORTKEY, port, headers=headers), running)


@contextlib.contextmanager
def open_webui(upstream: int) -> Iterator[Served]:
    """Run Open WebUI for one person without a password, offline, without Ollama and without an embedding model.

    Its data folder is kept between starts, so that no start but the first pays for the migrations.
    """
    port, package = programs.free_port(), PACKAGES[OPEN_WEBUI]
    data = FOLDER / "open-webui-data"
    data.mkdir(parents=True, exist_ok=True)
    env = {
        "DATA_DIR": str(data),
        "WEBUI_AUTH": "False",
        "WEBUI_SECRET_KEY": _KEY,
        "ENABLE_PERSISTENT_CONFIG": "False",
        "OPENAI_API_BASE_URL": f"http://127.0.0.1:{upstream}/v1",
        "OPENAI_API_KEY": "benchmark",
        "ENABLE_OLLAMA_API": "False",
        "OFFLINE_MODE": "True",
        "HF_HUB_OFFLINE": "1",
        "RAG_EMBEDDING_ENGINE": "openai",
        "ENABLE_VERSION_UPDATE_CHECK": "False",
        "ANONYMIZED_TELEMETRY": "False",
        "DO_NOT_TRACK": "true",
        "SCARF_NO_ANALYTICS": "true",
    }
    line = [package.program("open-webui"), "serve", "--host", "127.0.0.1", "--port", str(port)]
    command = programs.Command(
        line=line, port=port, ready="/health", env=env, cwd=data, log=_log("open-webui"), seconds=_SECONDS_TO_START
    )
    with programs.server(command) as running:
        token = str(_asked(port, "/api/v1/auths/signin", {"email": "", "password": ""})["token"])
        # Else a window that says what is new covers the page.
        settings = {"ui": {"version": "0.12.4", "models": ["mock"]}}
        _asked(port, "/api/v1/users/user/settings/update", settings, token)
        _asked(port, "/api/models", None, token)
        target = Target(OPEN_WEBUI, port, key=token, path="/api/chat/completions")
        yield Served(OPEN_WEBUI, target, running)


def _asked(port: int, path: str, body: object, token: str = "") -> dict[str, object]:
    data = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json", "authorization": f"Bearer {token}"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, headers)
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - http alone
        read: dict[str, object] = json.load(answer)
        return read


@contextlib.contextmanager
def chainlit(upstream: int) -> Iterator[Served]:
    """Run the smallest application of Chainlit that streams from the upstream."""
    port, package = programs.free_port(), PACKAGES[CHAINLIT]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "app.py").write_text(_CHAINLIT_APP)
        line = [package.program("chainlit"), "run", "app.py", "--headless", "--host", "127.0.0.1", "--port", str(port)]
        env = {"OPENAI_BASE_URL": f"http://127.0.0.1:{upstream}/v1"}
        command = programs.Command(
            line=line, port=port, ready="/", env=env, cwd=Path(folder), log=_log("chainlit"), seconds=60
        )
        with programs.server(command) as running:
            yield Served(CHAINLIT, Target(CHAINLIT, port), running)


PEERS: Mapping[str, Contestant] = {
    LITELLM: Contestant(start=litellm, streams=10, held=50, is_peer=True),
    PORTKEY: Contestant(start=portkey, streams=10, held=50, is_peer=True),
    OPEN_WEBUI: Contestant(start=open_webui, streams=10, held=50, is_peer=True),
    CHAINLIT: Contestant(start=chainlit, is_peer=True, speaks_openai=False),
}


def install(absent: dict[str, str]) -> Mapping[str, Contestant]:
    """Install the peers; return those that are there, and write into `absent` why the others are not."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    absent.update(NOT_TO_BE_HAD)
    for name, package in PACKAGES.items():
        try:
            package.install()
        except (OSError, subprocess.SubprocessError) as problem:
            absent[name] = f"did not install: {_why(problem)}"
    return {name: contestant for name, contestant in PEERS.items() if name not in absent}


def _why(problem: Exception) -> str:
    output = getattr(problem, "stderr", None)
    return nameless(output.decode(errors="replace").strip().splitlines()[-1]) if output else reason(problem)
