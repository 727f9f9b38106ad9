"""The home on one machine as it is wired, with accounts, its file in a folder, and an upstream of ours behind it."""

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
from server.front_door import PUBLIC, Browser, Clock, FrontDoor
from server.serving import Frame, Site, asked, listening
from upstream import FakeUpstream

from daehwa.conversation.ids import now_ms
from daehwa.data_folder import DataFolder
from daehwa.server.app import create_app
from daehwa.server.options import ServerOptions
from daehwa.services.local import Services
from daehwa.settings import TelemetrySettings, load_settings

PRICES = "".join(f'[[prices]]\nmodel = "{model}"\ninput = 1.0\noutput = 1.0\n' for model in ("far/large", "far/small"))


class RealHome(NamedTuple):
    """The served home, its parts, and its upstream."""

    door: FrontDoor
    services: Services
    upstream: FakeUpstream

    async def turn(self, browser: Browser, text: str = "Hello", **more: Any) -> list[Frame]:
        """Ask in the page; return the stream."""
        return await self.door.site.turn({**asked(text), **more}, **self.headers(browser))

    async def refused_turn(self, browser: Browser, **more: Any) -> tuple[int, str]:
        """Ask in the page what is refused at once."""
        return await browser.refused("POST", "/api/turns", {**asked(), **more})

    def headers(self, browser: Browser) -> dict[str, str]:
        cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        return {"cookie": cookie, **browser.headers}

    async def key(self, browser: Browser) -> dict[str, str]:
        """Make a key; return what a program sends."""
        status, made = await browser.call("POST", "/api/keys", {"name": "Program"})
        assert status == 201, made
        return {"authorization": f"Bearer {made['secret']}"}

    async def ask(self, key: dict[str, str], model: str | None = "large", **more: Any) -> tuple[int, Any]:
        """Ask as a program does."""
        fields = {"messages": [{"role": "user", "content": "Hi"}], **({} if model is None else {"model": model})}
        client, body = self.door.site.client, {**fields, "stream": True, **more}
        async with client.post("/v1/chat/completions", json=body, headers=key) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text.startswith("{") else text

    async def id_of(self, browser: Browser) -> str:
        user: str = (await browser.call("GET", "/api/me"))[1]["user"]["id"]
        return user


@contextlib.asynccontextmanager
async def a_real_home(folder: Path, *, settings: str = "") -> AsyncIterator[RealHome]:
    """Run it; `settings` are added to its file."""
    async with FakeUpstream(models=("large", "small")) as upstream:
        config, data = folder / "daehwa.toml", folder / "data"
        provider = f'[[providers]]\nname = "far"\nbase_url = "{upstream.base_url}"\nmodels = ["large", "small"]\n'
        config.write_text(f'accounts = true\npublic_url = "{PUBLIC}"\ntitles = false\n{provider}{PRICES}{settings}')
        loaded = load_settings({"data_dir": data}, config=config, environment={"FAR_API_KEY": "sk-far"})
        held = DataFolder(data)
        held.prepare()
        services = await Services.open(loaded, held, runner="server")
        try:
            entrances, options = services.entrances(loaded, "http://127.0.0.1:8000"), ServerOptions(version="0")
            books = services.books(TelemetrySettings(), print)
            programs = services.programs(loaded.values, options, entrances)
            app = create_app(services, options=options, books=books, entrances=entrances, programs=programs)
            async with listening(app) as port, aiohttp.ClientSession(f"http://127.0.0.1:{port}") as client:
                assert entrances.local is not None
                site: Any = Site(services, app, port, client)  # type: ignore[arg-type] # what it has of a core is there
                door = FrontDoor(site, entrances.local, services.people, Clock(now_ms()), books)
                yield RealHome(door, services, upstream)
            await app.aclose()
        finally:
            await services.aclose()
