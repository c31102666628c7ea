"""The tenant on every message, and nothing without one."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import peewee
import pytest
from flask import Flask
from playhouse.postgres_ext import ServerSide
from psycopg2.extensions import connection as Connection

from app.config import Settings
from app.database import Databases, application, db
from app.errors import (
    DatabaseNotReadyError,
    NamedCursorError,
    NoTenantError,
    OpenTransactionError,
    PoolTimeoutError,
    ScopeSwapError,
    UnsafeRoleError,
    WrongTenantError,
)
from app.http import FixApp
from app.rcas import RCA
from app.tenancy import platform_scope, tenant_scope
from app.tenants import Tenant
from tests.factories import make_rca

SET_TENANT = "SELECT current_setting('app.tenant_id', true)"


def test_a_statement_outside_any_scope_is_refused_before_it_is_sent(app: Flask) -> None:
    with pytest.raises(NoTenantError):
        RCA.select().count()
    assert db.is_closed()


def test_a_transaction_outside_any_scope_is_refused(app: Flask) -> None:
    with pytest.raises(NoTenantError), db.atomic():
        pass


def test_a_statement_carries_its_tenant(acme: Tenant) -> None:
    with tenant_scope(acme):
        assert db.execute_sql(SET_TENANT).fetchone() == (str(acme.id),)


def test_nothing_is_left_on_the_connection(acme: Tenant) -> None:
    with tenant_scope(acme):
        db.execute_sql("SELECT 1")
        with db.atomic():
            db.execute_sql("SELECT 1")
        cursor = db.connection().cursor()
        cursor.execute(SET_TENANT)
        assert cursor.fetchone() == ("",)


def test_a_raw_cursor_sees_no_rows(acme: Tenant) -> None:
    make_rca(acme)
    with tenant_scope(acme):
        cursor = db.connection().cursor()
        cursor.execute("SELECT count(*) FROM rcas")
        assert cursor.fetchone() == (0,)


def test_a_transaction_keeps_its_tenant_through_savepoints(acme: Tenant) -> None:
    with tenant_scope(acme), db.atomic():
        with db.atomic() as savepoint:
            RCA.create(title="undone", issue_description="…")
            savepoint.rollback()
        RCA.create(title="kept", issue_description="…")
        assert [rca.title for rca in RCA.select()] == ["kept"]


def test_a_transaction_keeps_its_tenant_when_it_begins_anew(acme: Tenant) -> None:
    with tenant_scope(acme), db.atomic() as transaction:
        make_rca(acme)
        transaction.commit()
        assert RCA.select().count() == 1


def test_a_serializable_transaction_carries_its_tenant(acme: Tenant) -> None:
    with tenant_scope(acme), db.atomic("SERIALIZABLE"):
        assert db.execute_sql("SHOW transaction_isolation").fetchone() == ("serializable",)
        assert db.execute_sql(SET_TENANT).fetchone() == (str(acme.id),)


def test_the_scope_cannot_change_inside_a_transaction(acme: Tenant, globex: Tenant) -> None:
    with tenant_scope(acme), db.atomic(), pytest.raises(ScopeSwapError), tenant_scope(globex):
        pass


def test_a_transaction_does_not_outlive_its_scope(acme: Tenant, globex: Tenant) -> None:
    with tenant_scope(acme):
        db.atomic().__enter__()
        RCA.create(title="undone", issue_description="…")
    with tenant_scope(globex):
        assert db.execute_sql(SET_TENANT).fetchone() == (str(globex.id),)
    with tenant_scope(acme):
        assert RCA.select().count() == 0


def test_a_transaction_begun_by_hand_is_not_begun_again(acme: Tenant) -> None:
    with tenant_scope(acme):
        db.begin()
        with pytest.raises(ScopeSwapError), db.atomic():
            pass
        db.rollback()


def test_a_transaction_begun_by_hand_does_not_outlive_its_scope(acme: Tenant, globex: Tenant) -> None:
    scope = tenant_scope(acme)
    scope.__enter__()
    db.begin()
    RCA.create(title="undone", issue_description="…")
    with pytest.raises(OpenTransactionError, match=str(acme.id)):
        scope.__exit__(None, None, None)
    with tenant_scope(globex):
        assert db.execute_sql(SET_TENANT).fetchone() == (str(globex.id),)
    with tenant_scope(acme):
        assert RCA.select().count() == 0


def test_a_server_side_cursor_outside_a_transaction_is_refused(acme: Tenant) -> None:
    with tenant_scope(acme), pytest.raises(NamedCursorError, match="atomic"):
        list(ServerSide(RCA.select()))


def test_a_server_side_cursor_in_a_transaction_sees_its_tenant(acme: Tenant, globex: Tenant) -> None:
    make_rca(acme)
    make_rca(globex)
    with tenant_scope(acme), db.atomic():
        assert len(list(ServerSide(RCA.select()))) == 1


def test_a_row_of_another_tenant_cannot_be_written(acme: Tenant, globex: Tenant) -> None:
    row = {"title": "planted", "issue_description": "…", "tenant_id": globex.id}
    with tenant_scope(acme), pytest.raises(WrongTenantError, match=str(acme.id)):
        RCA.insert_many([row]).execute()


def test_an_error_keeps_its_name(acme: Tenant) -> None:
    with tenant_scope(acme), pytest.raises(peewee.IntegrityError) as caught:
        RCA.create(title="x", issue_description="…", status="lost")
    assert caught.value.orig.diag.constraint_name == "chk_rcas_status_valid"


def test_a_percent_sign_and_a_semicolon_are_only_text(acme: Tenant) -> None:
    with tenant_scope(acme):
        make_rca(acme, "100 % ; DROP TABLE rcas; --")
        assert RCA.select().where(RCA.title.contains("100 % ;")).count() == 1


def test_the_clock_is_utc_and_the_process_is_named(acme: Tenant) -> None:
    with tenant_scope(acme):
        zone, name = db.execute_sql(
            "SELECT current_setting('TimeZone'), current_setting('application_name')"
        ).fetchone()
    assert zone == "UTC"
    assert name.startswith("fixapp ")


def test_observers_see_a_statement_as_it_was_written(
    acme: Tenant, databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, Any]] = []
    monkeypatch.setattr(databases, "observers", [lambda sql, params, _seconds: seen.append((sql, params))])
    with tenant_scope(acme), db.atomic():
        db.execute_sql("SELECT %s;\nSELECT 2", (1,))
    assert seen == [("SELECT %s;\nSELECT 2", (1,))]


def test_a_superuser_is_refused(app: Flask, settings: Settings) -> None:
    strong = replace(settings, db_user=settings.db_owner_user, db_password=settings.db_owner_password)
    with pytest.raises(UnsafeRoleError, match=r"superuser.*db-bootstrap"):
        refusal(strong)


def test_a_superuser_is_refused_at_every_statement_too(app: Flask, settings: Settings) -> None:
    strong = replace(settings, db_user=settings.db_owner_user, db_password=settings.db_owner_password)
    refused = pytest.raises(UnsafeRoleError, match="superuser")
    with opened(strong) as databases, application(databases), platform_scope("a test"), refused:
        db.execute_sql("SELECT 1")


def test_an_owner_of_tables_is_refused(app: Flask, settings: Settings, admin: Connection) -> None:
    with admin.cursor() as cursor:
        cursor.execute(
            "CREATE ROLE other_owner LOGIN PASSWORD 'x'; GRANT CONNECT ON DATABASE fixapp_test TO other_owner"
        )
        cursor.execute("CREATE TABLE owned (id int); ALTER TABLE owned OWNER TO other_owner")
    try:
        with pytest.raises(UnsafeRoleError, match="'other_owner' owns tables"):
            refusal(replace(settings, db_user="other_owner", db_password="x"))
    finally:
        with admin.cursor() as cursor:
            cursor.execute("DROP OWNED BY other_owner; DROP ROLE other_owner")


def test_a_member_of_a_strong_role_is_refused(app: Flask, settings: Settings, admin: Connection) -> None:
    with admin.cursor() as cursor:
        cursor.execute("CREATE ROLE strong BYPASSRLS; GRANT strong TO fixapp_app")
    try:
        with pytest.raises(UnsafeRoleError, match="bypass"):
            refusal(settings)
    finally:
        with admin.cursor() as cursor:
            cursor.execute("DROP ROLE strong")


def test_a_database_that_is_not_there_is_named_with_its_place(settings: Settings) -> None:
    with pytest.raises(DatabaseNotReadyError, match=r"fixapp_test at 127.0.0.1:1 .*DB_HOST"):
        refusal(replace(settings, db_port=1))


def test_the_last_free_connection_is_waited_for_and_then_refused(app: Flask, settings: Settings) -> None:
    small = replace(settings, db_pool_min=1, db_pool_max=1, db_connect_timeout=0.5)
    refused = pytest.raises(PoolTimeoutError, match=r"0.5 s")
    with opened(small) as databases, application(databases), ExitStack() as stack:
        stack.enter_context(databases.shared.connection())
        stack.enter_context(platform_scope("a test"))
        with refused:
            db.execute_sql("SELECT 1")


def test_a_connection_killed_while_idle_is_replaced_unseen(acme: Tenant, admin: Connection) -> None:
    with platform_scope("a test"):
        db.execute_sql("SELECT 1")
        db.close()
        with admin.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity WHERE usename = 'fixapp_app'"
            )
        assert db.execute_sql("SELECT 1").fetchone() == (1,)


def test_a_unit_uses_the_databases_of_the_application_it_began_in(app: FixApp, settings: Settings) -> None:
    with opened(replace(settings, db_pool_max=2)) as other, application(other), platform_scope("a test"):
        db.execute_sql("SELECT 1")
        assert other.shared.get_stats()["requests_num"] == 1


def refusal(settings: Settings) -> None:
    """Have these settings checked, as before serving."""
    with opened(settings) as databases:
        databases.check()


@contextmanager
def opened(settings: Settings) -> Iterator[Databases]:
    """The databases of another application, beside the application's own."""
    databases = Databases(settings)
    try:
        yield databases
    finally:
        databases.close()
