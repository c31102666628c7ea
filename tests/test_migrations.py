"""Every file of migrations/ goes up, down and up again, and leaves the schema as it was."""

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from app import features
from app.bootstrap import bootstrap
from app.catalog import drift
from app.cli.expected import actual, by_migrations, by_models
from app.cli.scratch import scratch
from app.config import Settings
from app.migrate import MigrationDatabase, file_names, migrate, rollback
from dev.cluster import Cluster
from tests.dumps import dump
from tests.logins import as_owner

NAMES = file_names()
# a row for each table, put in by the superuser as soon as the table is there
ROWS = {
    "tenants": "INSERT INTO tenants (id, name, subdomain) VALUES ('{uuid}', 'Acme', 'acme')",
    "rcas": "INSERT INTO rcas (tenant_id, title, issue_description) VALUES ('{uuid}', 'Pump', 'It leaks.')",
}
# what a file of migrations/ may lack
FAULTS = [
    "ALTER TABLE rcas DROP COLUMN equipment_type",
    "ALTER TABLE rcas ALTER status DROP DEFAULT",
    "ALTER TABLE rcas ALTER title TYPE text",
    "ALTER TABLE rcas DROP CONSTRAINT chk_rcas_status_valid",
    "DROP INDEX idx_rcas_tenant_id_status",
    "DROP TRIGGER rcas_set_updated_at ON rcas",
    "ALTER TABLE rcas NO FORCE ROW LEVEL SECURITY",
    "DROP POLICY rcas_tenant ON rcas",
    "REVOKE DELETE ON rcas FROM fixapp_app",
    "CREATE OR REPLACE FUNCTION app.in_platform() RETURNS boolean LANGUAGE sql STABLE RETURN true",
]
features()
TENANT = "6f1b0c1e-0000-4000-8000-000000000001"


@pytest.fixture
def empty(settings: Settings) -> Iterator[Settings]:
    """The settings of a database that was never migrated."""
    own = replace(settings, db_name="fixapp_migrations")
    list(bootstrap(own))
    yield own
    with closing(as_owner(settings, "postgres")) as conn, conn.cursor() as cursor:
        cursor.execute("DROP DATABASE fixapp_migrations WITH (FORCE)")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("filled", [False, True], ids=["empty", "filled"])
def test_up_down_up_leaves_the_same_schema(
    server: Cluster, empty: Settings, name: str, *, filled: bool
) -> None:
    up_to(empty, name)
    first = dump(server, empty)
    if filled:
        fill(empty)
    with owner_of(empty) as database:
        list(rollback(database))
    before = dump(server, empty)
    up_to(empty, name)
    assert dump(server, empty) == first != before


def test_all_the_way_down_leaves_nothing(server: Cluster, empty: Settings) -> None:
    with owner_of(empty) as database:
        database.connect()
    untouched = dump(server, empty)
    with owner_of(empty) as database:
        list(migrate(database))
        list(rollback(database, count=len(NAMES)))
    assert dump(server, empty) == untouched


def test_the_models_are_what_the_migrations_make(settings: Settings) -> None:
    """A model was changed without its migration? Run `flask db-revision NAME`."""
    with scratch(settings) as empty:
        wanted, found = by_models(empty), by_migrations(empty)
    assert drift(found, wanted, by="the models") == []


@pytest.mark.parametrize("fault", FAULTS)
def test_a_forgotten_migration_would_be_found(settings: Settings, fault: str) -> None:
    with scratch(settings) as empty:
        wanted = by_models(empty)
        by_migrations(empty)
        with owner_of(empty) as database:
            database.execute_sql(fault)
            found = actual(database)
    assert len(drift(found, wanted, by="the models")) == 1


def test_a_rollback_that_forgets_something_would_be_found(server: Cluster, empty: Settings) -> None:
    up_to(empty, NAMES[0])
    first = dump(server, empty)
    with closing(as_owner(empty)) as conn, conn.cursor() as cursor:
        cursor.execute("CREATE FUNCTION app.forgotten() RETURNS int LANGUAGE sql RETURN 1")
    assert dump(server, empty) != first


def test_the_files_are_numbered_without_gaps() -> None:
    assert [int(name[:3]) for name in NAMES] == list(range(1, len(NAMES) + 1))


@pytest.mark.parametrize("name", NAMES)
def test_a_file_says_in_its_first_line_what_it_is_for(name: str) -> None:
    text = (Path(__file__).parents[1] / "migrations" / f"{name}.py").read_text()
    assert re.match(r'"""[A-Z].{10,}\.(\n|""")', text)


@contextmanager
def owner_of(settings: Settings) -> Iterator[MigrationDatabase]:
    """The owner's database, its lock given back afterwards."""
    database = MigrationDatabase(settings)
    yield database
    database.close_all()


def up_to(settings: Settings, name: str) -> None:
    """Migrate as far as one file."""
    with owner_of(settings) as database:
        for step in migrate(database):
            if step.name == name:
                break


def fill(settings: Settings) -> None:
    """Put a row into every table there is."""
    with closing(as_owner(settings)) as conn, conn.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
        tables = {table for (table,) in cursor.fetchall()}
        for table, statement in ROWS.items():
            if table in tables:
                cursor.execute(statement.format(uuid=TENANT))
