"""What the server must know that is not a store, a provider or a turn."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from daehwa.conversation.messages import MESSAGE_CHARACTERS, TITLE_CHARACTERS

PAGE_FOLDER = Path(__file__).parent / "page"


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a request may hold at most; the page is told so."""

    body_bytes: int = 10_000_000
    message_characters: int = MESSAGE_CHARACTERS
    title_characters: int = TITLE_CHARACTERS


class User(msgspec.Struct, frozen=True, kw_only=True):
    """Who is asking. Without accounts, everybody who reaches the server is its owner."""

    id: str = "owner"
    name: str = ""


class ServerOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How the server presents and protects itself.

    `allowed_hosts` are names, without port, under which it may be reached beside the loopback names.
    `body_seconds` is how long a request's body may take to arrive.
    """

    version: str
    user: User = User()
    home: Literal["local", "aws"] = "local"
    allowed_hosts: tuple[str, ...] = ()
    limits: Limits = Limits()
    page: Annotated[Path, msgspec.Meta(description="the folder that Vite built")] = PAGE_FOLDER
    body_seconds: float = 120.0
