"""What this room cannot compare, and therefore refuses by name instead of leaving it out."""

import peewee

from app.catalog.objects.base import ours
from app.errors import UnreadableSchemaError

_RELATIONS = f"FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND {ours('n')}"
_COLUMNS = f"{_RELATIONS} JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
_TYPES = f"FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace AND {ours('n')}"
_FUNCTIONS = f"FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace AND {ours('n')}"
_OWNER = "JOIN pg_database d ON d.datname = current_database() AND d.datdba"
# what it is, what it is called, and where it is found
_KINDS = [
    ("partitioned table", "c.oid::regclass", f"{_RELATIONS} WHERE c.relkind = 'p'"),
    ("materialized view", "c.oid::regclass", f"{_RELATIONS} WHERE c.relkind = 'm'"),
    ("foreign table", "c.oid::regclass", f"{_RELATIONS} WHERE c.relkind = 'f'"),
    ("composite type", "c.oid::regclass", f"{_RELATIONS} WHERE c.relkind = 'c'"),
    ("domain", "t.oid::regtype", f"{_TYPES} WHERE t.typtype = 'd'"),
    ("range type", "t.oid::regtype", f"{_TYPES} WHERE t.typtype = 'r'"),
    ("base type", "t.oid::regtype", f"{_TYPES} WHERE t.typtype = 'b' AND t.typcategory <> 'A'"),
    ("procedure", "p.oid::regprocedure", f"{_FUNCTIONS} WHERE p.prokind = 'p'"),
    ("aggregate", "p.oid::regprocedure", f"{_FUNCTIONS} WHERE p.prokind = 'a'"),
    ("window function", "p.oid::regprocedure", f"{_FUNCTIONS} WHERE p.prokind = 'w'"),
    ("extension", "extname", "FROM pg_extension WHERE extname <> 'plpgsql'"),
]
# catalogs in which the server's own rows have smaller numbers, and what any other row is called
_CATALOGS = {
    "pg_event_trigger": ("event trigger", "evtname"),
    "pg_foreign_data_wrapper": ("foreign-data wrapper", "fdwname"),
    "pg_foreign_server": ("foreign server", "srvname"),
    "pg_publication": ("publication", "pubname"),
    "pg_cast": ("cast", "castsource::regtype || ' to ' || casttarget::regtype"),
    "pg_collation": ("collation", "collname"),
    "pg_conversion": ("conversion", "conname"),
    "pg_language": ("language", "lanname"),
    "pg_operator": ("operator", "oid::regoperator"),
    "pg_opclass": ("operator class", "opcname"),
    "pg_am": ("access method", "amname"),
    "pg_statistic_ext": ("statistics", "stxname"),
    "pg_ts_config": ("text search configuration", "cfgname"),
    "pg_ts_dict": ("text search dictionary", "dictname"),
    "pg_transform": ("transform", "trftype::regtype"),
    "pg_default_acl": ("default privileges", "defaclrole::regrole"),
}
_PROPERTIES = [
    (
        "partition or child table",
        "c.oid::regclass",
        f"{_RELATIONS} JOIN pg_inherits i ON i.inhrelid = c.oid AND c.relkind = 'r'",
    ),
    ("typed table", "c.oid::regclass", f"{_RELATIONS} AND c.reloftype <> 0"),
    (
        "unlogged",
        "c.oid::regclass",
        f"{_RELATIONS} AND c.relpersistence = 'u' AND c.relkind IN ('r', 'S')",
    ),
    ("tablespace of", "c.oid::regclass", f"{_RELATIONS} AND c.reltablespace <> 0"),
    (
        "access method of",
        "c.oid::regclass",
        f"{_RELATIONS} JOIN pg_am m ON m.oid = c.relam AND c.relkind = 'r' AND m.amname <> 'heap'",
    ),
    ("replica identity of", "c.oid::regclass", f"{_RELATIONS} AND c.relkind = 'r' AND c.relreplident <> 'd'"),
    (
        "storage options of",
        "c.oid::regclass",
        f"{_RELATIONS} JOIN pg_class t ON t.oid = c.reltoastrelid AND t.reloptions IS NOT NULL",
    ),
    (
        "rule",
        "r.rulename || ' on ' || c.oid::regclass",
        f"{_RELATIONS} JOIN pg_rewrite r ON r.ev_class = c.oid AND r.rulename <> '_RETURN'",
    ),
    (
        "default of the view column",
        "c.oid::regclass || '.' || a.attname",
        f"{_COLUMNS} AND c.relkind = 'v' AND a.atthasdef",
    ),
    (
        "storage of",
        "c.oid::regclass || '.' || a.attname",
        f"""{_COLUMNS} JOIN pg_type t ON t.oid = a.atttypid
        WHERE c.relkind = 'r' AND (a.attstorage <> t.typstorage OR a.attcompression <> ''
            OR a.attoptions IS NOT NULL OR coalesce(a.attstattarget, -1) <> -1)""",
    ),
    (
        "invalid index",
        "c.oid::regclass",
        f"{_RELATIONS} JOIN pg_index x ON x.indexrelid = c.oid WHERE NOT x.indisvalid",
    ),
    (
        "clustering by",
        "c.oid::regclass",
        f"{_RELATIONS} JOIN pg_index x ON x.indexrelid = c.oid WHERE x.indisclustered",
    ),
    (
        "state of a key's trigger on",
        "c.oid::regclass",
        f"{_RELATIONS} JOIN pg_trigger g ON g.tgrelid = c.oid WHERE g.tgisinternal AND g.tgenabled <> 'O'",
    ),
    (
        "security label on",
        "pg_describe_object(classoid, objoid, objsubid)",
        "FROM pg_seclabel",
    ),
]
_OWNERS = [
    (
        "owner",
        "c.relowner::regrole || ' of ' || c.oid::regclass",
        f"{_RELATIONS} {_OWNER} <> c.relowner WHERE c.relkind IN ('r', 'v', 'S')",
    ),
    (
        "owner",
        "p.proowner::regrole || ' of ' || p.oid::regprocedure",
        f"{_FUNCTIONS} {_OWNER} <> p.proowner",
    ),
    (
        "owner",
        "t.typowner::regrole || ' of ' || t.oid::regtype",
        f"{_TYPES} AND t.typtype = 'e' {_OWNER} <> t.typowner",
    ),
    (
        "owner",
        "n.nspowner::regrole || ' of schema ' || n.nspname",
        f"FROM pg_namespace n {_OWNER} <> n.nspowner WHERE {ours('n')} AND n.nspname <> 'public'",
    ),
]
_ALL = " UNION ALL ".join(
    [
        *(
            f"(SELECT concat('{what.replace(chr(39), chr(39) * 2)} ', {name}) {rest})"
            for what, name, rest in (*_KINDS, *_PROPERTIES, *_OWNERS)
        ),
        *(
            f"(SELECT concat('{what} ', {name}) FROM {catalog} WHERE oid >= 16384)"
            for catalog, (what, name) in _CATALOGS.items()
        ),
    ]
)


def refused(database: peewee.Database) -> list[str]:
    """What is in a database that cannot be compared, each by kind and name."""
    return sorted(name for (name,) in database.execute_sql(_ALL).fetchall())


def refuse(database: peewee.Database) -> None:
    """Raise UnreadableSchemaError when anything in a database cannot be compared."""
    names = refused(database)
    if names:
        raise UnreadableSchemaError(names=", ".join(names))
