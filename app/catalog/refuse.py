"""What this room cannot compare, and therefore refuses by name instead of leaving it out."""

import peewee

from app.catalog.objects.base import ours
from app.errors import UnreadableSchemaError

_RELATIONS = {
    "p": "partitioned table",
    "m": "materialized view",
    "f": "foreign table",
    "c": "composite type",
}
_CLASS = f"FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND {ours('n')}"
_COLUMN = f"{_CLASS} JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
_TYPES = {"d": "domain", "r": "range type", "b": "base type"}
_FUNCTIONS = {"p": "procedure", "a": "aggregate", "w": "window function"}
# the server's own have smaller numbers
_OWN = "oid >= 16384"
# catalogs in which nothing of ours is expected, and what their rows are
_WHOLE = {
    "pg_event_trigger": ("event trigger", "evtname"),
    "pg_foreign_data_wrapper": ("foreign-data wrapper", "fdwname"),
    "pg_foreign_server": ("foreign server", "srvname"),
    "pg_publication": ("publication", "pubname"),
    "pg_cast": ("cast", "castsource::regtype || ' to ' || casttarget::regtype"),
    "pg_collation": ("collation", "collname"),
    "pg_conversion": ("conversion", "conname"),
    "pg_language": ("language", "lanname"),
    "pg_operator": ("operator", "oid::regoperator::text"),
    "pg_opclass": ("operator class", "opcname"),
    "pg_am": ("access method", "amname"),
    "pg_statistic_ext": ("statistics", "stxname"),
    "pg_ts_config": ("text search configuration", "cfgname"),
    "pg_ts_dict": ("text search dictionary", "dictname"),
    "pg_transform": ("transform", "trftype::regtype::text"),
    "pg_default_acl": ("default privileges", "defaclrole::regrole::text"),
}
_QUERIES = [
    *(
        f"SELECT '{what} ' || c.oid::regclass {_CLASS} AND c.relkind = '{kind}'"
        for kind, what in _RELATIONS.items()
    ),
    *(
        f"""SELECT '{what} ' || t.oid::regtype FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace AND {ours("n")}
        WHERE t.typtype = '{kind}' AND t.typcategory <> 'A'"""
        for kind, what in _TYPES.items()
    ),
    *(
        f"""SELECT '{what} ' || p.oid::regprocedure FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
        AND {ours("n")} WHERE p.prokind = '{kind}'"""
        for kind, what in _FUNCTIONS.items()
    ),
    *(
        f"SELECT concat('{what} ', {name}) FROM {catalog} WHERE {_OWN}"
        for catalog, (what, name) in _WHOLE.items()
    ),
    "SELECT 'extension ' || extname FROM pg_extension WHERE extname <> 'plpgsql'",
    "SELECT concat('security label on ', pg_describe_object(classoid, objoid, objsubid)) FROM pg_seclabel",
    f"SELECT 'partition or child table ' || c.oid::regclass {_CLASS} JOIN pg_inherits i ON i.inhrelid = c.oid AND c.relkind = 'r'",
    f"SELECT 'typed table ' || c.oid::regclass {_CLASS} AND c.reloftype <> 0",
    f"SELECT 'unlogged ' || c.oid::regclass {_CLASS} AND c.relpersistence = 'u' AND c.relkind IN ('r', 'S')",
    f"SELECT 'tablespace of ' || c.oid::regclass {_CLASS} AND c.reltablespace <> 0",
    f"SELECT 'access method of ' || c.oid::regclass {_CLASS} JOIN pg_am m ON m.oid = c.relam AND c.relkind = 'r' AND m.amname <> 'heap'",
    f"SELECT 'replica identity of ' || c.oid::regclass {_CLASS} AND c.relkind = 'r' AND c.relreplident <> 'd'",
    f"SELECT 'storage options of ' || c.oid::regclass {_CLASS} JOIN pg_class t ON t.oid = c.reltoastrelid AND t.reloptions IS NOT NULL",
    f"SELECT 'rule ' || r.rulename || ' on ' || c.oid::regclass {_CLASS} JOIN pg_rewrite r ON r.ev_class = c.oid AND r.rulename <> '_RETURN'",
    f"SELECT 'default of the view column ' || c.oid::regclass || '.' || a.attname {_COLUMN} AND c.relkind = 'v' AND a.atthasdef",
    f"""SELECT 'storage of ' || c.oid::regclass || '.' || a.attname {_COLUMN} JOIN pg_type t ON t.oid = a.atttypid
        WHERE c.relkind = 'r' AND (a.attstorage <> t.typstorage OR a.attcompression <> '' OR a.attoptions IS NOT NULL
            OR coalesce(a.attstattarget, -1) <> -1 OR a.attfdwoptions IS NOT NULL)""",
    f"SELECT 'invalid index ' || c.oid::regclass {_CLASS} JOIN pg_index x ON x.indexrelid = c.oid WHERE NOT x.indisvalid",
    f"SELECT 'clustering by ' || c.oid::regclass {_CLASS} JOIN pg_index x ON x.indexrelid = c.oid WHERE x.indisclustered",
    f"""SELECT 'trigger state ' || g.tgname || ' on ' || c.oid::regclass {_CLASS} JOIN pg_trigger g ON g.tgrelid = c.oid
        WHERE g.tgisinternal AND g.tgenabled <> 'O'""",
    f"""SELECT concat('owner ', c.relowner::regrole, ' of ', c.oid::regclass) {_CLASS} JOIN pg_database d
        ON d.datname = current_database() AND d.datdba <> c.relowner WHERE c.relkind IN ('r', 'v', 'S', 'm', 'f', 'p')""",
    f"""SELECT concat('owner ', p.proowner::regrole, ' of ', p.oid::regprocedure) FROM pg_proc p
        JOIN pg_namespace n ON n.oid = p.pronamespace AND {ours("n")}
        JOIN pg_database d ON d.datname = current_database() AND d.datdba <> p.proowner""",
    f"""SELECT concat('owner ', n.nspowner::regrole, ' of schema ', n.nspname) FROM pg_namespace n
        JOIN pg_database d ON d.datname = current_database() AND d.datdba <> n.nspowner
        WHERE {ours("n")} AND n.nspname <> 'public'""",
    f"""SELECT concat('owner ', t.typowner::regrole, ' of type ', t.oid::regtype) FROM pg_type t
        JOIN pg_namespace n ON n.oid = t.typnamespace AND {ours("n")} AND t.typtype = 'e'
        JOIN pg_database d ON d.datname = current_database() AND d.datdba <> t.typowner""",
]
_ALL = " UNION ALL ".join(f"({query})" for query in _QUERIES) + " ORDER BY 1"


def refused(database: peewee.Database) -> list[str]:
    """What is in a database that cannot be compared, each by kind and name."""
    return [name for (name,) in database.execute_sql(_ALL).fetchall()]


def refuse(database: peewee.Database) -> None:
    """Raise UnreadableSchemaError when anything in a database cannot be compared."""
    names = refused(database)
    if names:
        raise UnreadableSchemaError(names=", ".join(names))
