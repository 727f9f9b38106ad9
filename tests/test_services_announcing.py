"""The announcement as the terminal makes it, in both homes."""

from pathlib import Path

import pytest
from server.front_door import people_in

from daehwa.conversation.ids import now_ms
from daehwa.services.announcing import Announcement, Announcing


@pytest.mark.parametrize("kind", ["sqlite", "dynamodb"])
async def test_what_is_announced_is_kept_until_it_is_over(kind: str, tmp_path: Path) -> None:
    async with people_in(kind, tmp_path) as people:
        announcing = Announcing(people)
        assert (await announcing.reaches_anybody(), await announcing.current()) == (False, None)
        told = await announcing.announce(Announcement(en="On  Friday", until=now_ms() + 60_000))
        assert told is not None
        assert told.en == "On Friday"
        assert await announcing.current() == told
        assert await announcing.announce(None) is None
        assert await announcing.current() is None
        assert [event.details.get("announcement") for event in await people.audit.page()] == [False, "On Friday"]
