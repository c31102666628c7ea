"""Who may migrate, where, and with which limits."""

import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from app.config import Settings
from app.errors import DatabaseUnavailableError, MigrationError, NotOwnerError
from app.migrate import MigrationDatabase, Recorder, forbid_migrations, guard, migrate
from app.tenancy import tenant_scope
from app.tenants import Tenant
from tests.factories import make_environment
from tests.logins import as_owner

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("kind", [MigrationDatabase, Recorder])
def test_the_application_cannot_migrate(fresh: Settings, kind: type[MigrationDatabase]) -> None:
    database = kind(replace(fresh, db_owner_user=fresh.db_user, db_owner_password=fresh.db_password))
    with pytest.raises(NotOwnerError, match="'fixapp_app' is the application's role"):
        database.connect()


def test_who_owns_only_half_of_it_cannot_migrate(fresh: Settings, settings: Settings) -> None:
    with closing(as_owner(settings, fresh.db_name)) as conn, conn.cursor() as cursor:
        cursor.execute("CREATE TABLE stray (id int)")
    with pytest.raises(NotOwnerError, match="does not own the table stray, which belongs to postgres"):
        MigrationDatabase(fresh).connect()


def test_who_may_make_nothing_cannot_migrate(fresh: Settings, settings: Settings) -> None:
    with closing(as_owner(settings, fresh.db_name)) as conn, conn.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {fresh.db_name} OWNER TO postgres")
        cursor.execute(f"GRANT CONNECT ON DATABASE {fresh.db_name} TO {fresh.db_owner_user}")
    with pytest.raises(NotOwnerError, match="'fixapp_owner' may not create tables"):
        MigrationDatabase(fresh).connect()


def test_a_wrong_password_is_told_as_a_database_that_does_not_answer(fresh: Settings) -> None:
    with pytest.raises(DatabaseUnavailableError):
        MigrationDatabase(replace(fresh, db_owner_password="wrong")).connect()


def test_without_the_applications_role_the_remedy_is_to_bootstrap(fresh: Settings) -> None:
    with pytest.raises(MigrationError, match=r"'nobody' does not exist. Run `flask db-bootstrap`"):
        MigrationDatabase(replace(fresh, db_user="nobody")).connect()


@pytest.mark.parametrize(
    ("setting", "value"), [("lock_timeout", "1s"), ("statement_timeout", "1min"), ("row_security", "off")]
)
def test_the_connection_has_its_limits(product: MigrationDatabase, setting: str, value: str) -> None:
    assert product.execute_sql(f"SHOW {setting}").fetchone() == (value,)


def test_inside_a_request_nothing_migrates(acme: Tenant, product: MigrationDatabase) -> None:
    with tenant_scope(acme, request_id="abc"), pytest.raises(MigrationError, match="inside a request"):
        list(migrate(product))


def test_inside_a_scope_that_is_no_requests_it_does(acme: Tenant, product: MigrationDatabase) -> None:
    """The positive control of the test above."""
    with tenant_scope(acme):
        assert list(migrate(product))


def test_a_process_that_serves_does_not_migrate(
    product: MigrationDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "_serving", [])
    forbid_migrations("a server's process")
    with pytest.raises(MigrationError, match=r"inside a server's process. Run `flask db-migrate`"):
        list(migrate(product))


def test_what_a_server_imports_makes_its_process_such_a_one(fresh: Settings) -> None:
    script = (
        "import wsgi; from app.migrate import MigrationDatabase, migration_settings as read\n"
        "MigrationDatabase(read()).connect()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=make_environment(fresh) | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Migrations were started inside a server's process" in done.stderr


def test_a_process_that_does_not_serve_does(product: MigrationDatabase) -> None:
    assert list(migrate(product))
