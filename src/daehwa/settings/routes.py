"""Aliases, as they are configured, in tables or texts: from one name to models at one or more upstreams."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Annotated, Any, TypeAlias

import msgspec

from daehwa.settings.source import SettingsFile, checked, meant
from daehwa.settings.values import ConfiguredRoute, SettingsError, described

ROUTES = "routes"
ROUTES_VARIABLE = "DAEHWA_ROUTES"
_Place: TypeAlias = Callable[[str], str]
_WEIGHED = r"(.+)=(\d{1,7}(?:\.\d{1,6})?)"


class TargetSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A target with its share."""

    model: Annotated[str, msgspec.Meta(min_length=1)]
    weight: Annotated[float, msgspec.Meta(ge=0, le=1_000_000)] = 1.0


_Name: TypeAlias = Annotated[str, msgspec.Meta(min_length=1)]


class RouteSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[routes]]` table: a name, and the models that answer for it."""

    name: Annotated[
        str,
        described(
            "a name without blanks and '/'", "The alias: a model of this name is offered.", pattern=r"^[^\s/,]{1,100}$"
        ),
    ]
    targets: Annotated[
        tuple[_Name | TargetSettings, ...],
        described(
            "a list of models' ids or names, or of { model = …, weight = … }",
            "Who answers, in this order, the next one where one cannot or has no place free. With weights, who is "
            "asked first is drawn by them, each time anew; weight 0 is asked only where no other can answer. "
            "What shows images is asked of those that see.",
            min_length=1,
        ),
    ]


def configured_routes(file: SettingsFile, env: Mapping[str, str]) -> tuple[ConfiguredRoute, ...]:
    """Return the aliases. Raise `SettingsError`."""
    found = list(_texts(env) if env.get(ROUTES_VARIABLE) else _tables(file))
    routes: list[ConfiguredRoute] = []
    for place, table in found:
        route = _route(place, table)
        if route.name in {other.name for other in routes}:
            raise SettingsError(f"{place('name')}: there are two routes named '{route.name}'. Rename one.")
        routes.append(route)
    names = {route.name for route in routes}
    for (place, _), route in zip(found, routes, strict=True):
        if to_route := next((model for model, _ in route.targets if model in names), None):
            raise SettingsError(
                f"{place('targets')}: the route {route.name} leads to '{to_route}', which is a "
                "route itself. Write the id of a model, such as openai/gpt-5-mini."
            )
    return tuple(routes)


def _tables(file: SettingsFile) -> Iterator[tuple[_Place, dict[str, Any]]]:
    tables = file.values.get(ROUTES, [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise SettingsError(f"{file.place(ROUTES)}: write each route as a table that begins with [[routes]].")
    for number, table in enumerate(tables):
        yield partial(_place_in, file, number), table


def _place_in(file: SettingsFile, number: int, key: str) -> str:
    return file.place(key, number, of=ROUTES) if key else file.table_place(number, of=ROUTES)


def _texts(env: Mapping[str, str]) -> Iterator[tuple[_Place, dict[str, Any]]]:
    """Read routes that are written in one line: the name, then models, each with `=weight` or without."""
    for text in env[ROUTES_VARIABLE].split(","):
        if text.strip():
            name, *targets = text.split()
            table = {"name": name, "targets": [_target(target) for target in targets]}
            yield lambda _: ROUTES_VARIABLE, table if targets else {"name": name}


def _target(text: str) -> str | dict[str, str | float]:
    found = re.fullmatch(_WEIGHED, text)
    return text if found is None else {"model": found[1], "weight": float(found[2])}


def _route(place: _Place, table: dict[str, Any]) -> ConfiguredRoute:
    fields = {field.name: field for field in msgspec.structs.fields(RouteSettings)}
    for key in table:
        if key not in fields:
            raise SettingsError(f"{place(key)}: a route has no setting '{key}'.{meant(key, list(fields))}")
    for key in fields:
        if key not in table:
            raise SettingsError(
                f"{place('')}: this route has no {key}. Write, for example, "
                'name = "fast" and targets = ["openai/gpt-5-mini", "work/qwen3-32b"]; in one line: '
                "fast openai/gpt-5-mini work/qwen3-32b."
            )
    _check_targets(table["targets"], place("targets"))
    values = {key: checked(fields[key], value, place(key)) for key, value in table.items()}
    route = RouteSettings(**values)
    weighs = any(isinstance(target, TargetSettings) for target in route.targets)
    targets = tuple(
        (target.model, target.weight) if isinstance(target, TargetSettings) else (target, 1.0 if weighs else None)
        for target in route.targets
    )
    return ConfiguredRoute(name=route.name, targets=targets)


def _check_targets(targets: object, place: str) -> None:
    known = list(TargetSettings.__struct_fields__)
    for target in targets if isinstance(targets, list) else ():
        for key in target if isinstance(target, dict) else ():
            if key not in known:
                raise SettingsError(f"{place}: a target has no setting '{key}'.{meant(key, known)}")
