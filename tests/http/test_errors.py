"""Every error as problem details: the same shape for all, nothing of our inside, HTML never."""

from collections.abc import Callable, Iterator

import peewee
import pytest
from flask import abort
from flask.testing import FlaskClient
from psycopg2.extensions import connection as Connection

from app import errors
from app.config import Settings
from app.database import Databases, db
from app.errors import AppError
from app.http import FixApp, problems
from app.tenancy import platform_scope
from tests.problems import problem

INSIDE = ["LINE ", "rcas", "column", "Traceback", "psycopg2", "peewee", ".py"]
SQLSTATES = {
    "23505": (409, "conflict"),
    "23503": (409, "conflict"),
    "23502": (422, "invalid"),
    "23514": (422, "invalid"),
    "22001": (422, "invalid"),
    "22003": (422, "invalid"),
    "22P02": (422, "invalid"),
    "40001": (503, "try_again"),
    "40P01": (503, "try_again"),
    "55P03": (503, "try_again"),
    "57014": (503, "statement_timeout"),
    "53100": (503, "database_unavailable"),
    "53300": (503, "database_unavailable"),
    "57P01": (503, "database_unavailable"),
    "57P03": (503, "database_unavailable"),
    "08006": (503, "database_unavailable"),
    "42P01": (500, "internal"),
    "42501": (500, "internal"),
    "P0001": (500, "internal"),
    "XX000": (500, "internal"),
}
ODD_PATHS = [
    "//",
    "/%2e%2e/etc/passwd",
    "/docs/../../etc/passwd",
    "/docs/%2e%2e/%2e%2e/etc/passwd",
    "/docs/nothing.js",
    "/docs/%00",
    "/%00",
    "/%ff%fe",
    "/?%ff=%ff",
    "/api/v1/rcas/%27",
    "/api/v1/rcas/" + "x" * 20_000,
]


class _TeapotError(errors.ConflictError):
    """The {what} is a teapot. Brew tea."""


@pytest.fixture
def small(settings: Settings) -> Iterator[FixApp]:
    """An application with problem details and nothing else."""
    databases = Databases(settings)
    app = FixApp(databases)
    problems.init_app(app)
    yield app
    databases.close()


@pytest.fixture
def answer_of(small: FixApp) -> Callable[[Exception], FlaskClient]:
    """A caller of a small app whose one view raises."""

    def make(error: Exception) -> FlaskClient:
        @small.get("/")
        def failing() -> str:
            raise error

        return small.test_client()

    return make


@pytest.fixture
def broken_schema(admin: Connection) -> Iterator[None]:
    """A database that is not what the code expects."""
    with admin.cursor() as cursor:
        cursor.execute("ALTER TABLE rcas RENAME COLUMN title TO hidden")
        yield
        cursor.execute("ALTER TABLE rcas RENAME COLUMN hidden TO title")


CALLS = {
    400: ("GET", "/health/live", {"headers": {"Host": "a,b"}}),
    401: ("GET", "/api/v1/rcas", {}),
    404: ("GET", "/nope", {}),
    405: ("PUT", "/health", {}),
    413: ("POST", "/api/v1/rcas", {"data": b"x" * 2_000_000, "content_type": "application/json"}),
    415: ("POST", "/api/v1/rcas", {"data": "title=a"}),
    422: ("POST", "/api/v1/rcas", {"json": {"title": ""}}),
}


@pytest.mark.parametrize(
    "accept", ["text/html", "application/xhtml+xml,text/html;q=0.9", "image/png", "*/*", ""]
)
@pytest.mark.parametrize("status", CALLS)
def test_an_error_is_problem_details_whatever_is_asked_for(
    client: FlaskClient, headers: dict[str, str], status: int, accept: str
) -> None:
    method, path, options = CALLS[status]
    sent = {} if status == 401 else headers
    sent = sent | options.get("headers", {}) | {"Accept": accept}
    body = problem(client.open(path, method=method, **options | {"headers": sent}), status)
    assert "html" not in str(body)


def test_a_wrong_method_is_told_the_right_ones(client: FlaskClient) -> None:
    answer = client.delete("/api/v1/rcas")
    assert problem(answer, 405)["code"] == "method_not_allowed"
    assert {"GET", "POST"} <= set(answer.headers["Allow"].split(", "))


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND", "FOO"])
def test_an_odd_method_is_refused(client: FlaskClient, method: str) -> None:
    problem(client.open("/api/v1/rcas", method=method), 405)


@pytest.mark.parametrize("path", ODD_PATHS)
def test_an_odd_path_is_not_found(client: FlaskClient, headers: dict[str, str], path: str) -> None:
    assert problem(client.get(path, headers=headers), 404)["code"] == "not_found"


def test_errors_are_named_by_field(client: FlaskClient, headers: dict[str, str]) -> None:
    answer = client.post("/api/v1/rcas", json={"title": "", "status": "lost", "x": 1}, headers=headers)
    assert problem(answer, 422)["errors"].keys() == {"title", "issue_description", "status", "x"}


def test_an_unforeseen_error_shows_nothing_of_our_inside(
    client: FlaskClient, headers: dict[str, str], broken_schema: None
) -> None:
    answer = client.get("/api/v1/rcas", headers=headers)
    assert problem(answer, 500)["code"] == "internal"
    assert [word for word in INSIDE if word in f"{answer.headers}{answer.text}"] == []


def test_the_same_error_is_in_the_log_in_full(
    client: FlaskClient, headers: dict[str, str], broken_schema: None, caplog: pytest.LogCaptureFixture
) -> None:
    """The positive control: there was something to hide."""
    client.get("/api/v1/rcas", headers=headers)
    assert [word for word in INSIDE if word not in caplog.text] == []


@pytest.mark.parametrize(("state", "expected"), SQLSTATES.items())
def test_the_databases_errors_have_a_status(
    app: FixApp, answer_of: Callable[[Exception], FlaskClient], state: str, expected: tuple[int, str]
) -> None:
    raising = f"DO $$ BEGIN RAISE EXCEPTION 'hidden column of rcas' USING ERRCODE = '{state}'; END $$"
    with platform_scope("a test"), pytest.raises(peewee.PeeweeException) as caught:
        db.execute_sql(raising)
    answer = answer_of(caught.value).get("/")
    status, code = expected
    assert problem(answer, status)["code"] == code
    assert ("Retry-After" in answer.headers) == (status == 503)
    assert [word for word in INSIDE if word in answer.text] == []


@pytest.mark.parametrize(
    "error", [errors.DatabaseUnavailableError(), errors.PoolClosedError(), errors.TooManyConnectionsError()]
)
def test_a_lost_connection_is_a_matter_of_waiting(
    answer_of: Callable[[Exception], FlaskClient], error: Exception
) -> None:
    answer = answer_of(error).get("/")
    assert problem(answer, 503)["code"] == "database_unavailable"
    assert answer.headers["Retry-After"] == "2"


@pytest.mark.parametrize(
    "error",
    [
        *(RuntimeError("hidden"), ZeroDivisionError(), RecursionError(), MemoryError()),
        *(peewee.InterfaceError("hidden"), errors.NoTenantError(), AppError()),
    ],
)
def test_a_mistake_of_ours_is_one_sentence(
    answer_of: Callable[[Exception], FlaskClient], error: Exception
) -> None:
    body = problem(answer_of(error).get("/"), 500)
    assert (body["code"], body["detail"].split(".")[0]) == ("internal", "Something went wrong on our side")


def test_an_error_of_ours_is_its_docstring(answer_of: Callable[[Exception], FlaskClient]) -> None:
    body = problem(answer_of(_TeapotError(what="pot")).get("/"), 409)
    assert (body["detail"], body["code"]) == ("The pot is a teapot. Brew tea.", "_teapot")


def test_a_full_pool_is_told_apart_from_a_lost_database(
    answer_of: Callable[[Exception], FlaskClient],
) -> None:
    answer = answer_of(errors.PoolTimeoutError(seconds=2)).get("/")
    assert problem(answer, 503)["code"] == "pool_timeout"
    assert "2 s" in answer.get_json()["detail"]


def test_nothing_tells_a_client_to_repeat_what_may_have_been_done(
    answer_of: Callable[[Exception], FlaskClient],
) -> None:
    answer = answer_of(errors.OutcomeUnknownError()).get("/")
    assert problem(answer, 503)["code"] == "outcome_unknown"
    assert "Retry-After" not in answer.headers


@pytest.mark.parametrize(
    "status", [400, 403, 404, 405, 406, 408, 409, 410, 411, 412, 413, 414, 415, 416, 429, 431]
)
def test_an_aborted_request_is_problem_details_too(small: FixApp, status: int) -> None:
    small.add_url_rule("/", view_func=lambda: abort(status))
    problem(small.test_client().get("/"), status)
