"""A stretch of a conversation: the end of the path that is shown, with what stands beside it. Pure.

How this works and why. A reader of a long conversation looks at its end. What is brought of it is the last messages of
one path, and all their siblings, so that other versions can be chosen. A store says of single
messages where they are in the tree; the rules of which are taken are here.
"""

from collections.abc import Iterable, Iterator
from typing import Protocol

import msgspec

from daehwa.conversation.errors import MessageNotFound
from daehwa.conversation.messages import Conversation, Message, Role, Usage


class StretchWish(msgspec.Struct, frozen=True, kw_only=True):
    """Which messages are wanted: at least `limit`, and as many more that they begin with a question.

    They are at the end of the path that goes through `message` (where there is none such, through the conversation's
    leaf) and on to the newest below it; if that message is further up, they begin with it. With `before` they are of
    the path that leads to this message, without itself. `total`: what all replies took is wanted too, for which each
    is looked at.
    """

    limit: int
    message: str | None = None
    before: str | None = None
    total: bool = False


class UsageTotal(msgspec.Struct, frozen=True, kw_only=True):
    """What replies took: how many were counted, their tokens, their cost in micro-dollars as far as prices are known,
    how many have no known price (`unpriced`), and how many the upstream did not count (`estimated`).
    """

    calls: int
    input: int
    cached: int
    output: int
    reasoning: int
    cost: int
    unpriced: int
    estimated: int


class Stretch(msgspec.Struct, frozen=True):
    """A conversation and messages of it, parents before children; whether they are all (`whole`), and what all replies
    in it took, where that is wished or known in any case.
    """

    conversation: Conversation
    messages: tuple[Message, ...]
    whole: bool
    total: UsageTotal | None


class Node(msgspec.Struct, frozen=True):
    """Where a message is in the tree."""

    id: str
    parent: str | None
    role: Role
    created: int


class Tree(Protocol):
    """A conversation's tree, of which single messages are looked up."""

    def node(self, message: str) -> Node | None:
        """Return a message of the conversation, None where it has none such."""
        ...

    def newest_child(self, message: str | None) -> Node | None:
        """Return the newest message below this one, of the same moment the one of the larger id; None where there is
        none. Below None are those at the beginning.
        """
        ...


def path_of(tree: Tree, leaf: str | None, wish: StretchWish) -> list[Node]:
    """Return the part of a path that is wanted, newest first. Raise `MessageNotFound` where `before` is not there."""
    if wish.before is not None:
        next_one = tree.node(wish.before)
        if next_one is None:
            raise MessageNotFound("before")
        return _end_of(_upwards(tree, next_one.parent), wish.limit, None)
    through = None if wish.message is None else tree.node(wish.message)
    at = through or (None if leaf is None else tree.node(leaf))
    while (child := tree.newest_child(None if at is None else at.id)) is not None:
        at = child
    return _end_of(_upwards(tree, None if at is None else at.id), wish.limit, through)


def _upwards(tree: Tree, message: str | None) -> Iterator[Node]:
    while message is not None and (node := tree.node(message)) is not None:
        yield node
        message = node.parent


def _end_of(newest_first: Iterable[Node], limit: int, through: Node | None) -> list[Node]:
    taken: list[Node] = []
    is_through = through is None
    for node in newest_first:
        taken.append(node)
        is_through = is_through or node == through
        if is_through and len(taken) >= limit and node.role != "assistant":
            break
    return taken


class KnownTree:
    """A `Tree` all of whose messages are at hand."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self._nodes: dict[str, Node] = {}
        self._newest: dict[str | None, Node] = {}
        for node in nodes:
            self._nodes[node.id] = node
            there = self._newest.get(node.parent)
            if there is None or (node.created, node.id) > (there.created, there.id):
                self._newest[node.parent] = node

    def __len__(self) -> int:
        """Return how many messages there are."""
        return len(self._nodes)

    def node(self, message: str) -> Node | None:
        """Return a message."""
        return self._nodes.get(message)

    def newest_child(self, message: str | None) -> Node | None:
        """Return the newest message below this one."""
        return self._newest.get(message)

    def with_siblings(self, path: Iterable[Node]) -> frozenset[str]:
        """Return the ids of messages and of all that stand beside them."""
        parents = {node.parent for node in path}
        return frozenset(node.id for node in self._nodes.values() if node.parent in parents)


def total_of(usages: Iterable[Usage | None]) -> UsageTotal:
    """Return what replies took; those that nothing was counted of are no calls."""
    counted = [usage for usage in usages if usage is not None and usage.input + usage.output > 0]
    return UsageTotal(
        calls=len(counted),
        input=sum(usage.input for usage in counted),
        cached=sum(usage.cached for usage in counted),
        output=sum(usage.output for usage in counted),
        reasoning=sum(usage.reasoning for usage in counted),
        cost=sum(usage.cost or 0 for usage in counted),
        unpriced=sum(usage.cost is None for usage in counted),
        estimated=sum(usage.estimated for usage in counted),
    )
