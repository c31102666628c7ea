"""Lists a page at a time: no row twice, none missed, no cursor but our own."""

import base64
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.database import Databases, db
from app.rcas import RCA
from app.tenancy import tenant_scope
from app.tenants import Tenant
from tests.factories import bearer, make_rca
from tests.problems import problem

PATH = "/api/v1/rcas"
MANY = 20
INSTANT = "2026-01-01T00:00:00+00:00"
ID = "6f1c2a6e-7a52-4f0b-9a3c-0d3a9f8f4a11"

Get = Callable[..., dict[str, Any]]


def encoded(text: str | bytes) -> str:
    """A cursor of any text, as the list would write it."""
    raw = text if isinstance(text, bytes) else text.encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


MALFORMED = {
    "a letter": "x",
    "padding alone": "====",
    "no base64": "!!!!",
    "umlauts": "öäü",
    "SQL": "' OR 1=1 --",
    "too long": "x" * 201,
    "empty": "",
    "empty inside": encoded(" "),
    "no text inside": encoded(b"\xff\xfe\xfd"),
    "NUL inside": encoded(f"{INSTANT} \x00{ID}"),
    "an instant alone": encoded(INSTANT),
    "an id alone": encoded(ID),
    "no separator": encoded(f"{INSTANT}{ID}"),
    "another separator": encoded(f"{INSTANT}T{ID}"),
    "no id": encoded(f"{INSTANT} acme"),
    "an id in braces": encoded(f"{INSTANT} {{{ID}}}"),
    "an id in capitals": encoded(f"{INSTANT} {ID.upper()}"),
    "no instant": encoded(f"yesterday {ID}"),
    "infinity": encoded(f"infinity {ID}"),
    "month 13": encoded(f"2026-13-01T00:00:00+00:00 {ID}"),
    "year 0": encoded(f"0000-01-01T00:00:00+00:00 {ID}"),
    "no time zone": encoded(f"2026-01-01T00:00:00 {ID}"),
    "a date": encoded(f"2026-01-01 {ID}"),
    "more after it": encoded(f"{INSTANT} {ID}") + "AAAA",
    "padded": encoded(f"{INSTANT} {ID}") + "==",
}


@pytest.fixture
def get(app: Flask, client: FlaskClient, acme: Tenant) -> Get:
    """A page, as acme asks for it."""

    def call(**query: Any) -> dict[str, Any]:
        answer = client.get(PATH, query_string=query, headers=bearer(app, acme))
        assert answer.status_code == 200, answer.text
        page: dict[str, Any] = answer.get_json()
        return page

    return call


def walk(get: Get, **query: Any) -> Iterator[list[str]]:
    """The titles of each page, to the end."""
    page = get(**query)
    for _ in range(MANY):
        yield titles(page)
        if page["next_cursor"] is None:
            return
        page = get(**query, cursor=page["next_cursor"])
    pytest.fail("the pages do not end")


def titles(page: dict[str, Any]) -> list[str]:
    return [item["title"] for item in page["items"]]


def test_an_empty_list_is_one_empty_page(get: Get) -> None:
    assert get() == {"items": [], "next_cursor": None}


def test_the_newest_come_first(get: Get, acme: Tenant) -> None:
    for title in "abc":
        make_rca(acme, title)
    assert list(walk(get)) == [["c", "b", "a"]]


@pytest.mark.parametrize(
    ("limit", "pages"),
    [(1, ["e", "d", "c", "b", "a"]), (2, ["ed", "cb", "a"]), (4, ["edcb", "a"]), (5, ["edcba"])],
)
def test_every_row_is_on_one_page(get: Get, acme: Tenant, limit: int, pages: list[str]) -> None:
    for title in "abcde":
        make_rca(acme, title)
    assert list(walk(get, limit=limit)) == [list(page) for page in pages]


def test_rows_of_one_instant_are_told_apart(get: Get, acme: Tenant) -> None:
    with tenant_scope(acme), db.atomic():
        instants = {RCA.create(title=title, issue_description="a").created_at for title in "abcde"}
    assert len(instants) == 1
    assert sorted(title for page in walk(get, limit=2) for title in page) == list("abcde")


def test_the_order_is_whole(get: Get, databases: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index would hide a missing id in it, until the planner takes another path."""
    seen: list[str] = []
    monkeypatch.setattr(databases, "observers", [lambda sql, _params, _seconds: seen.append(sql)])
    get()
    assert 'ORDER BY "t1"."created_at" DESC, "t1"."id" DESC' in seen[-1]


def test_rows_inserted_between_pages_move_nothing(get: Get, acme: Tenant) -> None:
    for title in "abcdef":
        make_rca(acme, title)
    seen = []
    for page in walk(get, limit=2):
        seen += page
        make_rca(acme, "new")
    assert seen == list("fedcba")


def test_rows_deleted_between_pages_move_nothing(get: Get, acme: Tenant) -> None:
    rows = {title: make_rca(acme, title) for title in "abcdef"}
    seen = []
    for page in walk(get, limit=2):
        seen += page
        with tenant_scope(acme):
            rows[page[0]].delete_instance()
    assert seen == list("fedcba")


def test_an_offset_would_show_rows_twice(acme: Tenant) -> None:
    """The planted fault: what the two tests above would see of a list without a keyset."""
    for title in "abcd":
        make_rca(acme, title)
    seen = []
    for offset in (0, 2):
        with tenant_scope(acme):
            newest = RCA.alive().order_by(RCA.created_at.desc(), RCA.id.desc())
            seen += [row.title for row in newest.offset(offset).limit(2)]
        make_rca(acme, "new")
    assert seen == ["d", "c", "c", "b"]


def test_a_page_has_fifty_rows_if_nothing_else_is_asked(get: Get, acme: Tenant) -> None:
    with tenant_scope(acme):
        RCA.insert_many([{"title": f"{number}", "issue_description": "a"} for number in range(51)]).execute()
    assert [len(page) for page in walk(get)] == [50, 1]


@pytest.mark.parametrize("limit", ["1", "200"])
def test_the_bounds_of_a_page_are_allowed(get: Get, limit: str) -> None:
    assert get(limit=limit)["items"] == []


@pytest.mark.parametrize(
    "limit",
    ["0", "201", "-1", "", "a", "1.5", "1e2", "0x10", "NaN", "null", "9" * 5_000, "9" * 20, "'", "1;2"],
)
def test_beyond_its_bounds_a_page_is_refused(
    app: Flask, client: FlaskClient, acme: Tenant, limit: str
) -> None:
    answer = client.get(PATH, query_string={"limit": limit}, headers=bearer(app, acme))
    assert list(problem(answer, 422)["errors"]) == ["limit"]


@pytest.mark.parametrize("cursor", MALFORMED.values(), ids=MALFORMED)
def test_a_cursor_of_somebodys_own_is_refused(
    app: Flask, client: FlaskClient, acme: Tenant, cursor: str
) -> None:
    make_rca(acme)
    answer = client.get(PATH, query_string={"cursor": cursor}, headers=bearer(app, acme))
    problem(answer, 422)


@pytest.mark.parametrize(
    "instant", ["2026-01-01T00:00:00.123456+00:00", "0001-01-01T00:00:00+00:00", INSTANT]
)
def test_a_cursor_as_the_list_writes_it_is_taken(get: Get, instant: str) -> None:
    assert get(cursor=encoded(f"{instant} {ID}")) == {"items": [], "next_cursor": None}


@pytest.mark.parametrize("query", ["cursor=%00", "status=%00", "equipment_type=a%00b"])
def test_nul_in_the_query_is_refused(app: Flask, client: FlaskClient, acme: Tenant, query: str) -> None:
    problem(client.get(f"{PATH}?{query}", headers=bearer(app, acme)), 400)


def test_anothers_cursor_shows_ones_own_rows(
    app: Flask, client: FlaskClient, get: Get, acme: Tenant, globex: Tenant
) -> None:
    make_rca(acme, "ours")
    for title in ("theirs, older", "theirs, newer"):
        make_rca(globex, title)
    theirs = client.get(f"{PATH}?limit=1", headers=bearer(app, globex)).get_json()
    assert titles(theirs) == ["theirs, newer"]
    assert titles(get(cursor=theirs["next_cursor"])) == ["ours"]


def test_a_cursor_says_nothing_of_a_row_that_is_gone(get: Get) -> None:
    assert get(cursor=encoded(f"9999-12-31T23:59:59+00:00 {uuid4()}"))["items"] == []
