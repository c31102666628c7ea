"""Nothing is overlooked: no two variations of a part read the same, and what is not read is refused."""

# SQL is harder to read in pieces
# ruff: noqa: E501

import pytest

from app.catalog import plan, read, refused
from app.errors import UnreadableSchemaError
from tests.catalog.pairs import Place
from tests.catalog.parts import PARENTS, PARTS, Variation

NEIGHBOURS = [
    (number, one, other)
    for number, part in enumerate(PARTS)
    for one, other in zip(part, [*part[1:], None], strict=True)
]
REFUSED = {
    "partitioned table halls": "CREATE TABLE halls (id int) PARTITION BY RANGE (id)",
    "partition or child table sheds": "CREATE TABLE halls (id int); CREATE TABLE sheds () INHERITS (halls)",
    "materialized view counts": "CREATE MATERIALIZED VIEW counts AS SELECT 1 AS n",
    "composite type pair": "CREATE TYPE pair AS (a int, b int)",
    "domain positive": "CREATE DOMAIN positive AS int CHECK (value > 0)",
    "range type spread": "CREATE TYPE spread AS RANGE (subtype = int)",
    "procedure tidy()": "CREATE PROCEDURE tidy() LANGUAGE sql AS ''",
    "aggregate total(integer)": "CREATE AGGREGATE total (int) (sfunc = int4pl, stype = int)",
    "extension pg_trgm": "CREATE EXTENSION pg_trgm",
    "event trigger watch": "CREATE FUNCTION w() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';"
    "CREATE EVENT TRIGGER watch ON sql_drop EXECUTE FUNCTION w()",
    "publication all_of_it": "CREATE PUBLICATION all_of_it FOR ALL TABLES",
    "statistics together": "CREATE TABLE t (a int, b int); CREATE STATISTICS together ON a, b FROM t",
    "default privileges postgres": "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO reader",
    "unlogged t": "CREATE UNLOGGED TABLE t (a int)",
    "rule r on t": "CREATE TABLE t (a int); CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING",
    "replica identity of t": "CREATE TABLE t (a int); ALTER TABLE t REPLICA IDENTITY FULL",
    "storage of t.a": "CREATE TABLE t (a text); ALTER TABLE t ALTER a SET STORAGE EXTERNAL",
    "clustering by t_a_idx": "CREATE TABLE t (a int); CREATE INDEX ON t (a); CLUSTER t USING t_a_idx",
    "owner reader of t": "CREATE TABLE t (a int); ALTER TABLE t OWNER TO reader",
    "owner reader of f()": "CREATE FUNCTION f() RETURNS int LANGUAGE sql RETURN 1; ALTER FUNCTION f() OWNER TO reader",
    "default of the view column v.a": "CREATE VIEW v AS SELECT 1 AS a; ALTER VIEW v ALTER a SET DEFAULT 2",
    "operator @@@(integer,integer)": "CREATE OPERATOR @@@ (function = int4pl, leftarg = int, rightarg = int)",
    "collation plain": 'CREATE COLLATION plain FROM "C"',
}
UNDONE = "DROP EVENT TRIGGER IF EXISTS watch; DROP PUBLICATION IF EXISTS all_of_it; DROP EXTENSION IF EXISTS pg_trgm"


@pytest.mark.parametrize(("number", "one", "other"), NEIGHBOURS)
def test_no_two_variations_read_the_same(
    places: tuple[Place, Place], number: int, one: Variation, other: Variation | None
) -> None:
    here, there = places
    first = here.become(with_needs(number, one))
    second = there.become(with_needs(number, other))
    assert first != second
    assert plan(first, second)


@pytest.mark.parametrize(("name", "sql"), REFUSED.items(), ids=list(REFUSED))
def test_what_cannot_be_compared_is_refused_by_name(places: tuple[Place, Place], name: str, sql: str) -> None:
    here, _ = places
    try:
        with pytest.raises(UnreadableSchemaError, match="cannot be compared") as told:
            here.become(sql)
        assert name in str(told.value)
    finally:
        here.run([f"{UNDONE}; ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM reader"])


def test_what_can_be_compared_is_not_refused(places: tuple[Place, Place]) -> None:
    here, _ = places
    here.become(";".join(part[0].sql for part in PARTS))
    assert refused(here.database) == []


def test_a_reading_leaves_the_session_as_it_was(places: tuple[Place, Place]) -> None:
    here, _ = places
    here.become("")
    with here.database.atomic():
        here.run(["SET LOCAL search_path = pg_catalog"])
        read(here.database)
        assert here.database.execute_sql("SHOW search_path").fetchone() == ("pg_catalog",)


def with_needs(number: int, wanted: Variation | None) -> str:
    """A schema with a variation, or with nothing, in the place of one part, and with all it may need."""
    needs = set().union(*(one.needs for one in PARTS[number]))
    chosen: list[Variation] = [wanted] if wanted else []
    for part in reversed(PARTS[:number]):
        best = max(part, key=lambda one: len(one.gives & needs))
        if best.gives & needs or part is PARTS[PARENTS]:
            chosen.insert(0, best)
            needs |= best.needs
    return ";\n".join(one.sql for one in chosen)
