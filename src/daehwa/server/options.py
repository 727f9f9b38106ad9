"""What the server must know that is not a store, a provider or a turn."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from daehwa.accounts.people import User
from daehwa.conversation.images import QUESTION_IMAGE_BYTES, QUESTION_IMAGES
from daehwa.conversation.messages import MESSAGE_CHARACTERS, TITLE_CHARACTERS
from daehwa.conversation.room import Room

PAGE_FOLDER = Path(__file__).parent / "page"


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a request may hold at most; the page is told so. `turn_bytes` is for a turn, which brings images in base64;
    `images` and `image_bytes` are for a question, all of them together.
    """

    body_bytes: int = 10_000_000
    turn_bytes: int = 10_000_000
    images: int = QUESTION_IMAGES
    image_bytes: int = QUESTION_IMAGE_BYTES
    message_characters: int = MESSAGE_CHARACTERS
    title_characters: int = TITLE_CHARACTERS


class ServerOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How the server presents and protects itself.

    `user` is who everybody is where nobody signs in. `allowed_hosts` are names, without port, under which it may be
    reached beside the loopback names; `public_url` is the address that browsers know it by, with a proxy in between
    (where people sign in, sign-in says it). `trusted_proxies` are addresses and networks of proxies whose word about
    who asks is believed. `cors_origins`, in lower case, are other sites whose pages may ask for `/v1`. `body_seconds`
    is how long a request's body may take to arrive, and `room` is for the large ones.
    """

    version: str
    user: User = User(id="owner", role="admin")
    home: Literal["local", "aws"] = "local"
    allowed_hosts: tuple[str, ...] = ()
    public_url: str | None = None
    cors_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    limits: Limits = Limits()
    page: Annotated[Path, msgspec.Meta(description="the folder that Vite built")] = PAGE_FOLDER
    body_seconds: float = 120.0
    room: Room = msgspec.field(default_factory=Room)
