"""Pieces of SQL that all readings of the catalogs share."""

# the server's own schemas, and what extensions brought, are not ours to judge
OUR_SCHEMA = "n.nspname NOT LIKE 'pg\\_%%' AND n.nspname <> 'information_schema'"


def qualified(name: str, schema: str = "n.nspname") -> str:
    """A name as SQL wants it, with its schema unless that is the usual one."""
    return (
        f"CASE {schema} WHEN 'public' THEN quote_ident({name}) ELSE format('%%I.%%I', {schema}, {name}) END"
    )


def no_extension(catalog: str, oid: str) -> str:
    """The condition that an object does not belong to an extension."""
    member = f"e.classid = '{catalog}'::regclass AND e.objid = {oid} AND e.deptype = 'e'"
    return f"NOT EXISTS (SELECT FROM pg_depend e WHERE {member})"
