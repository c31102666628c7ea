"""flask db-check: a line a check, with its remedy, and an exit code a script can use."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskCliRunner
from psycopg2.extensions import connection as Connection

from app import create_app
from app.catalog.judge import advice
from app.config import Settings
from app.database import application
from app.migrate import file_names


def test_a_right_database_is_right_in_every_line(runner: FlaskCliRunner) -> None:
    result = runner.invoke(args=["db-check"])
    assert result.exit_code == 0, result.output
    assert all(line.startswith("✓") for line in result.output.splitlines())


@pytest.mark.parametrize(
    "name",
    [
        "settings",
        "connection",
        "server",
        "role",
        "time zone",
        "encoding",
        "pool",
        "migrations",
        "names",
        "tenants",
        "drift",
    ],
)
def test_each_check_has_its_line(runner: FlaskCliRunner, name: str) -> None:
    assert f"✓ {name} " in runner.invoke(args=["db-check"]).output


def test_a_finding_shows_its_remedy_and_exits_with_1(runner: FlaskCliRunner, admin: Connection) -> None:
    with undone(
        admin, "ALTER TABLE rcas NO FORCE ROW LEVEL SECURITY", "ALTER TABLE rcas FORCE ROW LEVEL SECURITY"
    ):
        result = runner.invoke(args=["db-check"])
    assert result.exit_code == 1
    assert "→ ALTER TABLE rcas FORCE ROW LEVEL SECURITY" in result.output


def test_advice_is_marked_and_does_not_fail(runner: FlaskCliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advice, "DAYS_ENOUGH", 0.0)
    monkeypatch.setattr(advice, "READS_ENOUGH", 0)
    result = runner.invoke(args=["db-check"])
    report = json.loads(runner.invoke(args=["db-check", "--json"]).output)
    assert result.exit_code == 0
    assert "· index in use" in result.output
    assert {check["name"] for check in report["checks"] if check["advice"]} == {"index in use"}


def test_what_the_migrations_did_not_do_is_a_finding(runner: FlaskCliRunner, admin: Connection) -> None:
    with undone(admin, "CREATE INDEX idx_rcas_title ON rcas (title)", "DROP INDEX idx_rcas_title"):
        result = runner.invoke(args=["db-check"])
    assert result.exit_code == 1
    assert "✗ unexpected   index idx_rcas_title on rcas" in result.output
    assert "→ DROP INDEX idx_rcas_title" in result.output


def test_what_cannot_be_compared_is_a_finding(runner: FlaskCliRunner, admin: Connection) -> None:
    with undone(admin, "CREATE DOMAIN odd AS int", "DROP DOMAIN odd"):
        result = runner.invoke(args=["db-check"])
    assert result.exit_code == 1
    assert "domain odd" in result.output


def test_without_the_owners_password_drift_is_not_looked_for(app: Flask, settings: Settings) -> None:
    result = invoked_with(replace(settings, db_owner_password=""))
    assert "✓ drift        not looked for: it takes DB_OWNER_PASSWORD" in result.output


def test_a_pending_migration_is_a_finding(runner: FlaskCliRunner, admin: Connection) -> None:
    latest = file_names()[-1]
    gone = f"DELETE FROM migratehistory WHERE name = '{latest}'"
    with undone(admin, gone, f"INSERT INTO migratehistory (name) VALUES ('{latest}')"):
        result = runner.invoke(args=["db-check"])
    assert result.exit_code == 1
    assert f"pending: {latest}" in result.output
    assert "→ flask db-migrate" in result.output


@pytest.mark.parametrize(
    ("give", "take", "power"),
    [
        (
            "GRANT CREATE ON SCHEMA public TO fixapp_app",
            "REVOKE CREATE ON SCHEMA public FROM fixapp_app",
            "tables",
        ),
        (
            "GRANT CREATE ON DATABASE fixapp_test TO fixapp_app",
            "REVOKE CREATE ON DATABASE fixapp_test FROM fixapp_app",
            "schemas",
        ),
        ("GRANT pg_monitor TO fixapp_app", "REVOKE pg_monitor FROM fixapp_app", "member of 1"),
    ],
)
def test_a_role_that_may_too_much_is_a_finding(
    runner: FlaskCliRunner, admin: Connection, give: str, take: str, power: str
) -> None:
    with undone(admin, give, take):
        result = runner.invoke(args=["db-check"])
    assert result.exit_code == 1
    assert power in result.output


def test_a_superuser_is_a_finding(app: Flask, settings: Settings) -> None:
    strong = replace(settings, db_user=settings.db_owner_user, db_password=settings.db_owner_password)
    result = invoked_with(strong)
    assert result.exit_code == 1
    assert "is a superuser or may bypass policies" in result.output


def test_an_unreachable_database_exits_with_3(app: Flask, settings: Settings) -> None:
    result = invoked_with(replace(settings, db_port=1))
    assert result.exit_code == 3
    assert "✗ connection" in result.output
    assert "Connection refused" in result.output


def test_json_says_the_same(runner: FlaskCliRunner) -> None:
    report = json.loads(runner.invoke(args=["db-check", "--json"]).output)
    assert report["exit_code"] == 0
    assert {check["name"] for check in report["checks"]} >= {"settings", "connection", "tenants"}
    assert all(check["right"] for check in report["checks"])


@contextmanager
def undone(admin: Connection, statement: str, undo: str) -> Iterator[None]:
    """Plant a fault for the length of a block."""
    with admin.cursor() as cursor:
        cursor.execute(statement)
        try:
            yield
        finally:
            cursor.execute(undo)


def invoked_with(others: Settings) -> Result:
    """Run db-check in an app with other settings, beside the usual one."""
    other = create_app(others)
    try:
        with application(other.databases):
            return other.test_cli_runner().invoke(args=["db-check"])
    finally:
        other.databases.close()
