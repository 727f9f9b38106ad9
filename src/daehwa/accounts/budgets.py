"""Which budgets there are and whom each one is for: frozen values made of the settings, pure."""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from daehwa.accounts.people import User
from daehwa.accounts.ports import Budget
from daehwa.accounts.spending import period_at
from daehwa.conversation.budget import BudgetKind
from daehwa.conversation.metering import GroupShare, PaidCall

ALL, EACH_USER, EACH_KEY = "all", "user", "key"
_USER, _GROUP = "user:", "group:"
_MOST_KNOWN = 1000


class BudgetRule(msgspec.Struct, frozen=True, kw_only=True):
    """A limit in micro-dollars. `scope`: "all"; "user" or "key", each one's own; "user:…" with an id or an e-mail
    address, in place of what "user" says of the same kind of period; "group:…", all its people together.
    """

    scope: str
    kind: BudgetKind
    limit: int


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """People who share a budget. `members` are e-mail addresses and @domains, in lower case."""

    name: str
    members: tuple[str, ...]

    def has(self, email: str | None) -> bool:
        """Return whether somebody with this address is in it."""
        if not email:
            return False
        address = email.lower()
        return address in self.members or address[address.rfind("@") :] in self.members


class BudgetRules(msgspec.Struct, frozen=True, kw_only=True):
    """Every budget and every group that the settings name."""

    budgets: tuple[BudgetRule, ...] = ()
    groups: tuple[Group, ...] = ()

    @property
    def asks_for_people(self) -> bool:
        """Whether it must be known who somebody is, beside their id."""
        return bool(self.groups) or any(rule.scope.startswith(_USER) for rule in self.budgets)

    @property
    def of_each_key(self) -> dict[BudgetKind, int]:
        """What each key may spend beside its own limits, the lowest where a kind of period is named twice."""
        rules = sorted((rule for rule in self.budgets if rule.scope == EACH_KEY), key=lambda rule: -rule.limit)
        return {rule.kind: rule.limit for rule in rules}

    def groups_of(self, email: str | None) -> tuple[str, ...]:
        """Return the names of the groups of somebody with this address."""
        return tuple([group.name for group in self.groups if group.has(email)])

    def budgets_of(
        self, user: str, email: str | None, *, now: int, shares: Sequence[GroupShare] = ()
    ) -> tuple[Budget, ...]:
        """Return the budgets that count for whatever this person asks now, with a key or without. `shares` are their
        groups that were made on the page, each under its id.
        """
        groups = {_GROUP + name for name in self.groups_of(email)}
        own = tuple(self._own(user, email))
        shared = tuple((rule.scope, rule) for rule in self.budgets if rule.scope == ALL or rule.scope in groups)
        limits = [(_GROUP + share.id, kind, limit) for share in shares for kind, limit in share.limits.items()]
        limits += [(scope, rule.kind, rule.limit) for scope, rule in shared]
        return (
            *(_budget(scope, rule.kind, rule.limit, now) for scope, rule in own),
            *(_budget(scope, kind, limit, now) for scope, kind, limit in limits),
        )

    def budgets_for(self, call: PaidCall, email: str | None, *, now: int) -> tuple[Budget, ...]:
        """Return the budgets that count for a call now, the narrowest first: it is the one to be named."""
        limits = [(rule.kind, rule.limit) for rule in self.budgets if rule.scope == EACH_KEY]
        limits += call.key_limits.items()
        of_key = () if call.key is None else tuple(_budget(f"key:{call.key}", *limit, now) for limit in limits)
        return (*of_key, *self.budgets_of(call.user, email, now=now, shares=call.groups))

    def _own(self, user: str, email: str | None) -> Iterator[tuple[str, BudgetRule]]:
        names = {_USER + user.lower()} | ({_USER + email.lower()} if email else set())
        own = [rule for rule in self.budgets if rule.scope.lower() in names]
        kinds = {rule.kind for rule in own}
        general = [rule for rule in self.budgets if rule.scope == EACH_USER and rule.kind not in kinds]
        return ((_USER + user, rule) for rule in _in_order((*own, *general)))


class KnownBudgets:
    """Remembers which budgets the rules name for somebody: they are the same ones for each call of a day."""

    def __init__(self, rules: BudgetRules) -> None:
        self._rules = rules
        self._known: dict[tuple[object, ...], tuple[Budget, ...]] = {}

    def budgets_for(self, call: PaidCall, email: str | None, *, now: int) -> tuple[Budget, ...]:
        """Return what the rules' own method of this name does."""
        shares = tuple([(share.id, *share.limits.items()) for share in call.groups])
        asked = (call.user, email, call.key, *call.key_limits.items(), shares, period_at("day", now))
        found = self._known.get(asked)
        if found is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            found = self._known[asked] = self._rules.budgets_for(call, email, now=now)
        return found


def _in_order(rules: Iterable[BudgetRule]) -> list[BudgetRule]:
    kinds: tuple[BudgetKind, ...] = ("day", "month", "total")
    return sorted(rules, key=lambda rule: kinds.index(rule.kind))


def _budget(scope: str, kind: BudgetKind, limit: int, now: int) -> Budget:
    return Budget(scope=scope, period=period_at(kind, now), limit=limit)


class BudgetState(msgspec.Struct, frozen=True, kw_only=True):
    """A budget as the page shows it: micro-dollars, and when it renews (ms since 1970; None: never). `name` is what a
    group is called that was made on the page; its scope has its id.
    """

    scope: str
    period: str
    kind: BudgetKind
    limit: int
    spent: int
    renews: int | None
    name: str | None = None


def of_person(user: User, states: Iterable[BudgetState]) -> tuple[BudgetState, ...]:
    """Return the states that this person may see: what everybody spends together is an admin's business."""
    return tuple(state for state in states if state.scope != ALL or user.role == "admin")
