"""Connections that break for real: what was done, what was not, and what nobody can know."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection

from app import create_app
from app.config import Settings
from app.database import Databases, application, db
from app.errors import AppError, DatabaseUnavailableError, OutcomeUnknownError
from app.http import FixApp, TenantBlueprint
from app.rcas import RCA
from app.tenancy import tenant_scope
from app.tenants import Tenant
from tests.database import lent
from tests.factories import bearer, make_rca
from tests.faults.proxy import Proxy, proxied
from tests.waiting import one, wait_until

pytestmark = pytest.mark.usefixtures("app")

READ = "SELECT pg_sleep(30)"
WRITE = "UPDATE rcas SET title = 'Changed' FROM pg_sleep(30)"
ASLEEP = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s AND wait_event = 'PgSleep'"
THERE = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s"
KILL = "SELECT pg_terminate_backend(%s::int)"
NEW = {"title": "Valve sticks", "issue_description": "It sticks."}

Kill = Callable[[], None]


def backend() -> str:
    """The process that serves this unit at the server."""
    return str(db.connection().get_backend_pid())


@pytest.fixture
def kill(admin: Connection) -> Kill:
    """Ends the unit's connection at the server, between two statements."""

    def now() -> None:
        pid = backend()
        one(admin, KILL, (pid,))
        wait_until(lambda: one(admin, THERE, (pid,)) == 0, 10)

    return now


@contextmanager
def killed_asleep(admin: Connection) -> Iterator[None]:
    """The unit's connection is ended at the server while its statement sleeps."""
    pid = backend()

    def end() -> None:
        wait_until(lambda: one(admin, ASLEEP, (pid,)) == 1, 10)
        one(admin, KILL, (pid,))

    thread = threading.Thread(target=end)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def asleep(admin: Connection, statement: str) -> None:
    """Run a statement whose connection is ended meanwhile."""
    with killed_asleep(admin):
        db.execute_sql(statement)


def broken(admin: Connection, statement: str) -> AppError:
    """The error of a statement whose connection is ended while it runs."""
    with pytest.raises(AppError) as caught:
        asleep(admin, statement)
    return caught.value


def swallowing(act: Callable[[], object]) -> Callable[[], None]:
    """An act whose failure the caller thinks nothing of."""

    def quietly() -> None:
        with suppress(DatabaseUnavailableError):
            act()

    return quietly


def create() -> None:
    """Write something."""
    RCA.create(**NEW)


def count() -> None:
    """Read something."""
    RCA.select().count()


def fail() -> None:
    """What goes wrong in the caller's own code."""
    raise ZeroDivisionError


def transaction(tenant: Tenant, *acts: Callable[[], object], depth: int = 1) -> None:
    """Do one thing after another in a transaction of a tenant's, or in savepoints of it."""
    with tenant_scope(tenant), ExitStack() as stack:
        for _ in range(depth):
            stack.enter_context(db.atomic())
        for act in acts:
            act()


def titles(tenant: Tenant) -> list[str]:
    """The titles of a tenant's analyses, in a unit of their own."""
    with tenant_scope(tenant):
        return sorted(rca.title for rca in RCA.select())


# --- while a statement runs ------------------------------------------------------------------------


def test_under_a_read_the_database_is_unavailable(admin: Connection, acme: Tenant) -> None:
    with tenant_scope(acme):
        assert type(broken(admin, READ)) is DatabaseUnavailableError


def test_under_a_write_the_outcome_is_unknown(admin: Connection, acme: Tenant, globex: Tenant) -> None:
    make_rca(acme)
    make_rca(globex)
    with tenant_scope(acme):
        assert type(broken(admin, WRITE)) is OutcomeUnknownError
    assert titles(globex) == ["Pump leaks"]


def test_under_a_read_after_a_write_nothing_is_unknown(admin: Connection, acme: Tenant) -> None:
    with tenant_scope(acme):
        RCA.create(**NEW)
        assert type(broken(admin, READ)) is DatabaseUnavailableError


def test_in_a_transaction_nothing_was_done(admin: Connection, acme: Tenant) -> None:
    make_rca(acme)
    with pytest.raises(DatabaseUnavailableError):
        transaction(acme, create, lambda: asleep(admin, WRITE))
    assert titles(acme) == ["Pump leaks"]


def test_the_next_statement_has_a_new_connection(
    databases: Databases, admin: Connection, acme: Tenant
) -> None:
    make_rca(acme)
    with tenant_scope(acme):
        first = backend()
        broken(admin, READ)
        assert [rca.title for rca in RCA.select()] == ["Pump leaks"]
        assert backend() != first
        assert lent(databases) == 1
    assert lent(databases) == 0


def test_a_unit_that_ends_broken_leaves_nothing(
    databases: Databases, admin: Connection, acme: Tenant
) -> None:
    with tenant_scope(acme):
        broken(admin, READ)
    assert lent(databases) == 0


# --- between two statements ------------------------------------------------------------------------


def test_a_read_on_a_dead_connection_fails_once(kill: Kill, acme: Tenant) -> None:
    make_rca(acme)
    with tenant_scope(acme):
        kill()
        with pytest.raises(DatabaseUnavailableError):
            RCA.select().count()
        assert RCA.select().count() == 1


def test_a_transaction_does_not_go_on_elsewhere(kill: Kill, acme: Tenant) -> None:
    with pytest.raises(DatabaseUnavailableError):
        transaction(acme, create, kill, create)
    assert titles(acme) == []


def test_a_broken_transaction_stays_broken(kill: Kill, acme: Tenant) -> None:
    with pytest.raises(DatabaseUnavailableError):
        transaction(acme, kill, swallowing(create), create)
    assert titles(acme) == []


def test_a_broken_transaction_does_not_commit_elsewhere(kill: Kill, acme: Tenant) -> None:
    with pytest.raises(DatabaseUnavailableError):
        transaction(acme, create, kill, swallowing(create))
    assert titles(acme) == []


def test_the_unit_of_a_broken_transaction_goes_on(kill: Kill, acme: Tenant) -> None:
    with tenant_scope(acme):
        with pytest.raises(DatabaseUnavailableError):
            transaction(acme, kill, create)
        transaction(acme, create)
    assert titles(acme) == ["Valve sticks"]


# --- at COMMIT -------------------------------------------------------------------------------------


def test_at_commit_the_outcome_of_a_write_is_unknown(kill: Kill, acme: Tenant) -> None:
    with pytest.raises(OutcomeUnknownError):
        transaction(acme, create, kill)


def test_at_commit_a_read_has_no_outcome(kill: Kill, acme: Tenant) -> None:
    with pytest.raises(DatabaseUnavailableError):
        transaction(acme, count, kill)


@pytest.fixture
def network(settings: Settings) -> Iterator[Proxy]:
    """A network of our own in front of the server, with the units of this test on it."""
    with proxied(settings.db_host, settings.db_port) as proxy:
        # one connection alone: another that is being made would be cut in its place
        here = {"db_host": "127.0.0.1", "db_port": proxy.local_port, "db_pool_min": 1, "db_pool_max": 1}
        own = Databases(replace(settings, **here))
        with application(own):
            yield proxy
        own.close()


def test_a_commit_whose_answer_is_lost_may_have_happened(
    databases: Databases, network: Proxy, acme: Tenant
) -> None:
    with pytest.raises(OutcomeUnknownError, match="may have happened"):
        transaction(acme, create, lambda: setattr(network, "cut_after", 0))
    with application(databases):
        assert titles(acme) == ["Valve sticks"]


def test_a_write_whose_answer_is_lost_may_have_happened(
    databases: Databases, network: Proxy, acme: Tenant
) -> None:
    with tenant_scope(acme):
        RCA.select().count()
        network.cut_after = 0
        with pytest.raises(OutcomeUnknownError):
            RCA.create(**NEW)
    with application(databases):
        assert titles(acme) == ["Valve sticks"]


# --- the first error is the one to see -------------------------------------------------------------


def test_a_savepoint_shows_the_first_error(admin: Connection, acme: Tenant) -> None:
    first: list[AppError] = []

    def read() -> None:
        first.append(broken(admin, READ))
        raise first[0]

    with pytest.raises(DatabaseUnavailableError) as caught:
        transaction(acme, create, read, depth=2)
    assert caught.value is first[0]


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_rollback_that_fails_masks_nothing(kill: Kill, acme: Tenant, depth: int) -> None:
    with pytest.raises(ZeroDivisionError):
        transaction(acme, create, kill, fail, depth=depth)
    assert titles(acme) == []


def test_a_savepoint_is_not_released_elsewhere(kill: Kill, acme: Tenant) -> None:
    with pytest.raises(DatabaseUnavailableError):
        transaction(acme, create, kill, depth=2)
    assert titles(acme) == []


# --- over HTTP -------------------------------------------------------------------------------------


@pytest.fixture
def fragile(settings: Settings, admin: Connection) -> Iterator[FixApp]:
    """An application whose views' connections are ended while they are used."""
    own = create_app(settings)
    views = TenantBlueprint("fragile", __name__, url_prefix="/fragile")

    @views.route("/<kind>")
    def view(kind: str) -> Any:
        asleep(admin, {"read": READ, "write": WRITE}[kind])

    @views.route("/commit")
    def commit() -> Any:
        with db.atomic():
            RCA.create(**NEW)
            one(admin, KILL, (backend(),))

    own.register_blueprint(views)
    with application(own.databases):
        yield own
    own.databases.close()


def test_over_http_a_read_may_be_repeated(fragile: FixApp, acme: Tenant) -> None:
    answer = fragile.test_client().get("/fragile/read", headers=bearer(fragile, acme))
    assert (answer.status_code, answer.get_json()["code"]) == (503, "database_unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert lent(fragile.databases) == 0


@pytest.mark.parametrize("kind", ["write", "commit"])
def test_over_http_nobody_is_told_to_repeat_a_write(fragile: FixApp, acme: Tenant, kind: str) -> None:
    make_rca(acme)
    answer = fragile.test_client().get(f"/fragile/{kind}", headers=bearer(fragile, acme))
    assert (answer.status_code, answer.get_json()["code"]) == (503, "outcome_unknown")
    assert "Retry-After" not in answer.headers
    assert lent(fragile.databases) == 0
