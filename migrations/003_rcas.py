"""Root-cause analyses: tenant-scoped and soft-deleted, the pattern of every feature's table."""

from peewee_migrate import Migrator

from app.migrate import MigrationDatabase

UP = """
CREATE TABLE rcas (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    tenant_id uuid NOT NULL,
    title varchar(255) NOT NULL,
    issue_description text NOT NULL,
    equipment_type varchar(100),
    status varchar(50) DEFAULT 'open' NOT NULL,
    created_at timestamptz DEFAULT CURRENT_TIMESTAMP NOT NULL,
    updated_at timestamptz DEFAULT CURRENT_TIMESTAMP NOT NULL,
    deleted_at timestamptz,
    CONSTRAINT rcas_pkey PRIMARY KEY (id),
    CONSTRAINT fk_rcas_tenants FOREIGN KEY (tenant_id) REFERENCES tenants (id),
    CONSTRAINT uniq_rcas_tenant_id_id UNIQUE (tenant_id, id),
    CONSTRAINT chk_rcas_status_valid CHECK (status IN ('open', 'investigating', 'resolved', 'closed'))
);

CREATE INDEX idx_rcas_tenant_id_created_at_id ON rcas (tenant_id, created_at DESC, id DESC);
CREATE INDEX idx_rcas_tenant_id_status ON rcas (tenant_id, status);
CREATE INDEX idx_rcas_tenant_id_created_at_id_alive ON rcas (tenant_id, created_at DESC, id DESC)
    WHERE deleted_at IS NULL;

CREATE TRIGGER rcas_set_updated_at BEFORE UPDATE ON rcas
    FOR EACH ROW EXECUTE FUNCTION app.set_updated_at();

ALTER TABLE rcas ENABLE ROW LEVEL SECURITY;
ALTER TABLE rcas FORCE ROW LEVEL SECURITY;
CREATE POLICY rcas_tenant ON rcas
    USING (tenant_id = (SELECT app.current_tenant()))
    WITH CHECK (tenant_id = (SELECT app.current_tenant()));
"""

DOWN = """
DROP TABLE rcas;
"""


def migrate(migrator: Migrator, database: MigrationDatabase, *, fake: bool = False) -> None:
    """Make the table, closed to everybody but the tenant in force."""
    migrator.sql(UP)
    migrator.sql(f"GRANT SELECT, INSERT, UPDATE, DELETE ON rcas TO {database.application_role}")


def rollback(migrator: Migrator, database: MigrationDatabase, *, fake: bool = False) -> None:
    """Drop the table, with every analysis in it."""
    migrator.sql(DOWN)
