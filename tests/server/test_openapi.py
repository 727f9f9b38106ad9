"""The documents say what the server does: both are made from its route list and compared with it."""

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator, validate
from server.api_reference import DOCUMENT, operations, written
from server.serving import Site

from daehwa.conversation import errors
from daehwa.server.errors import STATUS, status_of


async def test_the_served_document_is_valid_and_lists_every_route(site: Site) -> None:
    status, document = await site.call("GET", "/api/openapi.json")
    assert (status, document["openapi"], document["info"]["version"]) == (200, "3.1.0", "0.0-test")
    validate(document, cls=OpenAPIV31SpecValidator)
    listed = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert listed == {(operation.method, operation.path) for operation in site.app.operations}
    assert (await site.call("GET", "/api/openapi.json"))[1] == document


async def test_every_listed_route_is_served(site: Site) -> None:
    some = "0199a3c0-0000-7000-8000-000000000001"
    for operation in site.app.operations:
        path = operation.path.replace("{conversation}", some).replace("{reply}", some).replace("{image}", some)
        if operation.text:
            async with site.client.get(path) as told:
                assert told.status == 200
                assert told.headers["content-type"].startswith(operation.text)
            continue
        status, answer = await site.call(operation.method, path, {} if operation.body is not None else None)
        type_ = answer["error"]["type"] if status >= 400 else ""
        assert type_ not in {"route_not_found", "method_not_allowed", "internal_error"}, path


async def test_every_reference_in_the_document_leads_somewhere(site: Site) -> None:
    _, document = await site.call("GET", "/api/openapi.json")
    schemas = document["components"]["schemas"]
    found: list[str] = []

    def walk(value: object) -> None:
        if isinstance(value, dict):
            if "$ref" in value:
                found.append(value["$ref"])
            for each in value.values():
                walk(each)
        elif isinstance(value, list):
            for each in value:
                walk(each)

    walk(document)
    assert {reference.rpartition("/")[2] for reference in found} <= set(schemas)
    assert {"Conversation", "Message", "TurnBody", "ErrorAnswer"} <= set(schemas)


def test_every_operation_has_a_name_of_its_own_and_a_sentence() -> None:
    table = operations()
    assert len({operation.name for operation in table}) == len(table)
    assert all((operation.handler.__doc__ or "").strip().partition("\n")[0].endswith(".") for operation in table)


def test_docs_api_md_is_up_to_date() -> None:
    text = DOCUMENT.read_text("utf-8")
    assert written(text) == text, "run: PYTHONPATH=tests python tests/server/api_reference.py"


def _kinds(kind: type[errors.DaehwaError]) -> list[type[errors.DaehwaError]]:
    return [kind, *(each for sub in kind.__subclasses__() for each in _kinds(sub))]


@pytest.mark.parametrize("kind", _kinds(errors.DaehwaError), ids=lambda kind: kind.__name__)
def test_every_error_has_a_status_and_a_type_of_its_own(kind: type[errors.DaehwaError]) -> None:
    assert status_of(kind) in STATUS.values()
    others = {other.type for other in _kinds(errors.DaehwaError) if other is not kind}
    assert kind.type not in others
