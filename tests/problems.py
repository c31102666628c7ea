"""What every error has to look like, and a database that cannot be reached."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from psycopg2.extensions import connection as Connection
from werkzeug.test import TestResponse

from app.config import Settings
from app.database import databases_in_force, db
from app.errors import DatabaseUnavailableError
from app.tenancy import platform_scope

FIELDS = {"type", "title", "status", "detail", "code", "request_id"}


def problem(answer: TestResponse, status: int) -> dict[str, Any]:
    """The problem details of an answer, which has to be one (RFC 9457)."""
    assert answer.status_code == status, answer.text[:500]
    assert answer.content_type == "application/problem+json"
    body: dict[str, Any] = answer.get_json()
    assert body.keys() - {"errors"} == FIELDS
    assert (body["status"], body["title"]) == (status, HTTPStatus(status).phrase)
    assert body["request_id"] == answer.headers["X-Request-ID"] != ""
    assert body["detail"].endswith(".")
    return body


def without_id(answer: TestResponse) -> dict[str, Any]:
    """An error's body but for its request id: what must not differ where nothing is to be told."""
    return {name: value for name, value in answer.get_json().items() if name != "request_id"}


@contextmanager
def outage(admin: Connection, settings: Settings) -> Iterator[None]:
    """Let nobody in as the application's role, until the block ends."""
    role = settings.db_user
    with admin.cursor() as cursor:
        cursor.execute(f"ALTER ROLE {role} NOLOGIN")
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity WHERE usename = %s", (role,)
        )
    try:
        yield
    finally:
        with admin.cursor() as cursor:
            cursor.execute(f"ALTER ROLE {role} LOGIN")
        _wait_until_reachable()


def _wait_until_reachable() -> None:
    deadline = time.monotonic() + 5
    while True:
        try:
            with platform_scope("a test waits for the database"):
                db.execute_sql("SELECT 1")
            databases_in_force().ask()
        except DatabaseUnavailableError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return
