"""`daehwa serve`: says what it does while it does it, serves the page, opens it, ends calmly."""

import asyncio
import gc
import os
import threading
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from daehwa import __version__
from daehwa.cli.fetch import offer_model
from daehwa.cli.terminal import FAULT, Refusal, say, tell
from daehwa.data_folder import DataFolder
from daehwa.settings import (
    ConfiguredProvider,
    ConfiguredSignIn,
    LoadedSettings,
    Settings,
    has_display,
    load_settings,
)
from daehwa.settings.classic import unused_classic
from daehwa.settings.surroundings import is_loopback

if TYPE_CHECKING:
    from daehwa.services.local import Unsaved

COLLECTED_AFTER = 5_000
"""So many young objects there may be before Python looks for cycles among them. Streams make none, but 200 of them are
looked at again and again with its own 700: that took 0.1 ms of each call's time, and takes 0.03.
"""


def run_server(flags: Mapping[str, object], config: Path | None) -> int:
    """Serve until SIGINT or SIGTERM; return the exit code: 1 where not everything could be saved."""
    gc.disable()  # until it listens: what a start makes stays, and looking through it for what does not takes 5 % of it
    loaded = load_settings(flags, config=config)
    settings = loaded.values
    refuse_unprotected(settings, has_sign_in=loaded.sign_in is not None or settings.accounts)
    say(f"daehwa {__version__}")
    os.umask(0o077)  # what is written from here on is the owner's alone
    folder = DataFolder(settings.data_dir)
    folder.prepare()
    folder.hold()
    try:
        if loaded.file is not None:
            say(f"  settings       {loaded.file}")
        say(f"  conversations  {folder.path}")
        if loaded.sign_in is not None:
            say(f"  sign-in        {loaded.sign_in.issuer}")
            if is_open_to_all(loaded.sign_in):
                say('  EVERYBODY      who has an account there may come in: allowed_emails is "*"')
        if settings.accounts:
            say("  accounts       people sign in by accounts of this server's own")
        if loaded.sign_in is None and not settings.accounts and not is_loopback(settings.host):
            say(f"  NO SIGN-IN     whoever reaches {settings.host} reads and writes everything here")
        if (
            unused := unused_classic(settings, has_sign_in=loaded.sign_in is not None or settings.accounts)
        ) is not None:
            say(f"  classic        {unused}")
        is_missing = offer_model(loaded)
        for provider in loaded.providers:
            if provider.settings.kind != "embedded" or not is_missing:
                say(f"  models         {_described(provider)}")
        unsaved = _run(_serve(loaded, folder))
    finally:
        folder.release()
    return _told_at_the_end(unsaved, folder.database)


def _told_at_the_end(unsaved: "Unsaved", database: Path) -> int:
    """Say what is saved; return the exit code."""
    if unsaved.is_misplaced or not database.exists():
        tell(f"Stopped. What was written last is NOT saved: '{database}' was taken away while the server ran.")
        return FAULT
    if unsaved.replies or unsaved.calls:
        tell(f"Stopped. NOT everything is saved: {_counted(unsaved)}. The lines above say why.")
        return FAULT
    say("Stopped. Everything is saved.")
    return 0


def _counted(unsaved: "Unsaved") -> str:
    """Say what was not saved."""
    replies, calls = unsaved.replies, unsaved.calls
    told = []
    if replies:
        told.append(f"{replies} answer{' has its end' if replies == 1 else 's have their ends'} not stored")
    if calls:
        told.append(f"{calls} call{' is' if calls == 1 else 's are'} not counted")
    return ", and ".join(told)


def _run(serving: Coroutine[Any, Any, "Unsaved"]) -> "Unsaved":
    from daehwa.services.loop import loop_factory  # noqa: PLC0415 - as below

    gc.set_threshold(COLLECTED_AFTER)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(serving)


async def _serve(loaded: LoadedSettings, folder: DataFolder) -> "Unsaved":
    from daehwa.services import local  # noqa: PLC0415 - the folder is ours and the settings are right before much is imported

    def listening(address: str) -> None:
        gc.freeze()  # nor does it later: a look through all that the start made stops every stream for 30 ms
        gc.enable()
        say(f"\n  Open {address}\n\nPress Ctrl-C to stop.\n")
        if loaded.values.open_browser and has_display():
            import webbrowser  # noqa: PLC0415 - for this alone

            # Some browsers hold this call until they end.
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()

    return await local.serve(loaded, folder, say=say, listening=listening)


def refuse_unprotected(settings: Settings, *, has_sign_in: bool) -> None:
    """Listen where others can reach it only with a word of consent. Raise `Refusal`."""
    if is_loopback(settings.host):
        return
    if has_sign_in and settings.public_url is None:
        raise Refusal(
            f"People sign in here, and on {settings.host} the address in their browsers is not known. Set it: "
            'public_url = "https://…" in daehwa.toml, or DAEHWA_PUBLIC_URL.'
        )
    if has_sign_in or settings.allow_unprotected:
        return
    raise Refusal(
        f"Nobody is asked to sign in, and on {settings.host} others could reach it: they would read every conversation "
        "and spend your keys. Leave --host out to listen on this machine alone; from another machine, an SSH tunnel "
        f"reaches it (ssh -L {settings.port}:127.0.0.1:{settings.port} this-machine). Or let people sign in: add "
        "--accounts, or [sign_in] in daehwa.toml for an identity provider. Where the network is yours alone, or a "
        "proxy in front asks who comes, add --allow-unprotected, and name the host under which the page is asked for "
        "in the setting allowed_hosts."
    )


def is_open_to_all(sign_in: ConfiguredSignIn) -> bool:
    """Whether everybody whom the provider knows may come in, although nobody says that it knows few: a pool of Cognito
    has those alone who were invited, where others have the whole world.
    """
    host = urlsplit(sign_in.issuer).hostname or ""
    is_cognito = host.startswith("cognito-idp.") and host.endswith(".amazonaws.com")
    return "*" in sign_in.allowed_emails and not is_cognito


def _described(provider: ConfiguredProvider) -> str:
    if provider.settings.kind == "embedded":
        model = provider.settings.gguf.name if provider.settings.gguf else "SmolLM2-135M, small, for trying out"
        return f"{provider.name}: {model}, on this machine"
    key = f"with the key from {provider.key_source}" if provider.key_source else "without a key"
    return f"{provider.name}: {provider.base_url}, {key}"
