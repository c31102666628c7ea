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
CREATE TABLE gizmos (
    id uuid CONSTRAINT gizmos_pkey PRIMARY KEY,
    tenant_id uuid NOT NULL CONSTRAINT fk_gizmos_tenants REFERENCES tenants (id),
    serial text CONSTRAINT chk_gizmos_serial_given CHECK (serial <> ''));
CREATE UNIQUE INDEX uniq_gizmos_tenant_id_serial ON gizmos (tenant_id, serial);
ALTER TABLE gizmos ENABLE ROW LEVEL SECURITY;
ALTER TABLE gizmos FORCE ROW LEVEL SECURITY;
CREATE POLICY gizmos_tenant ON gizmos USING (tenant_id = (SELECT app.current_tenant()));
"""
# the rule, and the SQL that breaks it in a clean table
FAULTS = [
    ("row-level security enabled", "ALTER TABLE gizmos DISABLE ROW LEVEL SECURITY"),
    ("row-level security forced", "ALTER TABLE gizmos NO FORCE ROW LEVEL SECURITY"),
    ("tenant policy", "DROP POLICY gizmos_tenant ON gizmos"),
    ("tenant_id NOT NULL", "ALTER TABLE gizmos ALTER tenant_id DROP NOT NULL"),
    ("tenant_id indexed", "DROP INDEX uniq_gizmos_tenant_id_serial"),
    ("table name", "ALTER TABLE gizmos RENAME TO gizmo"),
    ("table name", 'ALTER TABLE gizmos RENAME TO "GizmoParts"'),
    ("column name", 'ALTER TABLE gizmos RENAME serial TO "serialNo"'),
    ("index name", "ALTER INDEX uniq_gizmos_tenant_id_serial RENAME TO serials"),
    ("constraint name", "ALTER TABLE gizmos RENAME CONSTRAINT gizmos_pkey TO pk"),
    ("constraint name", "ALTER TABLE gizmos RENAME CONSTRAINT fk_gizmos_tenants TO gizmos_fkey"),
    ("constraint name", "ALTER TABLE gizmos RENAME CONSTRAINT chk_gizmos_serial_given TO serial"),
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
            for name in ("gizmos", "gizmo", '"GizmoParts"'):
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
        table = next(table for table in read_tables(db) if table.name == "gizmos")
    assert [(column.name, column.type, column.not_null) for column in table.columns] == [
        ("id", "uuid", True),
        ("tenant_id", "uuid", True),
        ("serial", "text", False),
    ]
    assert table.indexes[1].columns == ("tenant_id", "serial")
    assert (table.row_security, table.row_security_forced, table.policies) == (True, True, 1)
