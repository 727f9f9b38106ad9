"""What the operations stand on, in one value. It names types and imports none of them: each row's module does."""

from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from daehwa.accounts.people_ports import GroupStore, PreferenceStore
    from daehwa.conversation.archive_ports import KeptConversations
    from daehwa.conversation.ports import ModelCatalogue
    from daehwa.conversation.running import RunningTurns
    from daehwa.server.access_log import Traffic
    from daehwa.server.books import Books
    from daehwa.server.entrances import Entrances
    from daehwa.server.identity import Identity
    from daehwa.server.options import ServerOptions
    from daehwa.server.programs import Programs


class Core(Protocol):
    """What the application stands on: conversations, the turns that run in them, and the models."""

    @property
    def store(self) -> "KeptConversations":
        """Where conversations are kept."""
        ...

    @property
    def running(self) -> "RunningTurns":
        """The turns."""
        ...

    @property
    def catalogue(self) -> "ModelCatalogue":
        """The models that can be asked."""
        ...


class Wiring(msgspec.Struct, frozen=True):
    """The core, and what is around it. `programs` speak here, where they may."""

    core: Core
    options: "ServerOptions"
    books: "Books"
    entrances: "Entrances"
    identity: "Identity"
    traffic: "Traffic"
    programs: "Programs | None" = None

    @property
    def groups(self) -> "GroupStore | None":
        """Where groups are kept; None where nobody signs in, and there are none."""
        people = self.entrances.people
        return people.groups if self.entrances.is_any and people is not None else None

    @property
    def preferences(self) -> "PreferenceStore | None":
        """Where it is kept what people have set for themselves; None where nothing is kept of people."""
        people = self.entrances.people
        return None if people is None else people.preferences
