import time
import uuid

import pytest

from daehwa.conversation.errors import InvalidId
from daehwa.conversation.ids import checked_id, new_id


def test_ids_are_version_7_and_carry_the_time() -> None:
    before = time.time_ns() // 1_000_000
    made = uuid.UUID(new_id())
    assert made.version == 7
    assert made.variant == uuid.RFC_4122
    assert before <= made.int >> 80 <= time.time_ns() // 1_000_000


def test_ids_differ() -> None:
    assert len({new_id() for _ in range(1000)}) == 1000


@pytest.mark.parametrize("text", ["", "x", str(uuid.uuid4()), new_id().upper(), new_id() + " ", "../../etc/passwd"])
def test_anything_else_is_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidId, match="'reply' must be a UUID version 7") as raised:
        checked_id(text, "reply")
    assert raised.value.param == "reply"


def test_a_good_id_comes_back() -> None:
    made = new_id()
    assert checked_id(made, "reply") == made
