"""What the application's role is and may."""

from dataclasses import dataclass
from typing import Any

import peewee

from app.catalog.facts.spelling import OUR_SCHEMA, qualified

_ATTRIBUTES = """
SELECT quote_ident(r.rolname), quote_ident(d.datname), o.rolname = r.rolname, quote_ident(o.rolname),
       ARRAY(SELECT name FROM unnest(
           ARRAY['SUPERUSER', 'BYPASSRLS', 'CREATEROLE', 'CREATEDB', 'REPLICATION'],
           ARRAY[r.rolsuper, r.rolbypassrls, r.rolcreaterole, r.rolcreatedb, r.rolreplication]
       ) AS u (name, has) WHERE has),
       ARRAY(SELECT quote_ident(g.rolname) FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
             WHERE m.member = r.oid ORDER BY 1),
       ARRAY(SELECT pg_describe_object(s.classid, s.objid, s.objsubid) FROM pg_shdepend s
             WHERE s.refobjid = r.oid AND s.deptype = 'o' AND s.dbid IN (0, d.oid) ORDER BY 1),
       ARRAY(SELECT name FROM unnest(ARRAY['CREATE', 'TEMPORARY']) AS name
             WHERE has_database_privilege(r.oid, d.oid, name))
FROM pg_roles r, pg_database d JOIN pg_roles o ON o.oid = d.datdba
WHERE r.rolname = %s AND d.datname = current_database()
"""
_SCHEMAS = f"""
SELECT quote_ident(n.nspname) FROM pg_namespace n
WHERE {OUR_SCHEMA} AND has_schema_privilege(%s, n.oid, 'CREATE') ORDER BY 1
"""
_TABLES = f"""
SELECT {qualified("c.relname")}, array_agg(name ORDER BY name)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND {OUR_SCHEMA},
     unnest(ARRAY['TRUNCATE', 'REFERENCES', 'TRIGGER']
            || CASE c.relname WHEN %s THEN ARRAY['INSERT', 'UPDATE', 'DELETE'] END) AS name
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND has_table_privilege(%s, c.oid, name)
GROUP BY 1 ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class Role:
    """A role, the database it works in, and all it has that an application needs not."""

    name: str
    database: str
    owns_database: bool
    owner: str
    attributes: tuple[str, ...]
    member_of: tuple[str, ...]
    owns: tuple[str, ...]
    database_privileges: tuple[str, ...]
    creates_in: tuple[str, ...]
    table_privileges: tuple[tuple[str, tuple[str, ...]], ...]


def read_role(database: peewee.Database, role: str, read_only: str) -> Role | None:
    """What a role is and may, or None where it is not there; of the table `read_only` it may only read."""
    row = database.execute_sql(_ATTRIBUTES, (role,)).fetchone()
    if row is None:
        return None
    schemas = database.execute_sql(_SCHEMAS, (role,)).fetchall()
    tables = database.execute_sql(_TABLES, (read_only, role)).fetchall()
    values: list[Any] = [tuple(value) if isinstance(value, list) else value for value in row]
    values.append(tuple(name for (name,) in schemas))
    values.append(tuple((name, tuple(privileges)) for name, privileges in tables))
    return Role(*values)
