"""Alive, healthy, ready: three questions, and none answered with more than its state."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from psycopg2.extensions import connection as Connection

from app import create_app
from app.config import Settings
from app.database import Databases
from app.errors import UnsafeRoleError
from app.migrate import file_names
from app.pool import ConnectionPool, ConnectionUnavailable, PoolTimeout
from tests.problems import outage

INSIDE = ["127.0.0.1", "fixapp", "psycopg", "rolcanlogin", "permitted", "SELECT", "003"]


@pytest.fixture
def down(app: Flask, client: FlaskClient, admin: Connection, settings: Settings) -> Iterator[None]:
    """A database that lets nobody in."""
    with outage(admin, settings):
        yield


@pytest.fixture
def behind(app: Flask, admin: Connection) -> Iterator[None]:
    """A database that lacks the last migration, as its history tells."""
    with admin.cursor() as cursor:
        cursor.execute(
            "DELETE FROM migratehistory WHERE id = (SELECT max(id) FROM migratehistory) RETURNING id, name"
        )
        row = cursor.fetchone()
        yield
        cursor.execute("INSERT INTO migratehistory (id, name) VALUES (%s, %s)", row)


@pytest.fixture
def ahead(app: Flask, admin: Connection) -> Iterator[None]:
    """A database that newer code has migrated further."""
    with admin.cursor() as cursor:
        cursor.execute("INSERT INTO migratehistory (name) VALUES ('999_newer')")
        yield
        cursor.execute("DELETE FROM migratehistory WHERE name = '999_newer'")


def test_all_is_well(client: FlaskClient) -> None:
    answers = {path: client.get(f"/health{path}") for path in ("", "/live", "/ready")}
    assert {path: answer.status_code for path, answer in answers.items()} == {
        "": 200,
        "/live": 200,
        "/ready": 200,
    }
    assert answers[""].get_json() == {"status": "ok", "database": "ok"}
    assert answers["/ready"].get_json() == answers["/live"].get_json() == {"status": "ok"}


def test_while_the_database_is_down_it_lives(client: FlaskClient, down: None) -> None:
    answer = client.get("/health/live")
    assert (answer.status_code, answer.get_json()) == (200, {"status": "ok"})


def test_while_the_database_is_down_it_is_not_healthy(client: FlaskClient, down: None) -> None:
    answer = client.get("/health")
    assert (answer.status_code, answer.get_json()) == (
        503,
        {"status": "unavailable", "database": "unavailable"},
    )


def test_while_the_database_is_down_it_is_not_ready(client: FlaskClient, down: None) -> None:
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.get_json()) == (503, {"status": "unavailable"})


def test_why_is_for_the_log_alone(client: FlaskClient, down: None, caplog: pytest.LogCaptureFixture) -> None:
    answer = client.get("/health")
    assert [word for word in INSIDE if word in f"{answer.headers}{answer.text}"] == []
    assert "not healthy" in caplog.text


def test_when_the_database_is_back_it_is_healthy_at_once(
    client: FlaskClient, admin: Connection, settings: Settings
) -> None:
    with outage(admin, settings):
        assert client.get("/health").status_code == 503
    assert client.get("/health").status_code == 200


def test_with_a_migration_pending_it_is_healthy_but_not_ready(client: FlaskClient, behind: None) -> None:
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.get_json()) == (503, {"status": "schema_behind"})
    assert client.get("/health").status_code == 200


def test_ahead_of_the_code_it_is_ready_and_says_so_once(
    client: FlaskClient, ahead: None, caplog: pytest.LogCaptureFixture
) -> None:
    answers = [client.get("/health/ready") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert caplog.text.count("ahead of this code, which is served all the same: 999_newer") == 1


def test_while_the_requests_pool_is_exhausted_it_is_ready(client: FlaskClient, databases: Databases) -> None:
    with ExitStack() as stack:
        for _ in range(databases.settings.db_pool_max):
            stack.enter_context(databases.shared.connection())
        with pytest.raises(PoolTimeout):
            databases.shared.getconn(timeout=0)
        assert [client.get(f"/health{path}").status_code for path in ("", "/ready")] == [200, 200]


def test_a_migration_that_is_copied_here_after_the_start_changes_nothing(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with_new_file(monkeypatch, tmp_path)
    assert client.get("/health/ready").status_code == 200


def test_a_process_that_starts_with_it_needs_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, app: Flask
) -> None:
    """The positive control of the test above."""
    with_new_file(monkeypatch, tmp_path)
    younger = create_app(settings)
    try:
        assert younger.test_client().get("/health/ready").get_json() == {"status": "schema_behind"}
    finally:
        younger.databases.close()


def with_new_file(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Have one more file in the folder of migrations from now on."""
    for name in [*file_names(), "998_copied_here"]:
        (folder / f"{name}.py").touch()
    # where the folder is was fixed when the module was read
    monkeypatch.setattr(file_names, "__defaults__", (folder,))


def test_to_live_takes_no_connection(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_args: object) -> None:
        raise AssertionError

    monkeypatch.setattr(ConnectionPool, "getconn", refused)
    assert client.get("/health/live").status_code == 200
    assert client.get("/health").status_code == 500  # the planted fault: this one does ask


@pytest.mark.parametrize("path", ["/health", "/health/ready"])
def test_a_log_in_that_is_too_strong_is_not_healthy(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    def refused(*_args: object) -> None:
        raise ConnectionUnavailable(server="", reason="") from UnsafeRoleError(
            role="postgres", why="is a superuser"
        )

    monkeypatch.setattr(ConnectionPool, "getconn", refused)
    answer = client.get(path)
    assert answer.status_code == 503
    assert "postgres" not in answer.text


@pytest.mark.parametrize("method", ["POST", "DELETE"])
@pytest.mark.parametrize("path", ["", "/live", "/ready"])
def test_it_is_only_asked(client: FlaskClient, method: str, path: str) -> None:
    assert client.open(f"/health{path}", method=method).status_code == 405
