"""The schema that the models stand for: what a database migrated to the end has to look like.

Tables, keys and indexes are the models' own words. The rules around them are the same for
every table and are written here once: the functions, the trigger, the policies, the grants.
Migrations hold the way there, this the destination; `flask db-revision` writes the difference,
and a test keeps the two equal. Nothing is ever created from here but scratch databases.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from peewee import EnclosedNodeList, Field, ForeignKeyField

from app import naming
from app.models.bases import Model
from app.models.declarations import Policy
from app.models.metadata import NamedMetadata

FUNCTIONS = """
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
_OWN_ROWS = "tenant_id = (SELECT app.current_tenant())"
_TENANT = Policy("tenant", _OWN_ROWS, _OWN_ROWS, "ALL")
_FIRST, _LAST = ("id", "tenant_id"), ("created_at", "updated_at", "deleted_at")


def schema(models: Iterable[type[Model]], role: str) -> Iterator[str]:
    """The statements that make the schema of these models, with grants to a role (quoted)."""
    metas = [model._meta for model in models]
    yield FUNCTIONS
    yield f"GRANT USAGE ON SCHEMA app TO {role}"
    for meta in metas:
        yield _table(meta)
        yield from (index.query()[0] for index in meta.model._schema._create_indexes(safe=False))
        yield from _rules(meta)
        yield f'GRANT {", ".join(meta.privileges)} ON "{meta.table_name}" TO {role}'
    # last, because they may point at any table
    for meta in metas:
        yield from (f'ALTER TABLE "{meta.table_name}" ADD {key}' for key in _foreign_keys(meta))


def _table(meta: NamedMetadata) -> str:
    ctx = meta.model._schema._create_context()
    columns = [field.ddl(ctx) for field in sorted(meta.sorted_fields, key=_place)]
    others = [item for item in meta.constraints or () if not _is_key(item)]
    ctx.literal("CREATE TABLE ").sql(meta.model).literal(" ").sql(EnclosedNodeList([*columns, *others]))
    return str(ctx.query()[0])


def _place(field: Field) -> tuple[int, int]:
    """The keys first, the instants last, in between as declared."""
    name = field.column_name
    if name in _FIRST:
        return (0, _FIRST.index(name))
    return (2, _LAST.index(name)) if name in _LAST else (1, 0)


def _rules(meta: NamedMetadata) -> Iterator[str]:
    table = f'"{meta.table_name}"'
    trigger = naming.rule_name(meta.table_name, "set_updated_at")
    yield (
        f'CREATE TRIGGER "{trigger}" BEFORE UPDATE ON {table} '
        "FOR EACH ROW EXECUTE FUNCTION app.set_updated_at()"
    )
    yield f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"
    yield f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY"
    policies = [*meta.policies, *([_TENANT] if meta.is_tenant_scoped else [])]
    yield from (policy.create(meta.table_name) for policy in policies)


def _foreign_keys(meta: NamedMetadata) -> Iterator[str]:
    yield from (item.sql for item in meta.constraints or () if _is_key(item))
    for field in meta.sorted_fields:
        if isinstance(field, ForeignKeyField):
            name = naming.foreign_key_name(meta.table_name, field.rel_model._meta.table_name)
            rel = f'"{field.rel_model._meta.table_name}" ("{field.rel_field.column_name}")'
            actions = "".join(
                f" ON {event} {action}"
                for event, action in (("DELETE", field.on_delete), ("UPDATE", field.on_update))
                if action
            )
            yield f'CONSTRAINT {name} FOREIGN KEY ("{field.column_name}") REFERENCES {rel}{actions}'


def _is_key(item: Any) -> bool:
    return " FOREIGN KEY " in item.sql
