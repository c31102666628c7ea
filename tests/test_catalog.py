"""Reading and judging a database: each rule finds its planted fault and passes its clean twin."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask import Flask
from psycopg2.extensions import connection as Connection

from app.catalog import Finding, judge, read_tables
from app.database import db
from app.tenancy import platform_scope

CLEAN = """
CREATE TABLE machines (
    id uuid CONSTRAINT machines_pkey PRIMARY KEY,
    tenant_id uuid NOT NULL CONSTRAINT fk_machines_tenants REFERENCES tenants (id),
    serial text CONSTRAINT chk_machines_serial_given CHECK (serial <> ''));
CREATE UNIQUE INDEX uniq_machines_tenant_id_serial ON machines (tenant_id, serial);
ALTER TABLE machines ENABLE ROW LEVEL SECURITY;
ALTER TABLE machines FORCE ROW LEVEL SECURITY;
CREATE POLICY machines_tenant ON machines USING (tenant_id = (SELECT app.current_tenant()));
"""
# the rule, and the SQL that breaks it in a clean table
FAULTS = [
    ("row-level security enabled", "ALTER TABLE machines DISABLE ROW LEVEL SECURITY"),
    ("row-level security forced", "ALTER TABLE machines NO FORCE ROW LEVEL SECURITY"),
    ("tenant policy", "DROP POLICY machines_tenant ON machines"),
    ("tenant_id NOT NULL", "ALTER TABLE machines ALTER tenant_id DROP NOT NULL"),
    ("tenant_id indexed", "DROP INDEX uniq_machines_tenant_id_serial"),
    ("table name", "ALTER TABLE machines RENAME TO machine"),
    ("table name", 'ALTER TABLE machines RENAME TO "SpareParts"'),
    ("column name", 'ALTER TABLE machines RENAME serial TO "serialNo"'),
    ("index name", "ALTER INDEX uniq_machines_tenant_id_serial RENAME TO serials"),
    ("constraint name", "ALTER TABLE machines RENAME CONSTRAINT machines_pkey TO pk"),
    ("constraint name", "ALTER TABLE machines RENAME CONSTRAINT fk_machines_tenants TO machines_fkey"),
    ("constraint name", "ALTER TABLE machines RENAME CONSTRAINT chk_machines_serial_given TO serial"),
]


@contextmanager
def planted(admin: Connection, statement: str) -> Iterator[None]:
    """Run SQL on the database for the length of a block."""
    with admin.cursor() as cursor:
        cursor.execute(CLEAN + statement)
    try:
        yield
    finally:
        with admin.cursor() as cursor:
            for name in ("machines", "machine", '"SpareParts"'):
                cursor.execute(f"DROP TABLE IF EXISTS {name}")


def findings() -> list[Finding]:
    """What the application's role finds."""
    with platform_scope("a test"):
        return judge(read_tables(db))


def test_the_migrated_database_is_right(app: Flask) -> None:
    assert findings() == []


def test_a_clean_table_is_right(app: Flask, admin: Connection) -> None:
    with planted(admin, ""):
        assert findings() == []


@pytest.mark.parametrize(("rule", "statement"), FAULTS)
def test_a_fault_is_found_with_its_remedy(app: Flask, admin: Connection, rule: str, statement: str) -> None:
    with planted(admin, statement):
        found = findings()
    assert rule in {finding.rule for finding in found}
    assert all(finding.remedy.startswith(("ALTER", "CREATE")) for finding in found)


@pytest.mark.parametrize(
    ("rule", "statement"), [fault for fault in FAULTS[:5] if fault[0] != "tenant policy"]
)
def test_the_remedy_mends(app: Flask, admin: Connection, rule: str, statement: str) -> None:
    with planted(admin, statement):
        with admin.cursor() as cursor:
            for finding in findings():
                cursor.execute(finding.remedy)
        assert findings() == []


def test_a_table_is_read_whole(app: Flask, admin: Connection) -> None:
    with planted(admin, ""), platform_scope("a test"):
        table = next(table for table in read_tables(db) if table.name == "machines")
    assert [(column.name, column.type, column.not_null) for column in table.columns] == [
        ("id", "uuid", True),
        ("tenant_id", "uuid", True),
        ("serial", "text", False),
    ]
    assert table.indexes[1].columns == ("tenant_id", "serial")
    assert (table.row_security, table.row_security_forced, table.policies) == (True, True, 1)
