"""/api/v1/rcas: what a tenant may do with its own analyses, and that another's are not there."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from psycopg2.extensions import connection as Connection
from werkzeug.test import TestResponse

from app.tenants import Tenant
from tests.factories import bearer, make_rca
from tests.problems import problem, without_id

PATH = "/api/v1/rcas"
NEW = {"title": "Pump leaks", "issue_description": "It leaks."}
WRONG = {
    "no title": ({"issue_description": "a"}, "title"),
    "an empty title": (NEW | {"title": ""}, "title"),
    "a long title": (NEW | {"title": "x" * 256}, "title"),
    "a number as title": (NEW | {"title": 7}, "title"),
    "null as title": (NEW | {"title": None}, "title"),
    "no description": ({"title": "a"}, "issue_description"),
    "a list as description": (NEW | {"issue_description": ["a"]}, "issue_description"),
    "a long description": (NEW | {"issue_description": "x" * 100_001}, "issue_description"),
    "an empty equipment type": (NEW | {"equipment_type": ""}, "equipment_type"),
    "a long equipment type": (NEW | {"equipment_type": "x" * 101}, "equipment_type"),
    "an unknown status": (NEW | {"status": "lost"}, "status"),
    "null as status": (NEW | {"status": None}, "status"),
    "a tenant": (NEW | {"tenant_id": str(uuid4())}, "tenant_id"),
    "an id": (NEW | {"id": str(uuid4())}, "id"),
    "an instant": (NEW | {"created_at": "2026-01-01T00:00:00Z"}, "created_at"),
    "a deletion": (NEW | {"deleted_at": None}, "deleted_at"),
    "an unknown field": (NEW | {"priority": 1}, "priority"),
}

Call = Callable[..., TestResponse]


@pytest.fixture
def call(app: Flask, client: FlaskClient, acme: Tenant) -> Call:
    """A request of acme's, or of another tenant's."""

    def send(method: str, path: str = "", *, tenant: Tenant = acme, **options: Any) -> TestResponse:
        return client.open(PATH + path, method=method, headers=bearer(app, tenant), **options)

    return send


def titles(answer: TestResponse) -> list[str]:
    return [item["title"] for item in answer.get_json()["items"]]


def test_a_problem_is_recorded(call: Call) -> None:
    answer = call("POST", json=NEW)
    assert answer.status_code == 201
    made = answer.get_json()
    assert made.keys() == {*NEW, "id", "equipment_type", "status", "created_at", "updated_at"}
    assert (made["title"], made["status"], made["equipment_type"]) == ("Pump leaks", "open", None)
    assert call("GET", f"/{made['id']}").get_json() == made


def test_instants_are_in_utc(call: Call) -> None:
    made = call("POST", json=NEW).get_json()
    assert made["created_at"] == made["updated_at"]
    assert made["created_at"].endswith("+00:00")


@pytest.mark.parametrize(
    "title", ["Ölpumpe", "💧", "a" * 255, "'; DROP TABLE rcas --", "%s", "<b>", "\\", "\ufeffa"]
)
def test_any_text_is_kept_as_it_came(call: Call, title: str) -> None:
    made = call("POST", json=NEW | {"title": title}).get_json()
    assert made["title"] == title
    assert titles(call("GET")) == [title]


@pytest.mark.parametrize(("body", "field"), WRONG.values(), ids=WRONG)
def test_a_wrong_field_is_named(call: Call, body: dict[str, Any], field: str) -> None:
    assert list(problem(call("POST", json=body), 422)["errors"]) == [field]
    assert titles(call("GET")) == []


@pytest.mark.parametrize(
    "name", ["an empty title", "null as title", "a long title", "an unknown status", "a tenant"]
)
def test_a_change_is_held_to_the_same_rules(call: Call, acme: Tenant, name: str) -> None:
    body, field = WRONG[name]
    row = make_rca(acme)
    assert list(problem(call("PATCH", f"/{row.id}", json=body), 422)["errors"]) == [field]
    assert titles(call("GET")) == ["Pump leaks"]


def test_a_change_touches_what_it_names(call: Call, acme: Tenant) -> None:
    row = make_rca(acme, equipment_type="pump")
    before = call("GET", f"/{row.id}").get_json()
    after = call("PATCH", f"/{row.id}", json={"status": "resolved"}).get_json()
    assert {name for name in before if before[name] != after[name]} == {"status", "updated_at"}
    assert after["updated_at"] > before["updated_at"]


def test_a_value_can_be_taken_back(call: Call, acme: Tenant) -> None:
    row = make_rca(acme, equipment_type="pump")
    assert call("PATCH", f"/{row.id}", json={"equipment_type": None}).get_json()["equipment_type"] is None


def test_a_change_of_nothing_changes_nothing(call: Call, acme: Tenant) -> None:
    row = make_rca(acme)
    before = call("GET", f"/{row.id}").get_json()
    assert call("PATCH", f"/{row.id}", json={}).get_json() == before


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["c", "b", "a"]),
        ({"status": "closed"}, ["c", "b"]),
        ({"equipment_type": "pump"}, ["b", "a"]),
        ({"status": "closed", "equipment_type": "pump"}, ["b"]),
        ({"status": "resolved"}, []),
        ({"equipment_type": "%"}, []),
        ({"equipment_type": "' OR '1'='1"}, []),
    ],
)
def test_a_list_is_filtered(call: Call, acme: Tenant, query: dict[str, str], found: list[str]) -> None:
    make_rca(acme, "a", equipment_type="pump")
    make_rca(acme, "b", equipment_type="pump", status="closed")
    make_rca(acme, "c", equipment_type="belt", status="closed")
    assert titles(call("GET", query_string=query)) == found


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=lost", "status"),
        ("equipment_type=", "equipment_type"),
        ("tenant_id=1", "tenant_id"),
        ("q=1", "q"),
    ],
)
def test_a_wrong_filter_is_named(call: Call, query: str, field: str) -> None:
    assert list(problem(call("GET", f"?{query}"), 422)["errors"]) == [field]


def test_a_filter_goes_on_over_the_pages(call: Call, acme: Tenant) -> None:
    for number in range(4):
        make_rca(acme, str(number), status="closed" if number % 2 else "open")
    query = {"status": "closed", "limit": 1}
    first = call("GET", query_string=query)
    second = call("GET", query_string=query | {"cursor": first.get_json()["next_cursor"]})
    assert titles(first) + titles(second) == ["3", "1"]
    assert second.get_json()["next_cursor"] is None


def test_a_deleted_analysis_is_gone(call: Call, acme: Tenant) -> None:
    row = make_rca(acme)
    answer = call("DELETE", f"/{row.id}")
    assert (answer.status_code, answer.data) == (204, b"")
    assert titles(call("GET")) == []
    for method in ("GET", "PATCH", "DELETE"):
        problem(call(method, f"/{row.id}", json={} if method == "PATCH" else None), 404)


def test_a_deleted_analysis_is_marked_and_not_removed(call: Call, acme: Tenant, admin: Connection) -> None:
    call("DELETE", f"/{make_rca(acme).id}")
    with admin.cursor() as cursor:
        cursor.execute("SELECT title, deleted_at IS NOT NULL FROM rcas")
        assert cursor.fetchall() == [("Pump leaks", True)]


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_anothers_analysis_answers_as_an_absent_one(
    call: Call, acme: Tenant, globex: Tenant, method: str
) -> None:
    theirs = make_rca(globex)
    body = {"title": "stolen"} if method == "PATCH" else None
    answers = [call(method, f"/{some_id}", json=body) for some_id in (theirs.id, uuid4())]
    assert [problem(answer, 404)["code"] for answer in answers] == ["not_found"] * 2
    assert without_id(answers[0]) == without_id(answers[1])
    assert len({str(sorted(answer.headers.keys())) for answer in answers}) == 1
    assert titles(call("GET", tenant=globex)) == ["Pump leaks"]


def test_its_owner_does_see_it(call: Call, globex: Tenant) -> None:
    """The positive control of the test above."""
    theirs = make_rca(globex)
    assert call("GET", f"/{theirs.id}", tenant=globex).status_code == 200
    assert call("PATCH", f"/{theirs.id}", tenant=globex, json={"title": "ours"}).status_code == 200
    assert call("DELETE", f"/{theirs.id}", tenant=globex).status_code == 204


def test_a_list_shows_ones_own(call: Call, acme: Tenant, globex: Tenant) -> None:
    make_rca(acme, "ours")
    make_rca(globex, "theirs")
    assert titles(call("GET")) == ["ours"]
    assert titles(call("GET", tenant=globex)) == ["theirs"]


@pytest.mark.parametrize(
    "some_id", ["1", "null", "6f1c2a6e", "6f1c2a6e7a524f0b9a3c0d3a9f8f4a11", "%00", "'", "x" * 36]
)
def test_a_malformed_id_is_not_found(call: Call, some_id: str) -> None:
    problem(call("GET", f"/{some_id}"), 404)
