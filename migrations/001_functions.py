"""The functions every table's policies and triggers call.

The schema `app` holds what belongs to no table. `current_tenant()` and `in_platform()`
read what the application puts in front of each statement; when nothing is set they
answer NULL and false, so every policy built on them stays closed.
"""

from peewee_migrate import Migrator

from app.migrate import MigrationDatabase

UP = """
CREATE SCHEMA app;

CREATE FUNCTION app.current_tenant() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('app.tenant_id', true), '')::uuid;

CREATE FUNCTION app.in_platform() RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN coalesce(current_setting('app.platform', true), '') = 'on';

CREATE FUNCTION app.set_updated_at() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog
AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END
$$;
"""

DOWN = """
DROP SCHEMA app CASCADE;
"""


def migrate(migrator: Migrator, database: MigrationDatabase, *, fake: bool = False) -> None:
    """Make the schema and its functions; the application may use them."""
    migrator.sql(UP)
    migrator.sql(f"GRANT USAGE ON SCHEMA app TO {database.application_role}")


def rollback(migrator: Migrator, database: MigrationDatabase, *, fake: bool = False) -> None:
    """Drop the functions with their schema."""
    migrator.sql(DOWN)
