"""What other tools stumble over, case by case: there, back, and nothing left."""

# SQL is harder to read in pieces
# ruff: noqa: E501, ISC004

from contextlib import closing

import psycopg2
import pytest

from app.catalog import plan, read, statements
from app.catalog.spelling import canonical
from tests.catalog.pairs import Place, turned

T = "CREATE TABLE t (a int NOT NULL, b varchar(9)); "
# what the case is about, before, after
CASES = {
    # the four that a proof of concept failed
    "another result of a function that a policy calls": (
        f"CREATE FUNCTION f() RETURNS int LANGUAGE sql RETURN 1;{T} CREATE POLICY p ON t USING (f() = 1)",
        f"CREATE FUNCTION f() RETURNS bigint LANGUAGE sql RETURN 1;{T} CREATE POLICY p ON t USING (f() = 1)",
    ),
    "a function goes with the default that calls it": (
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql RETURN 1; CREATE TABLE t (a int DEFAULT f())",
        "CREATE TABLE t (a int)",
    ),
    "a default leaves one function for another": (
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql RETURN 1; CREATE TABLE t (a int DEFAULT f())",
        "CREATE FUNCTION g() RETURNS int LANGUAGE sql RETURN 1; CREATE TABLE t (a int DEFAULT g())",
    ),
    "a new label used at once": (
        "CREATE TYPE m AS ENUM ('x'); CREATE TABLE t (a m DEFAULT 'x')",
        "CREATE TYPE m AS ENUM ('x', 'y'); CREATE TABLE t (a m DEFAULT 'y' CHECK (a <> 'y'))",
    ),
    "another unique under the same foreign key": (
        "CREATE TABLE t (a int CONSTRAINT u UNIQUE); CREATE TABLE s (a int REFERENCES t (a))",
        "CREATE TABLE t (a int CONSTRAINT u UNIQUE NULLS NOT DISTINCT); CREATE TABLE s (a int REFERENCES t (a))",
    ),
    # other tools' failures
    "a check that calls a new function": (
        T,
        "CREATE FUNCTION f(int) RETURNS bool LANGUAGE sql RETURN $1 > 0; CREATE TABLE t (a int NOT NULL CHECK (f(a)),"
        " b varchar(9))",
    ),
    "a table goes with its trigger's function": (
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; CREATE TABLE t (a int);"
        "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
        "",
    ),
    "a function of a table's rows in a default of that table": (
        T,
        "CREATE TABLE t (a int NOT NULL, b varchar(9));"
        "CREATE FUNCTION f(t DEFAULT NULL) RETURNS varchar LANGUAGE sql RETURN 'x'; ALTER TABLE t ALTER b SET DEFAULT f()",
    ),
    "two tables that point at each other": (
        "",
        "CREATE TABLE s (a int PRIMARY KEY, b int); CREATE TABLE t (a int PRIMARY KEY REFERENCES s (a));"
        "ALTER TABLE s ADD FOREIGN KEY (b) REFERENCES t (a)",
    ),
    "a view keeps its options and its readers": (
        f"{T} CREATE VIEW v WITH (security_invoker = true) AS SELECT a FROM t; GRANT SELECT ON v TO reader",
        "CREATE TABLE t (a bigint NOT NULL, b varchar(9));"
        "CREATE VIEW v WITH (security_invoker = true) AS SELECT a FROM t; GRANT SELECT ON v TO reader",
    ),
    "a table becomes a view": ("CREATE TABLE v (a int)", "CREATE VIEW v AS SELECT 1 AS a"),
    "an index becomes a constraint of the same name": (
        f"{T} CREATE UNIQUE INDEX i ON t (a)",
        f"{T} ALTER TABLE t ADD CONSTRAINT i UNIQUE (a)",
    ),
    "values that were written are generated": (
        "CREATE TABLE t (a int, b int)",
        "CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a + 1) STORED)",
    ),
    "values that were generated from a column of another type": (
        "CREATE TABLE t (a int, b bigint GENERATED ALWAYS AS (a + 1) STORED); CREATE INDEX i ON t (b)",
        "CREATE TABLE t (a bigint, b bigint GENERATED ALWAYS AS (a + 1) STORED); CREATE INDEX i ON t (b)",
    ),
}
IN_LIST = "status::text = ANY (ARRAY['a'::character varying, 'it''s'::character varying]::text[])"
RELOADED = "status::text = ANY (ARRAY['a'::character varying::text, 'it''s'::character varying::text])"


@pytest.mark.parametrize(("before", "after"), CASES.values(), ids=list(CASES))
def test_there_and_back(places: tuple[Place, Place], before: str, after: str) -> None:
    here, there = places
    new, new_dump = there.become(after), there.dump()
    old, old_dump = here.become(before), here.dump()
    assert turned(here, old, new)
    assert (read(here.database), here.dump()) == (new, new_dump)
    assert turned(here, new, old)
    assert (read(here.database), here.dump()) == (old, old_dump)


@pytest.mark.parametrize("kind", ["varchar(9)", "text", "char(3)"])
def test_an_in_list_reads_the_same_after_a_reload(places: tuple[Place, Place], kind: str) -> None:
    """PostgreSQL writes it in two ways, for which other tools emit the same change for ever."""
    here, there = places
    table = f"CREATE TABLE t (a {kind}, CONSTRAINT c CHECK (%s))"
    first = here.become(table % "a IN ('x', 'y') AND a NOT IN ('z', 'q') AND lower(a) IN ('x', 'y')")
    with here.database.cursor() as cursor:
        cursor.execute("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'c'")
        (reloaded,) = cursor.fetchone()
    second = there.become(table % reloaded.removeprefix("CHECK (").removesuffix(")"))
    assert first == second


def test_both_spellings_of_an_in_list_are_folded_and_no_other() -> None:
    assert canonical(IN_LIST) == canonical(RELOADED) == "status IN ('a', 'it''s')"
    assert canonical("numbers = ANY (ARRAY[1, 2])") == "numbers = ANY (ARRAY[1, 2])"
    assert canonical(IN_LIST) != canonical(IN_LIST.replace("'a'", "'b'"))


def test_another_name_is_a_rename(places: tuple[Place, Place]) -> None:
    here, there = places
    named = f"{T} CREATE INDEX %s_i ON t (a); COMMENT ON INDEX %s_i IS 'c'; ALTER TABLE t ADD CONSTRAINT %s_c CHECK (a > 0)"
    old, new = here.become(named.replace("%s", "old")), there.become(named.replace("%s", "new"))
    assert turned(here, old, new) == [
        "ALTER TABLE t RENAME CONSTRAINT old_c TO new_c",
        "ALTER INDEX old_i RENAME TO new_i",
    ]
    assert read(here.database) == new


def test_what_loses_data_says_so(places: tuple[Place, Place]) -> None:
    here, there = places
    old = here.become(
        "CREATE TABLE t (a int, b numeric, c varchar(9)); CREATE TABLE s (a int);"
        "CREATE TABLE n (a int GENERATED ALWAYS AS IDENTITY, b serial)"
    )
    new = there.become("CREATE TABLE t (b int, c varchar(5)); CREATE TABLE n (a int, b int)")
    assert sorted(step.loses for step in plan(old, new) if step.loses) == [
        "every row of s",
        "every value of t.a",
        "the number at which n.a stands",
        "the number at which n_b_seq stands",
        "what t.b holds as numeric and cannot hold as integer",
    ]
    # a varchar that is too long stops the change: nothing is cut off
    assert not [step for step in plan(new, old) if step.loses]


# --- forced row-level security blinds the owner ------------------------------------------------------

FORCED = """
CREATE TABLE parents (id int PRIMARY KEY); CREATE TABLE children (parent int);
ALTER TABLE parents ENABLE ROW LEVEL SECURITY; ALTER TABLE parents FORCE ROW LEVEL SECURITY;
ALTER TABLE children ENABLE ROW LEVEL SECURITY; ALTER TABLE children FORCE ROW LEVEL SECURITY;
"""
KEY = "ALTER TABLE children ADD CONSTRAINT fk FOREIGN KEY (parent) REFERENCES parents (id);"
LIFTED = "ALTER TABLE parents NO FORCE ROW LEVEL SECURITY; ALTER TABLE children NO FORCE ROW LEVEL SECURITY;"
AGAIN = "ALTER TABLE parents FORCE ROW LEVEL SECURITY; ALTER TABLE children FORCE ROW LEVEL SECURITY;"


def test_a_key_is_not_validated_blindly(places: tuple[Place, Place]) -> None:
    """Forced policies hide a row that points nowhere from an owner who is no superuser."""
    here, there = places
    generated = statements(plan(there.become(FORCED), here.become(FORCED + KEY)))
    dangling = f"{LIFTED} INSERT INTO children VALUES (1); {AGAIN}"
    fine = f"{LIFTED} INSERT INTO parents VALUES (1); INSERT INTO children VALUES (1); {AGAIN}"
    with pytest.raises(psycopg2.errors.ForeignKeyViolation):
        as_plain_owner(here, [FORCED, dangling, *generated])
    as_plain_owner(here, [FORCED, fine, *generated])
    # the planted fault: without lifting, the dangling row passes
    as_plain_owner(here, [FORCED, dangling, KEY])


def as_plain_owner(place: Place, texts: list[str]) -> None:
    """Run statements as a role that owns the tables and is no superuser, and take it all back."""
    params = place.database.connect_params
    with closing(psycopg2.connect(dbname=place.database.database, **params)) as conn, conn.cursor() as cursor:
        cursor.execute(
            "DROP SCHEMA public CASCADE; CREATE SCHEMA public AUTHORIZATION reader; SET LOCAL ROLE reader"
        )
        for text in texts:
            cursor.execute(text)
        conn.rollback()
