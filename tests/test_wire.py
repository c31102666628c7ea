"""What travels to the server, read from its own statement log."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask import Flask
from flask.testing import FlaskClient
from psycopg2.extensions import connection as Connection

from app.database import db
from app.pool.connection import RESET, SESSION
from app.tenancy import tenant_scope
from app.tenants import Tenant
from dev.cluster import Cluster
from tests.factories import bearer, make_rca

CLEANING = " ".join(RESET.split())
GREETING = f"{SESSION}; SELECT current_user"


class Log:
    """The application's messages in a server's log, from a point on."""

    def __init__(self, server: Cluster) -> None:
        self._file = server.data / "server.log"
        self._start = self._file.stat().st_size

    def messages(self) -> list[str]:
        """The borrowers' messages, each as one text; a message of several statements is one."""
        return [text for _, text in self._sent() if not text.startswith(GREETING)]

    def greeted(self) -> list[str]:
        """The backends that were greeted, once for each greeting."""
        return [backend for backend, text in self._sent() if text.startswith(GREETING)]

    def _sent(self) -> list[tuple[str, str]]:
        with self._file.open(errors="replace") as file:
            file.seek(self._start)
            entries = file.read().split("§")[1:]
        pairs = (entry.split("statement: ", 1) for entry in entries if "statement: " in entry)
        # the pool's cleaning travels in front of a borrower's first message, or alone while nobody looks
        sent = [(head.split()[0], " ".join(text.split()).removeprefix(CLEANING)) for head, text in pairs]
        return [(backend, text.strip()) for backend, text in sent if text.strip()]


@pytest.fixture
def log(app: Flask, server: Cluster, admin: Connection) -> Iterator[Log]:
    """The server's log, with the statements of the application's role in it."""
    db.close_all()
    with logged(admin):
        yield Log(server)
        db.close_all()


@contextmanager
def logged(admin: Connection) -> Iterator[None]:
    """Have the server log every statement of the application's new connections."""
    with admin.cursor() as cursor:
        cursor.execute("ALTER ROLE fixapp_app SET log_statement = 'all'")
        cursor.execute("ALTER SYSTEM SET log_line_prefix = '§%p '")
        cursor.execute("SELECT pg_reload_conf()")
        yield
        cursor.execute("ALTER ROLE fixapp_app RESET log_statement")
        cursor.execute("ALTER SYSTEM RESET log_line_prefix")
        cursor.execute("SELECT pg_reload_conf()")


def test_a_read_is_one_message(app: Flask, client: FlaskClient, acme: Tenant, log: Log) -> None:
    path, header = f"/api/v1/rcas/{make_rca(acme).id}", bearer(app, acme)
    client.get(path, headers=header)  # finds the tenant, which is kept for some seconds
    before = len(log.messages())
    assert client.get(path, headers=header).status_code == 200
    (message,) = log.messages()[before:]
    assert message.startswith(f"SELECT set_config('app.tenant_id', '{acme.id}', true); SELECT")


def test_a_write_in_a_transaction_is_three_messages(
    app: Flask, client: FlaskClient, acme: Tenant, log: Log
) -> None:
    header = bearer(app, acme)
    client.get("/api/v1/rcas", headers=header)
    before = len(log.messages())
    body = {"title": "Pump leaks", "issue_description": "It leaks."}
    assert client.post("/api/v1/rcas", json=body, headers=header).status_code == 201
    begin, insert, commit = log.messages()[before:]
    assert begin == f"BEGIN; SELECT set_config('app.tenant_id', '{acme.id}', true)"
    assert insert.startswith("INSERT INTO")
    assert commit == "COMMIT"


def test_a_connection_is_greeted_once(acme: Tenant, log: Log) -> None:
    for _ in range(2):
        with tenant_scope(acme):
            db.execute_sql("SELECT 1")
        db.close()
    backends = log.greeted()
    assert backends
    assert len(backends) == len(set(backends))
