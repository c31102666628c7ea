"""The frame of a request: its id, its host, and no connection where no data is touched."""

import re
from typing import Any

import pytest
from flask import Response
from flask.testing import FlaskClient

from app.database import Databases, db
from app.http.json import json_answer
from app.rcas import RCA
from tests.http.conftest import lent
from tests.problems import problem

MALFORMED_HOSTS = [
    "",
    " ",
    "a b",
    "a@evil.example",
    "a,b",
    "a/b",
    "a\\b",
    "a?b",
    "a#b",
    "<script>",
    "a.example:99999",
    "a.example:abc",
    "a.example:-1",
    "..",
    "ä.example",
    "[::1",
    "a\x00b",
    "x" * 300,
]
WITHOUT_DATA = {
    "live": ("GET", "/health/live", {}, 200),
    "the document": ("GET", "/openapi.json", {}, 200),
    "options": ("OPTIONS", "/api/v1/rcas", {}, 200),
    "a malformed host": ("GET", "/api/v1/rcas", {"headers": {"Host": "a,b"}}, 400),
    "an unknown path": ("GET", "/nope", {}, 404),
    "a malformed id": ("GET", "/api/v1/rcas/1", {}, 404),
    "a wrong method": ("DELETE", "/api/v1/rcas", {}, 405),
    "another type": ("POST", "/api/v1/rcas", {"data": "x"}, 415),
    "no JSON": ("POST", "/api/v1/rcas", {"data": "{", "content_type": "application/json"}, 400),
    "a missing field": ("POST", "/api/v1/rcas", {"json": {}}, 422),
    "an unknown parameter": ("GET", "/api/v1/rcas?sort=title", {}, 422),
    "the other API": ("GET", "/api/v1/tenants", {}, 403),
}


@pytest.mark.parametrize("given", ["a", "x" * 64, "A.b_c-9", "6f1c2a6e-7a52-4f0b-9a3c-0d3a9f8f4a11"])
def test_a_harmless_request_id_is_taken_and_echoed(client: FlaskClient, given: str) -> None:
    answer = client.get("/nope", headers={"X-Request-ID": given})
    assert answer.headers["X-Request-ID"] == given
    assert problem(answer, 404)["request_id"] == given


@pytest.mark.parametrize(
    "given",
    ["", "x" * 65, "a b", "a;b", "a/b", "é", "\u00b2", "<script>", "{{7*7}}", "${jndi:x}", "'--", "\t"],
)
def test_a_malformed_request_id_is_replaced_and_never_reflected(client: FlaskClient, given: str) -> None:
    answer = client.get("/nope", headers={"X-Request-ID": given})
    made = problem(answer, 404)["request_id"]
    assert re.fullmatch("[0-9a-f]{32}", made)
    assert not given.strip() or given not in f"{answer.headers}{answer.text}"


def test_two_requests_have_two_ids(client: FlaskClient) -> None:
    one, other = (client.get("/health/live").headers["X-Request-ID"] for _ in range(2))
    assert one != other


@pytest.mark.parametrize("host", MALFORMED_HOSTS)
def test_a_malformed_host_is_refused(client: FlaskClient, host: str) -> None:
    answer = client.get("/health/live", headers={"Host": host})
    assert problem(answer, 400)["code"] == "bad_request"


@pytest.mark.parametrize(
    "host", ["localhost", "A.example", "a.example.", "a.example:3001", "[::1]:80", "10.0.0.1"]
)
def test_any_well_formed_host_is_served(client: FlaskClient, host: str) -> None:
    assert client.get("/health/live", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "path", ["/docs", "/docs/", "//docs", "/api//v1/rcas", "/api/v1/rcas/", "/openapi.json"]
)
def test_no_answer_repeats_the_host(client: FlaskClient, headers: dict[str, str], path: str) -> None:
    forwarded = {"X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
    answer = client.get(path, headers=headers | forwarded | {"Host": "evil.example"})
    assert "evil" not in f"{answer.headers}{answer.text}"


@pytest.mark.parametrize(("method", "path", "body", "status"), WITHOUT_DATA.values(), ids=WITHOUT_DATA)
def test_a_request_without_data_takes_no_connection(
    client: FlaskClient,
    headers: dict[str, str],
    check_outs: list[object],
    method: str,
    path: str,
    body: dict[str, Any],
    status: int,
) -> None:
    options = body | {"headers": headers | body.get("headers", {})}
    assert client.open(path, method=method, **options).status_code == status
    assert check_outs == []


def test_a_request_without_a_token_takes_no_connection(client: FlaskClient, check_outs: list[object]) -> None:
    problem(client.get("/api/v1/rcas"), 401)
    assert check_outs == []


def test_a_request_with_data_takes_one_connection(
    client: FlaskClient, headers: dict[str, str], check_outs: list[object]
) -> None:
    client.post("/api/v1/rcas", json={"title": "Leak", "issue_description": "Drips."}, headers=headers)
    assert len(check_outs) == 1


def test_the_connection_goes_back(client: FlaskClient, headers: dict[str, str], databases: Databases) -> None:
    assert client.get("/api/v1/rcas", headers=headers).status_code == 200
    assert lent(databases) == 0


def test_it_goes_back_before_the_answer_is_made(
    client: FlaskClient, headers: dict[str, str], databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def looking(*args: Any) -> Response:
        seen.append(lent(databases))
        return json_answer(*args)

    monkeypatch.setattr("app.http.blueprints.json_answer", looking)
    client.post("/api/v1/rcas", json={"title": "a", "issue_description": "b"}, headers=headers)
    assert seen == [0]


def test_the_connection_goes_back_after_an_error(
    client: FlaskClient, headers: dict[str, str], databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_rca_id: object) -> None:
        list(RCA.select())
        assert lent(databases) == 1
        raise RuntimeError

    monkeypatch.setattr(RCA, "find", failing)
    path = "/api/v1/rcas/6f1c2a6e-7a52-4f0b-9a3c-0d3a9f8f4a11"
    problem(client.get(path, headers=headers), 500)
    assert lent(databases) == 0


def test_a_transaction_that_fails_after_its_statement_leaves_nothing(
    client: FlaskClient, headers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    create = RCA.create

    def failing(**values: Any) -> None:
        with db.atomic():
            create(**values)
            raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(RCA, "create", failing)
        answer = client.post("/api/v1/rcas", json={"title": "a", "issue_description": "b"}, headers=headers)
    problem(answer, 500)
    assert client.get("/api/v1/rcas", headers=headers).get_json()["items"] == []
