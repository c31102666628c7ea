"""Each rule finds its planted fault, gives the SQL that mends it, and passes the clean twin."""

import pytest
from flask import Flask

from app.catalog import judge
from app.config import Settings
from app.database import db
from app.tenancy import platform_scope
from tests.gizmos import CLEAN, Judged

OPEN = "CREATE POLICY other ON gizmos"
FUNCTION = "CREATE FUNCTION app.strong() RETURNS int LANGUAGE sql"
ROLE = "the application's role"
# the rule, and the SQL that breaks it in a clean database
FAULTS = [
    ("row-level security enabled", "ALTER TABLE gizmos DISABLE ROW LEVEL SECURITY"),
    ("row-level security forced", "ALTER TABLE gizmos NO FORCE ROW LEVEL SECURITY"),
    ("tenant policy", "DROP POLICY gizmos_tenant ON gizmos"),
    ("tenant policy", f"DROP POLICY gizmos_tenant ON gizmos; {OPEN} AS RESTRICTIVE USING (true)"),
    ("canonical policy", f"{OPEN} USING (serial = 'shared' OR tenant_id = (SELECT app.current_tenant()))"),
    ("canonical policy", "ALTER POLICY gizmos_tenant ON gizmos WITH CHECK (tenant_id IS NOT NULL)"),
    ("canonical policy", f"{OPEN} FOR SELECT USING (tenant_id = current_setting('app.tenant_id')::uuid)"),
    ("canonical policy", f"{OPEN} FOR INSERT WITH CHECK (true)"),
    ("closed without a tenant", f"{OPEN} USING (true)"),
    ("closed without a tenant", f"{OPEN} USING (serial = 'shared')"),
    ("closed without a tenant", f"{OPEN} USING ((SELECT app.current_tenant()) IS NULL)"),
    ("closed without a tenant", f"{OPEN} USING (tenant_id = app.current_tenant() OR tenant_id IS NOT NULL)"),
    ("closed without a tenant", "CREATE POLICY other ON tenants USING (NOT (SELECT app.in_platform()))"),
    ("tenant_id NOT NULL", "ALTER TABLE gizmos ALTER tenant_id DROP NOT NULL"),
    (
        "tenant_id indexed",
        (
            "ALTER TABLE gizmos DROP CONSTRAINT uniq_gizmos_tenant_id_id;"
            "DROP INDEX uniq_gizmos_tenant_id_serial, idx_gizmos_tenant_id_rca_id"
        ),
    ),
    ("tenant_id first when unique", "CREATE UNIQUE INDEX uniq_gizmos_serial ON gizmos (serial)"),
    (
        "tenant_id first when unique",
        "CREATE UNIQUE INDEX uniq_gizmos_s ON gizmos (serial) WHERE serial > 'a'",
    ),
    ("tenant_id first when unique", "ALTER TABLE gizmos ADD CONSTRAINT uniq_gizmos_rca_id UNIQUE (rca_id)"),
    (
        "tenant_id first when unique",
        (
            "DROP MATERIALIZED VIEW gizmo_counts; DROP VIEW gizmo_serials;"
            "ALTER TABLE gizmos DROP CONSTRAINT gizmos_pkey, ADD CONSTRAINT gizmos_pkey PRIMARY KEY (serial)"
        ),
    ),
    (
        "composite foreign key",
        (
            "ALTER TABLE rcas ADD CONSTRAINT uniq_rcas_id UNIQUE (id);"
            "ALTER TABLE gizmos DROP CONSTRAINT fk_gizmos_rcas, ADD CONSTRAINT fk_gizmos_rcas"
            " FOREIGN KEY (rca_id) REFERENCES rcas (id)"
        ),
    ),
    ("view with its caller's rights", "ALTER VIEW gizmo_serials SET (security_invoker = false)"),
    ("view with its caller's rights", "ALTER VIEW gizmo_serials RESET (security_invoker)"),
    ("no access to a materialized view", "GRANT SELECT ON gizmo_counts TO fixapp_app"),
    ("no access to a materialized view", "GRANT SELECT ON gizmo_counts TO PUBLIC"),
    (
        "no access to a foreign table",
        (
            "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w;"
            "CREATE FOREIGN TABLE afar (id int) SERVER s; GRANT SELECT ON afar TO fixapp_app"
        ),
    ),
    (
        "no access to a partition",
        (
            "CREATE TABLE logs (id int) PARTITION BY RANGE (id);"
            "CREATE TABLE old_logs PARTITION OF logs DEFAULT; GRANT SELECT (id) ON old_logs TO fixapp_app"
        ),
    ),
    ("listed SECURITY DEFINER", f"{FUNCTION} SECURITY DEFINER SET search_path = pg_catalog RETURN 1"),
    ("fixed search_path", f"{FUNCTION} SECURITY DEFINER RETURN 1"),
    ("no LEAKPROOF", f"{FUNCTION} LEAKPROOF RETURN 1"),
    (f"{ROLE} is plain", "ALTER ROLE fixapp_app BYPASSRLS"),
    (f"{ROLE} is plain", "ALTER ROLE fixapp_app CREATEROLE CREATEDB"),
    (f"{ROLE} is plain", "ALTER ROLE fixapp_app SUPERUSER"),
    (f"{ROLE} is member of nothing", "GRANT pg_monitor TO fixapp_app"),
    (f"{ROLE} owns nothing", "ALTER TABLE gizmos OWNER TO fixapp_app"),
    (f"{ROLE} owns nothing", "ALTER FUNCTION app.harmless OWNER TO fixapp_app"),
    (f"{ROLE} creates nothing", "GRANT CREATE ON SCHEMA public TO fixapp_app"),
    (f"{ROLE} creates nothing", "GRANT CREATE ON SCHEMA app TO PUBLIC"),
    (f"{ROLE} creates nothing", "GRANT CREATE ON DATABASE fixapp_test TO fixapp_app"),
    (f"{ROLE} creates nothing", "GRANT TEMPORARY ON DATABASE fixapp_test TO PUBLIC"),
    (f"{ROLE} reads and writes rows only", "GRANT TRUNCATE ON gizmos TO fixapp_app"),
    (f"{ROLE} reads and writes rows only", "GRANT REFERENCES, TRIGGER ON gizmos TO PUBLIC"),
    (f"{ROLE} reads and writes rows only", "GRANT INSERT ON migratehistory TO fixapp_app"),
    ("table name", "ALTER TABLE gizmos RENAME TO gizmo"),
    ("table name", 'ALTER TABLE gizmos RENAME TO "GizmoParts"'),
    ("column name", 'ALTER TABLE gizmos RENAME serial TO "serialNo"'),
    ("index name", "ALTER INDEX uniq_gizmos_tenant_id_serial RENAME TO serials"),
    ("constraint name", "ALTER TABLE gizmos RENAME CONSTRAINT gizmos_pkey TO pk"),
    ("constraint name", "ALTER TABLE gizmos RENAME CONSTRAINT uniq_gizmos_tenant_id_id TO ids"),
    ("constraint name", "ALTER TABLE gizmos RENAME CONSTRAINT fk_gizmos_tenants TO gizmos_fkey"),
    ("constraint name", "ALTER TABLE gizmos RENAME CONSTRAINT chk_gizmos_serial_given TO serial"),
]


def test_the_migrated_database_is_right(app: Flask, settings: Settings) -> None:
    with platform_scope("a test"):
        found = judge(db, settings.db_user)
    assert [finding for finding in found if not finding.advice] == []


def test_a_clean_database_is_right(judged: Judged) -> None:
    assert judged(CLEAN) == []


@pytest.mark.parametrize(("rule", "statement"), FAULTS)
def test_a_fault_is_found_and_its_remedy_mends_it(judged: Judged, rule: str, statement: str) -> None:
    found = judged(CLEAN + statement)
    assert rule in {finding.rule for finding in found}
    for finding in found:
        judged(finding.remedy)
    left = judged()
    for finding in left:  # what a new name uncovers
        judged(finding.remedy)
    assert judged() == []


def test_a_tenant_id_of_another_type_is_found(judged: Judged) -> None:
    fault = "CREATE TABLE oddities (id uuid CONSTRAINT oddities_pkey PRIMARY KEY, tenant_id text)"
    found = {finding.rule: finding for finding in judged(fault)}
    assert (
        found["tenant_id uuid"].remedy
        == "ALTER TABLE oddities ALTER tenant_id TYPE uuid USING tenant_id::uuid"
    )


def test_a_fault_says_what_where_why_and_how(judged: Judged) -> None:
    (finding,) = judged(f"{CLEAN}; ALTER TABLE gizmos NO FORCE ROW LEVEL SECURITY")
    assert (finding.rule, finding.where) == ("row-level security forced", "gizmos")
    assert finding.why == "the owner sees every tenant's rows"
    assert finding.remedy == "ALTER TABLE gizmos FORCE ROW LEVEL SECURITY"


def test_a_listed_function_may_have_its_owners_rights(
    planted: object, judged: Judged, settings: Settings
) -> None:
    judged(f"{FUNCTION} SECURITY DEFINER SET search_path = pg_catalog RETURN 1")
    listed = judge(planted, settings.db_user, definers=frozenset({"app.strong()"}))
    assert [finding for finding in listed if not finding.advice] == []


def test_a_table_in_another_schema_is_judged_too(judged: Judged) -> None:
    found = judged("CREATE TABLE app.gizmos (id uuid CONSTRAINT gizmos_pkey PRIMARY KEY, tenant_id uuid)")
    assert ("row-level security enabled", "app.gizmos") in {(item.rule, item.where) for item in found}


def test_an_extensions_own_are_not_ours_to_judge(judged: Judged) -> None:
    if judged("SELECT FROM pg_available_extensions WHERE name = 'pg_stat_statements'") == []:
        assert judged("CREATE EXTENSION IF NOT EXISTS pg_stat_statements") == []
