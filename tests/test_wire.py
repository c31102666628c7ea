"""What travels to the server, read from its own statement log: each message, the pool's own too."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from psycopg2.extensions import connection as Connection

from app import create_app
from app.config import Settings
from app.database import application, db
from app.http import FixApp
from app.pool import RESET, SESSION
from app.rcas import RCA
from app.tenancy import tenant_scope
from app.tenants import Tenant
from dev.cluster import Cluster
from tests.factories import bearer, make_rca

CLEANING = " ".join(RESET.split())
GREETING = f"{SESSION}; SELECT current_user"
NEW = {"title": "Pump leaks", "issue_description": "It leaks."}


class Log:
    """The application's messages in a server's log, from a point on."""

    def __init__(self, server: Cluster) -> None:
        self._file = server.data / "server.log"
        self._start = self._file.stat().st_size

    def messages(self) -> list[str]:
        """Every message but a new connection's first, as one text; a message of several statements is one."""
        return [text for _, text in self._sent() if not text.startswith(GREETING)]

    def greeted(self) -> list[str]:
        """The backends that were greeted, once for each greeting."""
        return [backend for backend, text in self._sent() if text.startswith(GREETING)]

    def _sent(self) -> list[tuple[str, str]]:
        with self._file.open(errors="replace") as file:
            file.seek(self._start)
            entries = file.read().split("§")[1:]
        pairs = (entry.split("statement: ", 1) for entry in entries if "statement: " in entry)
        return [(head.split()[0], " ".join(text.split())) for head, text in pairs]


@pytest.fixture
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


@pytest.fixture
def wired(acme: Tenant, settings: Settings, logged: None) -> Iterator[FixApp]:
    """An application of one connection, which is logged, clean, and in force; it knows acme already."""
    made = create_app(replace(settings, db_pool_min=1, db_pool_max=1))
    with application(made.databases):
        made.test_client().get("/api/v1/rcas", headers=bearer(made, acme))
        yield made
    made.databases.close()


@pytest.fixture
def log(wired: FixApp, server: Cluster) -> Log:
    """The server's log from now on."""
    return Log(server)


Ask = Callable[..., int]


@pytest.fixture
def ask(wired: FixApp, acme: Tenant) -> Ask:
    """A request of acme's; its status."""
    client: FlaskClient = wired.test_client()

    def call(method: str, path: str = "", body: Any = None) -> int:
        answer = client.open("/api/v1/rcas" + path, method=method, json=body, headers=bearer(wired, acme))
        return answer.status_code

    return call


# --- requests --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "of_one", "body", "first_word"),
    [
        ("GET", True, None, "SELECT"),
        ("GET", False, None, "SELECT"),
        ("POST", False, NEW, "INSERT"),
        ("PATCH", True, {"title": "Valve leaks"}, "UPDATE"),
        ("DELETE", True, None, "UPDATE"),
    ],
)
def test_a_request_is_one_message(
    ask: Ask,
    acme: Tenant,
    server: Cluster,
    method: str,
    of_one: bool,
    body: Any,
    first_word: str,
) -> None:
    path = f"/{make_rca(acme).id}" if of_one else ""
    log = Log(server)
    assert ask(method, path, body) < 300
    (message,) = log.messages()
    assert message.startswith(f"SELECT set_config('app.tenant_id', '{acme.id}', true); {first_word}")


def test_the_first_request_of_a_tenant_is_one_message_more(
    ask: Ask, wired: FixApp, acme: Tenant, server: Cluster
) -> None:
    """The positive control: what is asked beside the request is seen."""
    wired.extensions["tenants"].clear()
    log = Log(server)
    ask("GET")
    assert len(log.messages()) == 2


def test_a_request_that_is_turned_away_is_no_message(wired: FixApp, log: Log) -> None:
    assert wired.test_client().get("/api/v1/rcas").status_code == 401
    assert log.messages() == []


# --- models ----------------------------------------------------------------------------------------

CALLS: dict[str, Callable[[RCA], object]] = {
    "create": lambda _: RCA.create(**NEW),
    "save": lambda _: RCA(**NEW).save(),
    "find": lambda rca: RCA.find(rca.id),
    "change": lambda rca: RCA.change(rca.id, title="Valve leaks"),
    "delete_by_id": lambda rca: RCA.delete_by_id(rca.id),
    "create_many": lambda _: RCA.create_many([NEW] * 100),
    "delete_instance": lambda rca: rca.delete_instance(),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_call_is_one_message(
    wired: FixApp, acme: Tenant, server: Cluster, call: Callable[[RCA], object]
) -> None:
    rca = make_rca(acme)
    log = Log(server)
    with tenant_scope(acme):
        call(rca)
    assert len(log.messages()) == 1


def test_to_restore_is_one_message(wired: FixApp, acme: Tenant, server: Cluster) -> None:
    rca = make_rca(acme)
    with tenant_scope(acme):
        RCA.delete_by_id(rca.id)
        log = Log(server)
        RCA.restore_by_id(rca.id)
    assert len(log.messages()) == 1


def test_a_scope_without_a_statement_is_no_message(wired: FixApp, acme: Tenant, log: Log) -> None:
    with tenant_scope(acme), tenant_scope(acme):
        pass
    assert log.messages() == []


@pytest.mark.parametrize("number", [0, 1, 3])
def test_a_transaction_is_two_messages_and_its_statements(acme: Tenant, log: Log, number: int) -> None:
    with tenant_scope(acme), db.atomic():
        for _ in range(number):
            RCA.create(**NEW)
    messages = log.messages()
    assert len(messages) == number + 2
    assert messages[0] == f"BEGIN; SELECT set_config('app.tenant_id', '{acme.id}', true)"
    assert [text.split()[0] for text in messages[1:]] == ["INSERT"] * number + ["COMMIT"]


# --- connections -----------------------------------------------------------------------------------


def test_a_connection_is_greeted_once(
    server: Cluster, logged: None, acme: Tenant, settings: Settings
) -> None:
    log, made = Log(server), create_app(replace(settings, db_pool_min=1, db_pool_max=1))
    with application(made.databases):
        for _ in range(3):
            make_rca(acme)
    made.databases.close()
    assert len(log.greeted()) == 1


def test_after_prepared_queries_nothing_is_reset(ask: Ask, acme: Tenant, log: Log) -> None:
    for _ in range(3):
        ask("GET")
        ask("POST", body=NEW)
        with tenant_scope(acme):
            RCA.create_many([NEW])
    assert [text for text in log.messages() if CLEANING in text] == []


def test_after_a_transaction_of_prepared_queries_nothing_is_reset(acme: Tenant, log: Log) -> None:
    for _ in range(3):
        with tenant_scope(acme), db.atomic():
            RCA.create(**NEW)
    assert [text for text in log.messages() if CLEANING in text] == []


def test_what_a_statement_set_is_gone_for_the_next_borrower(wired: FixApp, acme: Tenant, log: Log) -> None:
    with tenant_scope(acme):
        db.execute_sql("SET search_path TO pg_catalog")
        assert search_path() == "pg_catalog"
    with tenant_scope(acme):
        assert search_path() == '"$user", public'
    assert len([text for text in log.messages() if CLEANING in text]) == 1


def test_it_would_stay_without_the_reset(
    wired: FixApp, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The planted fault: a pool that promises that nothing was left."""
    with tenant_scope(acme):
        db.execute_sql("SET search_path TO pg_catalog")
        db.connection().needs_reset = False
    with tenant_scope(acme):
        assert search_path() == "pg_catalog"


def search_path() -> str:
    """The setting as the statement finds it."""
    (value,) = db.execute_sql("SELECT current_setting('search_path')").fetchone()
    return str(value)
