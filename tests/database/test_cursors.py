"""Server-side cursors: what was fetched and not taken is nobody else's, and closing disturbs nobody."""

import gc
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import peewee
import psycopg2
import pytest
from playhouse.postgres_ext import ServerSide, ServerSideQuery

from app.config import Settings
from app.database import Databases, application, db
from app.rcas import RCA
from app.tenancy import tenant_scope
from app.tenants import Tenant
from tests.factories import make_rca

NEW = {"title": "new", "issue_description": "…"}


@pytest.fixture
def one_connection(settings: Settings, acme: Tenant, globex: Tenant) -> Iterator[None]:
    """Acme with three analyses, globex with one, and a single connection for both."""
    for title in ("acme's", "acme's other", "acme's last"):
        make_rca(acme, title)
    make_rca(globex, "globex's")
    databases = Databases(replace(settings, db_pool_min=1, db_pool_max=1))
    with application(databases):
        yield
    databases.close()


@pytest.fixture
def peewees_own() -> Iterator[None]:
    """The planted fault: the cursor is kept on the query object, where Peewee keeps it."""
    ours = vars(ServerSideQuery)["_cursor_wrapper"]
    del ServerSideQuery._cursor_wrapper
    yield
    ServerSideQuery._cursor_wrapper = ours


def begun_by_one_and_read_by_another(acme: Tenant, globex: Tenant) -> list[str]:
    """What globex is shown of a kept server-side query of which acme took the first row only."""
    query, shown = ServerSideQuery(RCA.select().order_by(RCA.created_at)), []
    with tenant_scope(acme), db.atomic():
        assert next(iter(query)).title == "acme's"
    with tenant_scope(globex), db.atomic(), suppress(peewee.PeeweeException, psycopg2.Error):
        shown.extend(row.title for row in query)
    return shown


@pytest.mark.usefixtures("one_connection")
def test_a_kept_server_side_query_is_asked_anew(acme: Tenant, globex: Tenant) -> None:
    assert begun_by_one_and_read_by_another(acme, globex) == ["globex's"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it is closed too late
@pytest.mark.usefixtures("one_connection", "peewees_own")
def test_kept_on_the_query_what_one_fetched_would_be_shown_to_the_other(acme: Tenant, globex: Tenant) -> None:
    shown = begun_by_one_and_read_by_another(acme, globex)
    gc.collect()
    assert shown == ["acme's other", "acme's last"]


def broken_off(tenant: Tenant, *, failing: bool) -> None:
    """A job that reads one row of many, and leaves the rest; what Peewee keeps of it is a cycle."""
    with suppress(KeyError), tenant_scope(tenant), db.atomic():
        for _ in ServerSide(RCA.select()):
            if failing:
                raise KeyError
            break


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Cycles are collected when the test says so, as they are at any moment otherwise."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("failing", [False, True])
@pytest.mark.usefixtures("one_connection", "no_collector")
def test_a_cursor_that_is_collected_late_disturbs_no_other_tenants_transaction(
    acme: Tenant, globex: Tenant, failing: bool
) -> None:
    broken_off(acme, failing=failing)
    with tenant_scope(globex):
        with db.atomic():
            RCA.create(**NEW)
            gc.collect()
            RCA.create(**NEW)
        assert RCA.select().count() == 3


@pytest.mark.parametrize("failing", [False, True])
@pytest.mark.usefixtures("one_connection", "no_collector")
def test_nor_a_later_transaction_of_ones_own(acme: Tenant, failing: bool) -> None:
    def first_half() -> None:
        with suppress(KeyError), db.atomic():
            for _ in ServerSide(RCA.select()):
                if failing:
                    raise KeyError
                break

    with tenant_scope(acme):
        first_half()
        with db.atomic():
            gc.collect()
            RCA.create(**NEW)
        assert RCA.select().count() == 4


@pytest.mark.usefixtures("one_connection")
def test_one_that_is_read_to_its_end_is_closed_at_once(acme: Tenant) -> None:
    with tenant_scope(acme), db.atomic():
        assert len(list(ServerSide(RCA.select()))) == 3
        assert open_cursors() == 0


@pytest.mark.usefixtures("one_connection", "no_collector")
def test_what_was_broken_off_is_gone_for_the_next_borrower(acme: Tenant, globex: Tenant) -> None:
    broken_off(acme, failing=False)
    with tenant_scope(globex):
        assert open_cursors() == 0


def open_cursors() -> Any:
    """How many server-side cursors the connection of the unit in force has."""
    return db.execute_sql("SELECT count(*) FROM pg_cursors WHERE name LIKE 'cursor_%%'", ()).fetchone()[0]
