"""What there is to know about an upstream before it is asked anything: address, key, models, patience."""

from collections.abc import Iterable, Mapping
from typing import Protocol

import msgspec

from daehwa.conversation.searching import always_searches, asks_to_search


class ServedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model that the settings name: `name` at the upstream, `label` for people, its context window in tokens."""

    name: str
    label: str | None = None
    context_window: int | None = None


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How long to wait, in seconds, and how often to try.

    `first_byte` is generous because a reasoning model may think for minutes before it says a word. `retry_for` bounds
    the time after which no further try begins; a longer Retry-After than `retry_wait` is reported, not waited for.
    """

    connect: float = 10.0
    first_byte: float = 300.0
    idle: float = 90.0
    listing: float = 10.0
    tries: int = 3
    retry_base: float = 0.5
    retry_wait: float = 4.0
    retry_for: float = 15.0


class LateKey(Protocol):
    """A key that is read when it is needed, and that may be set or changed while the program runs."""

    async def read(self) -> str:
        """Return the key. Raise `KeyNotSet` where there is none yet, or another `ProviderError`."""
        ...

    def forget(self) -> None:
        """Read it anew at the next need: the upstream does not accept it."""
        ...


class Upstream(msgspec.Struct, frozen=True, kw_only=True):
    """A server that speaks the OpenAI wire protocol, and how this home knows it.

    `models` empty: what the upstream lists is offered. `completion_models` go on with a prompt, beside
    those that are known to. `context_window` is that of its models, unless one has
    its own. `key`, or what `late_key` reads, goes into `Authorization: Bearer`, unless `headers` has an
    Authorization of its own. `ca_file`: further certificate authorities to trust. `extra_body` is added to every
    request. `keep_alive` False for servers that close connections without saying so. `max_concurrent`: so many calls
    at a time, None: any number.
    """

    name: str
    base_url: str
    key: str | None = None
    late_key: LateKey | None = None
    headers: Mapping[str, str] = {}
    models: tuple[ServedModel, ...] = ()
    completion_models: tuple[str, ...] = ()
    context_window: int | None = None
    ca_file: str | None = None
    extra_body: Mapping[str, object] = {}
    patience: Patience = Patience()
    continues_replies: bool = False
    titles: bool = True
    keep_alive: bool = True
    use_proxy: bool = True
    max_concurrent: int | None = None

    def __repr__(self) -> str:
        """Show which upstream it is, never its key or headers."""
        return f"Upstream(name={self.name!r}, base_url={self.base_url!r})"

    def url(self, path: str) -> str:
        """Return the address of `path`; a query in the base URL (Azure's api-version) is kept."""
        base, mark, query = self.base_url.partition("?")
        return f"{base.rstrip('/')}/{path}{mark}{query}"

    def output_limit(self, names: Iterable[str]) -> int | None:
        """Return the limit of an answer that `extra_body` holds by these names, the largest where it holds several."""
        found = [self.extra_body[name] for name in names if name in self.extra_body]
        return max((limit for limit in found if isinstance(limit, int) and limit > 0), default=None)

    def searches(self, model: str) -> bool:
        """Return whether a model reads what it finds: by its name, or since `extra_body` asks it to."""
        extra = self.extra_body
        return always_searches(model) or (bool(extra) and (bool(extra.get("tools")) or asks_to_search(extra)))

    @property
    def shown_url(self) -> str:
        """The base URL without a name, a password or a query in it, which may be secret."""
        scheme, _, rest = self.base_url.partition("?")[0].partition("://")
        place, slash, path = rest.partition("/")
        return f"{scheme}://{place.rpartition('@')[2]}{slash}{path}"

    @property
    def host(self) -> str:
        """The host and port, for people."""
        return self.base_url.partition("://")[2].partition("/")[0].rpartition("@")[2] or self.base_url
