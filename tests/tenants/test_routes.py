"""/api/v1/tenants: what the platform's operators may do with the registry."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.tenants import Tenant
from tests.factories import bearer, make_tenant
from tests.problems import problem

PATH = "/api/v1/tenants"
NEW = {"name": "Initech", "subdomain": "initech"}
SUBDOMAINS = ["", "-a", "a-", "A", "a.b", "a_b", "a b", "ä", "a\n", "a" * 64, "xn--\u00fc", "\u0661"]
WRONG = {
    "no name": ({"subdomain": "a"}, "name"),
    "an empty name": (NEW | {"name": ""}, "name"),
    "a long name": (NEW | {"name": "x" * 256}, "name"),
    "null as name": (NEW | {"name": None}, "name"),
    "no subdomain": ({"name": "a"}, "subdomain"),
    "a list as settings": (NEW | {"settings": []}, "settings"),
    "null as settings": (NEW | {"settings": None}, "settings"),
    "a status": (NEW | {"status": "archived"}, "status"),
    "an id": (NEW | {"id": str(uuid4())}, "id"),
    "an unknown field": (NEW | {"plan": "gold"}, "plan"),
    **{
        f"the subdomain {subdomain!r}": (NEW | {"subdomain": subdomain}, "subdomain")
        for subdomain in SUBDOMAINS
    },
}

Call = Callable[..., TestResponse]


@pytest.fixture
def call(app: Flask, client: FlaskClient) -> Call:
    """A request of the platform's."""

    def send(method: str, path: str = "", **options: Any) -> TestResponse:
        return client.open(PATH + path, method=method, headers=bearer(app, None), **options)

    return send


def subdomains(answer: TestResponse) -> list[str]:
    return [item["subdomain"] for item in answer.get_json()["items"]]


def test_a_tenant_is_registered(call: Call) -> None:
    answer = call("POST", json=NEW | {"settings": {"theme": {"dark": True}}})
    assert answer.status_code == 201
    made = answer.get_json()
    assert made.keys() == {*NEW, "id", "status", "settings", "created_at", "updated_at"}
    assert (made["status"], made["settings"]) == ("active", {"theme": {"dark": True}})
    assert call("GET", f"/{made['id']}").get_json() == made


def test_a_tenant_without_settings_has_none(call: Call) -> None:
    assert call("POST", json=NEW).get_json()["settings"] == {}


@pytest.mark.parametrize("subdomain", ["a", "7", "a-b", "a--b", "a" * 63, "0a0"])
def test_a_dns_label_is_a_subdomain(call: Call, subdomain: str) -> None:
    assert call("POST", json=NEW | {"subdomain": subdomain}).status_code == 201


@pytest.mark.parametrize(("body", "field"), WRONG.values(), ids=WRONG)
def test_a_wrong_field_is_named(call: Call, body: dict[str, Any], field: str) -> None:
    assert list(problem(call("POST", json=body), 422)["errors"]) == [field]
    assert subdomains(call("GET")) == []


def test_a_taken_subdomain_is_a_conflict(call: Call, acme: Tenant) -> None:
    answer = call("POST", json={"name": "Another", "subdomain": "acme"})
    assert "'acme' is taken" in problem(answer, 409)["detail"]
    assert subdomains(call("GET")) == ["acme"]


def test_a_tenant_cannot_move_to_a_taken_subdomain(call: Call, acme: Tenant, globex: Tenant) -> None:
    problem(call("PATCH", f"/{globex.id}", json={"subdomain": "acme", "name": "Thief"}), 409)
    assert call("GET", f"/{globex.id}").get_json()["name"] == "Globex"


def test_after_a_conflict_the_next_request_is_served(call: Call, acme: Tenant) -> None:
    problem(call("POST", json={"name": "Another", "subdomain": "acme"}), 409)
    assert call("POST", json=NEW).status_code == 201


def test_a_change_touches_what_it_names(call: Call, acme: Tenant) -> None:
    before = call("GET", f"/{acme.id}").get_json()
    after = call("PATCH", f"/{acme.id}", json={"name": "Acme & Sons"}).get_json()
    assert {name for name in before if before[name] != after[name]} == {"name", "updated_at"}


def test_a_subdomain_may_stay_what_it_is(call: Call, acme: Tenant) -> None:
    assert call("PATCH", f"/{acme.id}", json={"subdomain": "acme"}).status_code == 200


@pytest.mark.parametrize("name", ["an empty name", "null as settings", "a status", "the subdomain 'A'"])
def test_a_change_is_held_to_the_same_rules(call: Call, acme: Tenant, name: str) -> None:
    body, field = WRONG[name]
    assert field in problem(call("PATCH", f"/{acme.id}", json=body), 422)["errors"]
    assert subdomains(call("GET")) == ["acme"]


@pytest.mark.parametrize("times", [1, 2])
def test_a_tenant_is_suspended_and_let_in_again(call: Call, acme: Tenant, times: int) -> None:
    for verb, status in (("suspend", "suspended"), ("activate", "active")):
        answers = [call("POST", f"/{acme.id}/{verb}") for _ in range(times)]
        assert [answer.get_json()["status"] for answer in answers] == [status] * times


def test_a_list_is_newest_first_and_filtered(call: Call, acme: Tenant, globex: Tenant) -> None:
    call("POST", f"/{acme.id}/suspend")
    assert subdomains(call("GET")) == ["globex", "acme"]
    assert subdomains(call("GET", query_string={"status": "suspended"})) == ["acme"]
    assert subdomains(call("GET", query_string={"status": "archived"})) == []


def test_a_list_has_pages(call: Call) -> None:
    for subdomain in "abc":
        make_tenant(subdomain)
    first = call("GET", query_string={"limit": 2})
    second = call("GET", query_string={"limit": 2, "cursor": first.get_json()["next_cursor"]})
    assert (subdomains(first), subdomains(second)) == (["c", "b"], ["a"])


@pytest.mark.parametrize(("query", "field"), [("status=lost", "status"), ("subdomain=acme", "subdomain")])
def test_a_wrong_filter_is_named(call: Call, query: str, field: str) -> None:
    assert list(problem(call("GET", f"?{query}"), 422)["errors"]) == [field]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", ""), ("PATCH", ""), ("POST", "/suspend"), ("POST", "/activate")]
)
def test_an_absent_tenant_is_not_found(call: Call, method: str, path: str) -> None:
    answer = call(method, f"/{uuid4()}{path}", json={} if method == "PATCH" else None)
    assert problem(answer, 404)["detail"] == "There is no such tenant. Check its id."


def test_a_tenant_is_never_deleted(call: Call, acme: Tenant) -> None:
    problem(call("DELETE", f"/{acme.id}"), 405)
    assert subdomains(call("GET")) == ["acme"]
