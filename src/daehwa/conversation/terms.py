"""Under which terms somebody asks: which models, told what beforehand, in which groups.

Groups grant: whoever is in several may ask what any of them names, and one that names no model grants every model.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

import msgspec

from daehwa.conversation.errors import ModelNotOffered
from daehwa.conversation.metering import GroupShare
from daehwa.conversation.ports import Model, ModelCatalogue, ResolvedModel


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """`models` are ids, bare names, aliases or patterns with `*`; None: every model, and () none at all.
    `instructions` are given to the model before what is asked; `groups` are those whose budgets count.
    """

    models: tuple[str, ...] | None = None
    instructions: str = ""
    groups: tuple[GroupShare, ...] = ()

    def with_own(self, instructions: str) -> "Terms":
        """Return these terms for somebody who has instructions of their own: a group's come first."""
        if not instructions:
            return self
        given = f"{self.instructions}\n\n{instructions}" if self.instructions else instructions
        return msgspec.structs.replace(self, instructions=given)

    def offers(self, model: Model, asked: str | None = None) -> bool:
        """Whether this model may be asked, by the name that was asked for or by its own."""
        return self.models is None or is_named(self.models, model, asked)


OPEN_TERMS = Terms()
"""Those of whoever is in no group: every model, and nothing beside."""


def offered(models: Iterable[Model], terms: Terms) -> tuple[Model, ...]:
    """Return those of these models that may be asked."""
    return tuple(model for model in models if terms.offers(model))


def default_offered(default: str | None, models: Sequence[Model], terms: Terms) -> str | None:
    """Return the model that answers where none is named: the default, or else the first of those that may be asked."""
    if terms.models is None or default in {model.id for model in models}:
        return default
    return next((model.id for model in models if model.state != "unavailable"), None)


async def offered_model(catalogue: ModelCatalogue, asked: str | None, terms: Terms) -> ResolvedModel:
    """Return the model that is asked for, or, where none is named and the default is not open to who asks, the first
    that is. Raise `ModelNotOffered`, and what `Catalogue.resolve` raises.
    """
    found = await catalogue.resolve(asked)
    if terms.offers(found.model, asked):
        return found
    if asked is None:
        for model in await catalogue.models():
            if terms.offers(model) and model.state != "unavailable":
                return await catalogue.resolve(model.id)
    raise ModelNotOffered("the default model" if asked is None else f"“{asked}”", terms.models or ())


def is_named(allowed: Sequence[str], model: Model, asked: str | None) -> bool:
    """Whether one of these names or patterns means this model: by id, bare name, or the alias that was asked."""
    matches = _pattern(tuple(allowed)).fullmatch
    return any(matches(name) for name in (model.id, model.name, model.id.partition("/")[2], asked or "") if name)


def unmatched(allowed: Sequence[str], models: Sequence[Model], aliases: Iterable[str]) -> tuple[str, ...]:
    """Return the names and patterns that mean none of these models and no alias."""
    known = {*aliases, *(name for each in models for name in (each.id, each.name, each.id.partition("/")[2]))}
    return tuple(name for name in allowed if not any(map(_pattern((name,)).fullmatch, known)))


@lru_cache(maxsize=1024)
def _pattern(allowed: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(_expression, allowed)) if allowed else r"(?!)", re.DOTALL)


def _expression(name: str) -> str:
    """Return a name whose stars stand for any text. What a star has taken is not tried again another way: a pattern
    of nothing but stars would take for ever.
    """
    first, *rest = map(re.escape, name.split("*"))
    if not rest:
        return first
    return "".join((first, *(f"(?>.*?{text})" for text in rest[:-1]), ".*", rest[-1]))
