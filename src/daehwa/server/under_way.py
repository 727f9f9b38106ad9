"""What this process does for people, so that it can be ended with their right to it."""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from daehwa.conversation.running import RunningTurns
    from daehwa.server.programs import Programs


class UnderWay(NamedTuple):
    """The turns of the page, and the calls of programs, where there may be any."""

    turns: "RunningTurns"
    programs: "Programs | None"

    async def stop(self, user: str) -> None:
        """End all that is under way for somebody who may not come in any more, counted as far as it came. Their replies
        keep what is there, and are stored when this returns.
        """
        if self.programs is not None:
            self.programs.end_calls_of(user)
        await self.turns.stop_of(user)

    async def forget(self, user: str) -> None:
        """Do so for somebody who is being deleted: what comes late would be left of them."""
        await self.stop(user)
