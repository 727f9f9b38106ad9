"""A turn that is expected: who prepares for it, and who need not."""

import pytest
from cores import OneProviderCatalogue, Preparing

from daehwa.conversation.expecting import expect_turn
from daehwa.conversation.terms import OPEN_TERMS, Terms
from daehwa.providers.embedded import EmbeddedProvider
from daehwa.providers.scripted import ScriptedProvider


@pytest.mark.parametrize(
    ("asked", "terms", "times"),
    [
        (None, OPEN_TERMS, 1),
        ("parrot", OPEN_TERMS, 1),
        ("parrot", Terms(models=("parrot",)), 1),
        ("nobody/knows", OPEN_TERMS, 0),
        ("parrot", Terms(models=("other",)), 0),
        (None, Terms(models=()), 0),
    ],
)
async def test_who_answers_prepares_where_it_may_be_asked(asked: str | None, terms: Terms, times: int) -> None:
    provider = Preparing()
    await expect_turn(OneProviderCatalogue(provider), asked, terms)
    assert provider.prepared == times


async def test_models_on_this_machine_have_nothing_to_prepare() -> None:
    await expect_turn(OneProviderCatalogue(ScriptedProvider()), None, OPEN_TERMS)
    assert not hasattr(ScriptedProvider, "prepare")
    assert not hasattr(EmbeddedProvider, "prepare")
