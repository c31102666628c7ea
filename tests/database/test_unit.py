"""The unit of work: one connection, taken late and given back; one transaction, which it ends itself."""

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import peewee
import pytest
from psycopg2.extensions import connection as Connection

from app.config import Settings
from app.database import TENANT_IN_FORCE, Databases, Principal, Unit, application, current_unit, db
from app.errors import NoTenantError, OpenTransactionError, ScopeSwapError
from app.pool import Connection as PooledConnection
from app.rcas import RCA
from app.tenancy import platform_scope, tenant_scope
from app.tenants import Tenant
from tests.database import lent, wait_until_all_are_back
from tests.factories import make_rca
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("app")

TITLES = "SELECT title FROM rcas ORDER BY title"


def titles() -> list[str]:
    """The titles the database shows, whatever the ORM would add."""
    return [title for (title,) in db.execute_sql(TITLES).fetchall()]


def fail() -> None:
    """What goes wrong in the caller's own code."""
    raise ZeroDivisionError


def in_a_unit(tenant: Tenant, *acts: Callable[[], object]) -> None:
    """Do one thing after another in a unit of a tenant's."""
    with tenant_scope(tenant):
        for act in acts:
            act()


def backend() -> int:
    """The process that serves this unit at the server."""
    (pid,) = db.execute_sql("SELECT pg_backend_pid()").fetchone()
    return int(pid)


# --- one connection --------------------------------------------------------------------------------


def test_a_unit_takes_its_connection_at_its_first_statement(databases: Databases, acme: Tenant) -> None:
    with tenant_scope(acme):
        assert lent(databases) == 0
        titles()
        assert lent(databases) == 1
    assert lent(databases) == 0


def test_a_unit_without_statements_asks_the_pool_for_nothing(databases: Databases, acme: Tenant) -> None:
    before = databases.shared.get_stats()["requests_num"]
    with tenant_scope(acme):
        pass
    assert databases.shared.get_stats()["requests_num"] == before


def test_the_same_scope_inside_is_the_same_unit(databases: Databases, acme: Tenant) -> None:
    with tenant_scope(acme, actor="user:1"):
        outer, pid = current_unit(), backend()
        with tenant_scope(acme):
            assert (current_unit(), backend(), lent(databases)) == (outer, pid, 1)
        assert (current_unit(), backend(), lent(databases)) == (outer, pid, 1)


def test_an_inner_scope_ends_no_transaction_of_the_outer(acme: Tenant) -> None:
    with tenant_scope(acme), db.atomic():
        with tenant_scope(acme):
            RCA.create(title="Pump leaks", issue_description="It leaks.")
        assert db.in_transaction()
        assert titles() == ["Pump leaks"]


def test_a_connection_comes_back_from_a_unit_that_fails(databases: Databases, acme: Tenant) -> None:
    with pytest.raises(ZeroDivisionError):
        in_a_unit(acme, titles, fail)
    assert lent(databases) == 0


def work_and_forget(databases: Databases, tenant: Tenant) -> None:
    """Enter a unit, take its connection, and never leave."""
    unit = Unit(Principal(tenant.id), databases)
    unit.enter()
    titles()


def test_a_unit_whose_thread_ends_without_leaving_it_gives_its_connection_back(
    databases: Databases, acme: Tenant, caplog: pytest.LogCaptureFixture
) -> None:
    before = databases.shared.get_stats()["leaks"]
    thread = threading.Thread(target=work_and_forget, args=(databases, acme))
    thread.start()
    thread.join()
    # told after it was taken back, by the maintenance worker
    wait_until(lambda: "test_unit.py" in caplog.text, 10)
    wait_until_all_are_back(databases)
    assert databases.shared.get_stats()["leaks"] == before + 1
    assert "in titles" in caplog.text


# --- outside any unit ------------------------------------------------------------------------------

STATEMENTS: dict[str, Callable[[], Any]] = {
    "SQL": lambda: db.execute_sql("SELECT 1"),
    "a model's query": lambda: list(RCA.select()),
    "a registry's query": lambda: list(Tenant.select()),
    "one row": lambda: RCA.find(RCA().id),
    "a transaction": lambda: db.atomic().__enter__(),
    "a cursor": db.cursor,
    "a connection": db.connection,
    "a call to connect": db.connect,
}


@pytest.mark.parametrize("act", STATEMENTS.values(), ids=STATEMENTS)
def test_outside_any_unit_nothing_is_sent(act: Callable[[], Any], databases: Databases) -> None:
    before = databases.shared.get_stats()["requests_num"]
    with pytest.raises(NoTenantError):
        act()
    assert databases.shared.get_stats()["requests_num"] == before


def test_after_a_unit_nothing_is_sent(acme: Tenant) -> None:
    with tenant_scope(acme):
        titles()
    with pytest.raises(NoTenantError):
        titles()


# --- the tenant as a parameter ---------------------------------------------------------------------

WHO = peewee.RawQuery("SELECT %s", (TENANT_IN_FORCE,)).tuples().bind(db)
ALL = RCA.select()


def test_a_kept_query_names_each_units_own_tenant(acme: Tenant, globex: Tenant) -> None:
    for tenant in (acme, globex, acme):
        with tenant_scope(tenant):
            assert list(WHO) == [(tenant.id,)]


def test_a_kept_statement_is_the_same_for_every_tenant(acme: Tenant, globex: Tenant) -> None:
    with tenant_scope(acme):
        first = ALL.sql()
    with tenant_scope(globex):
        assert ALL.sql() == first
    assert first[1] == [TENANT_IN_FORCE]


def test_the_platform_is_no_tenant_to_be_named() -> None:
    with platform_scope("curiosity"), pytest.raises(NoTenantError):
        list(ALL)


# --- a transaction that was begun by hand ----------------------------------------------------------


def begin_by_hand() -> None:
    """What nobody should do: a transaction Peewee knows nothing of."""
    db.execute_sql("BEGIN")


def begin_with_a_cursor() -> None:
    """What nobody should do, past the unit's own statements too."""
    db.connection().cursor().execute("BEGIN")


def leave_open(tenant: Tenant, begin: Callable[[], None] = begin_by_hand) -> None:
    """A unit that ends in a transaction of its own making."""
    with tenant_scope(tenant):
        begin()
        titles()


@pytest.fixture
def in_production(databases: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rules of production for the units of this test."""
    monkeypatch.setattr(databases, "settings", replace(databases.settings, app_env="production"))


@pytest.mark.parametrize("begin", [begin_by_hand, begin_with_a_cursor])
def test_an_open_transaction_is_an_error_that_names_its_place(
    begin: Callable[[], None], acme: Tenant
) -> None:
    place = rf"{acme.id}.*test_unit\.py:\d+ in {begin.__name__}"
    with pytest.raises(OpenTransactionError, match=place):
        leave_open(acme, begin)


@pytest.mark.usefixtures("in_production")
def test_in_production_it_is_only_logged(acme: Tenant, caplog: pytest.LogCaptureFixture) -> None:
    leave_open(acme)
    assert "in begin_by_hand" in caplog.text
    assert [record.levelno for record in caplog.records if "begin_by_hand" in record.message] == [
        logging.ERROR
    ]


def test_it_masks_no_error_under_way(acme: Tenant, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ZeroDivisionError):
        in_a_unit(acme, begin_by_hand, fail)
    assert "in begin_by_hand" in caplog.text


@pytest.mark.usefixtures("in_production")
@pytest.mark.parametrize("begin", [begin_by_hand, begin_with_a_cursor])
def test_it_is_rolled_back(begin: Callable[[], None], databases: Databases, acme: Tenant) -> None:
    with tenant_scope(acme):
        begin()
        db.execute_sql(f"SELECT set_config('app.tenant_id', '{acme.id}', true)")
        RCA.create(title="Never", issue_description="It was not committed.")
    assert lent(databases) == 0
    with tenant_scope(acme):
        assert titles() == []


@pytest.mark.usefixtures("in_production")
@pytest.mark.parametrize("begin", [begin_by_hand, begin_with_a_cursor])
def test_the_next_unit_reads_its_own_rows(begin: Callable[[], None], acme: Tenant, globex: Tenant) -> None:
    make_rca(acme, "Acme's")
    make_rca(globex, "Globex's")
    with tenant_scope(globex), db.atomic():
        titles()
    leave_open(acme, begin)
    with tenant_scope(globex):
        assert titles() == ["Globex's"]


@pytest.mark.usefixtures("in_production")
def test_lent_on_in_its_transaction_it_would_read_the_other_tenants(
    acme: Tenant, globex: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_rca(acme, "Acme's")
    make_rca(globex, "Globex's")
    monkeypatch.setattr(PooledConnection, "can_be_lent", lambda _: True)
    leave_open(acme)
    with tenant_scope(globex):
        found = titles()
        db.execute_sql("ROLLBACK")
    assert found == ["Acme's"]


def test_one_begun_and_ended_by_hand_is_nobodys_business(acme: Tenant) -> None:
    with tenant_scope(acme):
        begin_by_hand()
        db.execute_sql("COMMIT")
        assert titles() == []


@pytest.mark.parametrize("begin", [begin_by_hand, begin_with_a_cursor])
def test_atomic_inside_one_is_refused(begin: Callable[[], None], acme: Tenant) -> None:
    with pytest.raises(ScopeSwapError, match="begun by hand"):
        in_a_unit(acme, begin, db.atomic().__enter__)


def test_an_atomic_block_left_open_is_rolled_back_without_complaint(acme: Tenant) -> None:
    with tenant_scope(acme):
        db.atomic().__enter__()
        RCA.create(title="Never", issue_description="It was not committed.")
    with tenant_scope(acme):
        assert titles() == []


# --- how long a statement may take -----------------------------------------------------------------

# longer than the role allows and than the pool would wait for a server that enforces it
LONG = "SELECT pg_sleep(1.5)"


@pytest.fixture
def hasty(settings: Settings, admin: Connection, acme: Tenant, globex: Tenant) -> Iterator[Databases]:
    """A database where the application's statements may take 0.2 s, with a pool of one connection."""
    with admin.cursor() as cursor:
        cursor.execute("CREATE DATABASE hasty")
        cursor.execute(f"ALTER ROLE {settings.db_user} IN DATABASE hasty SET statement_timeout = '200ms'")
    own = Databases(replace(settings, db_name="hasty", db_pool_min=1, db_pool_max=1))
    with application(own):
        yield own
    own.close()
    with admin.cursor() as cursor:
        cursor.execute("DROP DATABASE hasty WITH (FORCE)")


def test_a_statement_ends_when_the_role_says_so(hasty: Databases, acme: Tenant) -> None:
    with pytest.raises(peewee.OperationalError, match="statement timeout"), tenant_scope(acme):
        db.execute_sql(LONG)


def test_a_job_may_take_longer(hasty: Databases, acme: Tenant) -> None:
    with tenant_scope(acme, statement_timeout=30):
        db.execute_sql(LONG)
        with db.atomic():
            db.execute_sql(LONG)


def test_the_next_unit_has_the_roles_own_time_again(hasty: Databases, acme: Tenant, globex: Tenant) -> None:
    with tenant_scope(acme, statement_timeout=30):
        first = backend()
    seen: list[int] = []
    with pytest.raises(peewee.OperationalError, match="statement timeout"):
        in_a_unit(globex, lambda: seen.append(backend()), lambda: db.execute_sql(LONG))
    assert seen == [first]


def test_a_time_of_ones_own_may_be_shorter_too(acme: Tenant) -> None:
    timeout = pytest.raises(peewee.OperationalError, match="statement timeout")
    with timeout, tenant_scope(acme, statement_timeout=0.05):
        db.execute_sql(LONG)


def test_a_thread_of_ones_own_is_a_unit_of_its_own(databases: Databases, acme: Tenant) -> None:
    with tenant_scope(acme), ThreadPoolExecutor(1) as pool:
        titles()
        with pytest.raises(NoTenantError):
            pool.submit(titles).result()
        assert lent(databases) == 1
