"""The registry of tenants, the one table that belongs to no tenant.

In a tenant's scope its own row can be read; in a platform scope all rows can be read and
written; otherwise nothing is there.
"""

from peewee_migrate import Migrator

from app.migrate import MigrationDatabase

UP = """
CREATE TABLE tenants (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    name varchar(255) NOT NULL,
    subdomain varchar(63) NOT NULL,
    status varchar(50) DEFAULT 'active' NOT NULL,
    settings jsonb DEFAULT '{}' NOT NULL,
    created_at timestamptz DEFAULT CURRENT_TIMESTAMP NOT NULL,
    updated_at timestamptz DEFAULT CURRENT_TIMESTAMP NOT NULL,
    CONSTRAINT tenants_pkey PRIMARY KEY (id),
    CONSTRAINT chk_tenants_status_valid CHECK (status IN ('active', 'suspended', 'archived')),
    CONSTRAINT chk_tenants_subdomain_valid CHECK (subdomain ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$')
);

CREATE UNIQUE INDEX uniq_tenants_subdomain ON tenants (subdomain);
CREATE INDEX idx_tenants_status ON tenants (status);

CREATE TRIGGER tenants_set_updated_at BEFORE UPDATE ON tenants
    FOR EACH ROW EXECUTE FUNCTION app.set_updated_at();

ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenants FORCE ROW LEVEL SECURITY;
CREATE POLICY tenants_own_row ON tenants FOR SELECT
    USING (id = (SELECT app.current_tenant()));
CREATE POLICY tenants_platform ON tenants
    USING ((SELECT app.in_platform()))
    WITH CHECK ((SELECT app.in_platform()));
"""

DOWN = """
DROP TABLE tenants;
"""


def migrate(migrator: Migrator, database: MigrationDatabase, *, fake: bool = False) -> None:
    """Make the registry; the application may not delete from it, for tenants are archived."""
    migrator.sql(UP)
    migrator.sql(f"GRANT SELECT, INSERT, UPDATE ON tenants TO {database.application_role}")


def rollback(migrator: Migrator, database: MigrationDatabase, *, fake: bool = False) -> None:
    """Drop the registry, with every tenant in it."""
    migrator.sql(DOWN)
