"""The document says what there is, and the page that shows it asks nobody else."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient

# these are for machines that know their paths
UNDOCUMENTED = {
    "/docs",
    "/docs/",
    "/docs/{path}",
    "/health",
    "/health/live",
    "/health/ready",
    "/metrics",
    "/openapi.json",
}
METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
REQUIRED = {
    "": {"openapi", "info", "paths"},
    "info": {"title", "version"},
    "parameter": {"name", "in"},
    "operation": {"responses"},
    "response": {"description"},
}
_ARGUMENT = re.compile(r"<(?:\w+:)?(\w+)>")
_ADDRESS = re.compile(r"""(?:src|href|url)"?\s*[=:(]\s*["']?([^"')\s>]+)""")


@pytest.fixture(scope="module")
def document(app: Flask) -> dict[str, Any]:
    """What /openapi.json says."""
    answer = app.test_client().get("/openapi.json")
    assert answer.content_type == "application/json"
    found: dict[str, Any] = answer.get_json()
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each operation, named like `GET /api/v1/rcas`."""
    for path, item in document["paths"].items():
        for method in item.keys() & METHODS:
            yield f"{method.upper()} {path}", item[method]


def followed(document: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """A node, or the one it refers to. Raises KeyError when that is not there."""
    if "$ref" not in node:
        return node
    start, *parts = node["$ref"].split("/")
    assert start == "#"
    found = document
    for part in parts:
        found = found[part]
    return followed(document, found)


def references(node: Any) -> Iterator[dict[str, Any]]:
    """Everything below a node that refers to something."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node
        node = list(node.values())
    for item in node if isinstance(node, list) else []:
        yield from references(item)


def faults(document: dict[str, Any]) -> list[str]:
    """What makes a document no OpenAPI 3.0: its skeleton, not every leaf of it."""
    found = [f"no {name}" for name in REQUIRED[""] - document.keys()]
    document = {"paths": {}} | document
    found += [f"info: no {name}" for name in REQUIRED["info"] - document.get("info", {}).keys()]
    found += [] if str(document.get("openapi")).startswith("3.0.") else ["another version"]
    found += [f"{path}: no slash" for path in document["paths"] if not path.startswith("/")]
    for name, operation in operations(document):
        found += [f"{name}: no {key}" for key in REQUIRED["operation"] - operation.keys()]
        found += _faults_of_parameters(document, name, operation)
        for status, response in operation.get("responses", {}).items():
            found += (
                [] if re.fullmatch("default|[1-5][0-9X]{2}", status) else [f"{name}: the status {status}"]
            )
            missing = REQUIRED["response"] - followed(document, response).keys()
            found += [f"{name} {status}: no {key}" for key in missing]
    for node in references(document):
        try:
            followed(document, node)
        except KeyError:
            found.append(f"{node['$ref']} is not there")
    return found


def _faults_of_parameters(document: dict[str, Any], name: str, operation: dict[str, Any]) -> Iterator[str]:
    path = name.split(" ", 1)[1]
    shared = document["paths"][path].get("parameters", [])
    parameters = [followed(document, node) for node in [*shared, *operation.get("parameters", [])]]
    for parameter in parameters:
        yield from (f"{name}: a parameter has no {key}" for key in REQUIRED["parameter"] - parameter.keys())
    named = {parameter.get("name") for parameter in parameters if parameter.get("in") == "path"}
    yield from (
        f"{name}: {missing} is not explained" for missing in set(re.findall(r"{(\w+)}", path)) ^ named
    )


def test_the_document_is_openapi_3(document: dict[str, Any]) -> None:
    assert faults(document) == []


@pytest.mark.parametrize(
    ("broken", "fault"),
    [
        ({}, "no paths"),
        ({"openapi": "2.0", "info": {}, "paths": {}}, "info: no title"),
        ({"openapi": "3.0.3", "info": {}, "paths": {"a": {}}}, "a: no slash"),
        ({"paths": {"/a": {"get": {}}}}, "GET /a: no responses"),
        ({"paths": {"/a": {"get": {"responses": {"200": {}}}}}}, "GET /a 200: no description"),
        ({"paths": {"/{id}": {"get": {"responses": {}}}}}, "GET /{id}: id is not explained"),
        ({"paths": {}, "x": {"$ref": "#/components/A"}}, "#/components/A is not there"),
    ],
)
def test_a_document_that_is_not_is_found_out(broken: dict[str, Any], fault: str) -> None:
    assert fault in faults(broken)


def test_every_route_is_documented(app: Flask, document: dict[str, Any]) -> None:
    served = {
        method + " " + _ARGUMENT.sub(r"{\1}", rule.rule)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    described = {name for name, _ in operations(document)}
    assert {name for name in served - described if name.split(" ")[1] not in UNDOCUMENTED} == set()
    assert described <= served


def test_every_operation_has_a_sentence(document: dict[str, Any]) -> None:
    assert [name for name, operation in operations(document) if not operation["summary"].endswith(".")] == []


def test_every_operation_shows_the_problems_schema(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        content = followed(document, operation["responses"]["default"])["content"]
        assert list(content) == ["application/problem+json"], name
        assert content["application/problem+json"]["schema"] == {"$ref": "#/components/schemas/Problem"}


def test_an_answer_that_is_no_error_is_plain_json(document: dict[str, Any]) -> None:
    right = document["paths"]["/api/v1/rcas"]["get"]["responses"]["200"]
    assert list(right["content"]) == ["application/json"]


def test_the_problems_schema_names_what_is_sent(client: FlaskClient, document: dict[str, Any]) -> None:
    schema = document["components"]["schemas"]["Problem"]
    sent = client.get("/nope").get_json()
    assert sent.keys() == set(schema["required"])
    assert schema["properties"].keys() == sent.keys() | {"errors"}


def test_a_bearer_token_is_asked_for(document: dict[str, Any]) -> None:
    assert document["security"] == [{"bearer": []}]
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"


def addresses(text: str) -> set[str]:
    """Whatever a page or style sheet loads or links to."""
    return {found for found in _ADDRESS.findall(text) if not found.startswith(("data:", "#"))}


def test_the_page_loads_what_we_serve_and_nothing_else(client: FlaskClient) -> None:
    page = client.get("/docs", follow_redirects=True)
    assert page.status_code == 200
    found = addresses(page.text)
    assert {"/docs/swagger-ui-bundle.js", "/docs/swagger-ui.css", "/openapi.json"} <= found
    for address in found:
        parts = urlsplit(urljoin("http://localhost/docs/", address))
        assert (parts.scheme, parts.netloc) == ("http", "localhost"), address
        with client.get(parts.path) as answer:
            assert answer.status_code == 200, address


@pytest.mark.parametrize("sheet", ["/docs/swagger-ui.css", "/docs/index.css"])
def test_the_style_sheets_load_nothing_from_elsewhere(client: FlaskClient, sheet: str) -> None:
    with client.get(sheet) as answer:
        assert [address for address in addresses(answer.text) if "//" in address] == []
        assert "@import" not in answer.text


def test_the_page_asks_no_validator(client: FlaskClient) -> None:
    """Swagger UI would show a badge from validator.swagger.io, which so learns where this is."""
    assert '"validatorUrl": null' in client.get("/docs/").text
    with client.get("/docs/swagger-ui-bundle.js") as answer:
        assert "validator.swagger.io" in answer.text


def test_a_page_that_asks_somebody_else_is_found_out() -> None:
    """The planted fault of the two tests above."""
    assert addresses('<script src="https://cdn.example/a.js">') == {"https://cdn.example/a.js"}
    assert addresses("a { background: url(//cdn.example/b.png) }") == {"//cdn.example/b.png"}
