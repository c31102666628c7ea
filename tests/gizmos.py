"""A clean feature of a database that is nobody's, for faults to be planted in."""

from collections.abc import Callable

from app.catalog import Finding

Judged = Callable[..., list[Finding]]

CLEAN = """
CREATE TABLE gizmos (
    id uuid DEFAULT gen_random_uuid() CONSTRAINT gizmos_pkey PRIMARY KEY,
    tenant_id uuid NOT NULL CONSTRAINT fk_gizmos_tenants REFERENCES tenants (id),
    rca_id uuid,
    serial text CONSTRAINT chk_gizmos_serial_given CHECK (serial <> ''),
    CONSTRAINT uniq_gizmos_tenant_id_id UNIQUE (tenant_id, id),
    CONSTRAINT fk_gizmos_rcas FOREIGN KEY (tenant_id, rca_id) REFERENCES rcas (tenant_id, id));
CREATE UNIQUE INDEX uniq_gizmos_tenant_id_serial ON gizmos (tenant_id, serial);
CREATE INDEX idx_gizmos_tenant_id_rca_id ON gizmos (tenant_id, rca_id);
ALTER TABLE gizmos ENABLE ROW LEVEL SECURITY;
ALTER TABLE gizmos FORCE ROW LEVEL SECURITY;
CREATE POLICY gizmos_tenant ON gizmos USING (tenant_id = (SELECT app.current_tenant()))
    WITH CHECK (tenant_id = (SELECT app.current_tenant()));
GRANT SELECT, INSERT, UPDATE, DELETE ON gizmos TO fixapp_app;
CREATE VIEW gizmo_serials WITH (security_invoker = true) AS SELECT serial FROM gizmos;
CREATE MATERIALIZED VIEW gizmo_counts AS SELECT count(*) FROM gizmos;
CREATE FUNCTION app.harmless() RETURNS int LANGUAGE sql RETURN 1;
"""
