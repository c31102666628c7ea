"""Parts a schema may have or not, each in several variations, to draw pairs of schemas from."""

# SQL is harder to read in pieces
# ruff: noqa: E501

from dataclasses import dataclass

from hypothesis import strategies as st


@dataclass(frozen=True, slots=True)
class Variation:
    """SQL that needs what other parts give."""

    sql: str
    needs: frozenset[str]
    gives: frozenset[str]


def variation(sql: str, needs: str = "", gives: str = "") -> Variation:
    """A variation; needs and gives are words."""
    return Variation(sql, frozenset(needs.split()), frozenset(gives.split()))


V = variation
_TRIGGER = "LANGUAGE plpgsql AS $$BEGIN RETURN NEW; END$$"
# in the order in which they can be created; each part is drawn as one of its variations or as nothing
PARTS: list[list[Variation]] = [
    [
        V("CREATE SCHEMA side", gives="side"),
        V("CREATE SCHEMA side; COMMENT ON SCHEMA side IS 'it''s'", gives="side"),
    ],
    [
        V("CREATE TYPE mood AS ENUM ('low', 'high')", gives="mood low"),
        V("CREATE TYPE mood AS ENUM ('low', 'mid', 'high')", gives="mood low mid"),
        V("CREATE TYPE mood AS ENUM ('high', 'low')", gives="mood low"),
        V("CREATE TYPE mood AS ENUM ('mid', 'high'); GRANT USAGE ON TYPE mood TO reader", gives="mood mid"),
    ],
    [
        V("CREATE TYPE side.level AS ENUM ('one')", "side", "level"),
        V("CREATE TYPE side.level AS ENUM ()", "side"),
    ],
    [
        V("CREATE FUNCTION f(n int) RETURNS int LANGUAGE sql IMMUTABLE RETURN n + 1", gives="f"),
        V("CREATE FUNCTION f(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n + 2'", gives="f"),
        V("CREATE FUNCTION f(n int) RETURNS bigint LANGUAGE sql IMMUTABLE RETURN n + 1", gives="f"),
        V(
            "CREATE FUNCTION f(n int, m int DEFAULT 3) RETURNS int LANGUAGE sql IMMUTABLE RETURN n + m",
            gives="f",
        ),
        V(
            "CREATE FUNCTION f(n int) RETURNS int LANGUAGE sql IMMUTABLE SECURITY DEFINER SET search_path = '' RETURN n;"
            "REVOKE EXECUTE ON FUNCTION f(int) FROM PUBLIC; GRANT EXECUTE ON FUNCTION f(int) TO reader",
            gives="f",
        ),
    ],
    [
        V(f"CREATE FUNCTION touch() RETURNS trigger {_TRIGGER}", gives="touch"),
        V(f"CREATE FUNCTION touch() RETURNS trigger {_TRIGGER.replace('NEW', 'NULL')}", gives="touch"),
    ],
    [
        V("CREATE SEQUENCE counter", gives="counter"),
        V("CREATE SEQUENCE counter AS int INCREMENT 5 START 7 CYCLE CACHE 3 MAXVALUE 700", gives="counter"),
        V("CREATE SEQUENCE counter; GRANT USAGE ON SEQUENCE counter TO reader", gives="counter"),
    ],
    [
        V(
            "CREATE TABLE parents (id int NOT NULL, code varchar(10), name text, span int4range)",
            gives="code",
        ),
        V(
            "CREATE TABLE parents (name text NOT NULL, code varchar(30), span int4range, id int NOT NULL)",
            gives="code",
        ),
        V("CREATE TABLE parents (id int NOT NULL, code text, name varchar(7), span int4range)", gives="code"),
        V(
            "CREATE TABLE parents (id int NOT NULL, code varchar(10) COLLATE \"C\" DEFAULT 'a', name text DEFAULT 'it''s',"
            " span int4range) WITH (fillfactor = 70)",
            gives="code",
        ),
        V(
            "CREATE TABLE parents (id bigint NOT NULL, code varchar(10) NOT NULL, name text, span int4range)",
            gives="code",
        ),
    ],
    [
        V("ALTER TABLE parents ADD CONSTRAINT parents_pkey PRIMARY KEY (id)", gives="key"),
        V("ALTER TABLE parents ADD CONSTRAINT parents_pkey PRIMARY KEY (id) INCLUDE (code)", gives="key"),
        V("ALTER TABLE parents ADD CONSTRAINT uniq_parents_id UNIQUE (id)", gives="key"),
        V("CREATE UNIQUE INDEX uniq_parents_id ON parents (id)", gives="key"),
        V("ALTER TABLE parents ADD CONSTRAINT parents_pkey PRIMARY KEY (id) DEFERRABLE"),
    ],
    [
        V("ALTER TABLE parents ADD CONSTRAINT chk_code CHECK (code IN ('a', 'b'))"),
        V("ALTER TABLE parents ADD CONSTRAINT chk_code CHECK (code IN ('a', 'b')) NOT VALID"),
        V("ALTER TABLE parents ADD CONSTRAINT chk_code CHECK (code NOT IN ('a', 'it''s')) NO INHERIT"),
        V("ALTER TABLE parents ADD CONSTRAINT chk_code CHECK (coalesce(code, 'x') IN ('a', 'b'))"),
        V("ALTER TABLE parents ADD CONSTRAINT chk_code CHECK (f(length(code)) > 3)", "f"),
        V("ALTER TABLE parents ADD CONSTRAINT chk_other CHECK (code IN ('a', 'b'))"),
    ],
    [
        V("ALTER TABLE parents ADD feeling mood DEFAULT 'high'", "mood", "feeling"),
        V("ALTER TABLE parents ADD feeling mood NOT NULL", "mood", "feeling"),
        V("ALTER TABLE parents ADD feeling mood[] DEFAULT '{high}'", "mood"),
        V("ALTER TABLE parents ADD feeling text DEFAULT 'mid'"),
        V("ALTER TABLE parents ADD feeling mood DEFAULT 'mid'", "mood mid", "feeling"),
    ],
    [
        V("ALTER TABLE parents ADD CONSTRAINT chk_feeling CHECK (feeling <> 'low')", "feeling low"),
        V("CREATE INDEX idx_feeling ON parents (code) WHERE feeling = 'high'", "feeling"),
        V("CREATE INDEX idx_feeling ON parents (feeling)", "feeling"),
    ],
    [
        V("ALTER TABLE parents ADD n int GENERATED ALWAYS AS IDENTITY"),
        V("ALTER TABLE parents ADD n bigint GENERATED ALWAYS AS IDENTITY"),
        V("ALTER TABLE parents ADD n int GENERATED BY DEFAULT AS IDENTITY (START 5 INCREMENT 2)"),
        V("ALTER TABLE parents ADD n serial"),
        V("ALTER TABLE parents ADD n int DEFAULT nextval('counter')", "counter"),
        V("ALTER TABLE parents ADD n int DEFAULT f(1)", "f"),
        V("ALTER TABLE parents ADD n int NOT NULL DEFAULT 3"),
        V("ALTER TABLE parents ADD n int GENERATED ALWAYS AS (length(name)) STORED"),
        V("ALTER TABLE parents ADD n int GENERATED ALWAYS AS (f(length(code))) STORED", "f"),
    ],
    [
        V("CREATE INDEX idx_name ON parents (lower(name))"),
        V(
            "CREATE INDEX idx_name ON parents (name DESC NULLS LAST, code) INCLUDE (id) WHERE code IN ('a', 'b')"
        ),
        V("CREATE UNIQUE INDEX idx_name ON parents (name) NULLS NOT DISTINCT"),
        V("CREATE INDEX idx_name ON parents USING hash (name); COMMENT ON INDEX idx_name IS 'why'"),
        V("CREATE INDEX idx_title ON parents (lower(name))"),
        V("ALTER TABLE parents ADD CONSTRAINT idx_name UNIQUE (name, id) DEFERRABLE INITIALLY DEFERRED"),
    ],
    [
        V("ALTER TABLE parents ADD CONSTRAINT span_free EXCLUDE USING gist (span WITH &&)"),
        V(
            "ALTER TABLE parents ADD CONSTRAINT span_free EXCLUDE USING gist (span WITH &&) WHERE (code <> 'a')"
        ),
    ],
    [
        V("CREATE TABLE children (id int PRIMARY KEY, parent int, other int)", gives="children"),
        V("CREATE TABLE side.children (id int PRIMARY KEY, parent int, other int)", "side"),
        V('CREATE TABLE "Odd one" ("a b" int, "select" text CHECK ("select" IN (\'a\', \'b\')))'),
        V(
            "CREATE TABLE children (id int PRIMARY KEY, parent bigint REFERENCES children (id), other int)",
            gives="children",
        ),
    ],
    [
        V(
            "ALTER TABLE children ADD CONSTRAINT fk_parent FOREIGN KEY (parent) REFERENCES parents (id)",
            "children key",
        ),
        V(
            "ALTER TABLE children ADD CONSTRAINT fk_parent FOREIGN KEY (parent) REFERENCES parents (id)"
            " ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED",
            "children key",
        ),
        V(
            "ALTER TABLE children ADD CONSTRAINT fk_parent FOREIGN KEY (parent) REFERENCES parents (id) NOT VALID",
            "children key",
        ),
    ],
    [V("ALTER TABLE parents ADD CONSTRAINT fk_back FOREIGN KEY (id) REFERENCES children (id)", "children")],
    [
        V("CREATE FUNCTION label(parents) RETURNS text LANGUAGE sql AS 'SELECT $1.name'", gives="label"),
        V("CREATE FUNCTION label(parents) RETURNS text LANGUAGE sql RETURN ($1).name || 'x'", gives="label"),
        V(
            "CREATE FUNCTION many() RETURNS SETOF parents LANGUAGE sql BEGIN ATOMIC SELECT p FROM parents p; END"
        ),
    ],
    [
        V("CREATE VIEW seen AS SELECT id, code FROM parents", gives="seen"),
        V("CREATE VIEW seen WITH (security_invoker = true) AS SELECT id, code FROM parents", gives="seen"),
        V(
            "CREATE VIEW seen WITH (security_barrier = true, security_invoker = true) AS"
            " SELECT id, code FROM parents WHERE code IN ('a', 'b'); GRANT SELECT ON seen TO reader",
            gives="seen",
        ),
        V("CREATE TABLE seen (id int, code text)"),
        V("CREATE VIEW seen AS SELECT id, label(p) AS code FROM parents p", "label", "seen"),
    ],
    [
        V("CREATE VIEW over AS SELECT id FROM seen; COMMENT ON COLUMN over.id IS 'c'", "seen"),
        V("CREATE SEQUENCE over"),
        V("CREATE TYPE over AS ENUM ('x')"),
    ],
    [
        V("CREATE TRIGGER touched BEFORE UPDATE ON parents FOR EACH ROW EXECUTE FUNCTION touch()", "touch"),
        V(
            "CREATE TRIGGER touched BEFORE UPDATE OF code ON parents FOR EACH ROW"
            " WHEN (old.code IS DISTINCT FROM new.code) EXECUTE FUNCTION touch()",
            "touch",
        ),
        V(
            "CREATE CONSTRAINT TRIGGER touched AFTER INSERT ON parents DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"
            " EXECUTE FUNCTION touch(); COMMENT ON TRIGGER touched ON parents IS 't'",
            "touch",
        ),
        V(
            "CREATE TRIGGER touched BEFORE UPDATE ON parents FOR EACH ROW EXECUTE FUNCTION touch();"
            "ALTER TABLE parents DISABLE TRIGGER touched",
            "touch",
        ),
        V("CREATE TRIGGER renamed BEFORE UPDATE ON parents FOR EACH ROW EXECUTE FUNCTION touch()", "touch"),
        V(
            "CREATE TRIGGER touched INSTEAD OF INSERT ON seen FOR EACH ROW EXECUTE FUNCTION touch()",
            "touch seen",
        ),
    ],
    [
        V("ALTER TABLE parents ENABLE ROW LEVEL SECURITY"),
        V("ALTER TABLE parents ENABLE ROW LEVEL SECURITY; ALTER TABLE parents FORCE ROW LEVEL SECURITY"),
        V("ALTER TABLE parents FORCE ROW LEVEL SECURITY"),
    ],
    [
        V("CREATE POLICY own ON parents USING (code = (SELECT current_user))"),
        V("CREATE POLICY own ON parents FOR INSERT TO reader WITH CHECK (code IN ('a', 'b'))"),
        V(
            "CREATE POLICY own ON parents AS RESTRICTIVE TO reader, CURRENT_USER USING (f(length(code)) > 1)",
            "f",
        ),
        V("CREATE POLICY own ON parents USING (feeling = 'high') WITH CHECK (feeling = 'high')", "feeling"),
        V(
            "CREATE POLICY other ON parents USING (code = (SELECT current_user)); COMMENT ON POLICY other ON parents IS 'p'"
        ),
    ],
    [
        V("COMMENT ON TABLE parents IS 'parents'; COMMENT ON COLUMN parents.code IS '100 %'"),
        V("COMMENT ON TABLE parents IS E'two\\nlines \\\\ and more'"),
        V("COMMENT ON FUNCTION touch() IS 'f'; COMMENT ON TYPE mood IS 'm'", "touch mood"),
    ],
    [
        V("GRANT SELECT ON parents TO reader"),
        V("GRANT SELECT (code), UPDATE (code, name) ON parents TO reader; GRANT SELECT ON parents TO PUBLIC"),
        V("GRANT INSERT, DELETE ON parents TO reader; GRANT SELECT ON parents TO reader WITH GRANT OPTION"),
        V("REVOKE TRUNCATE ON parents FROM CURRENT_USER; GRANT USAGE ON SCHEMA side TO reader", "side"),
    ],
]


@st.composite
def schemas(draw: st.DrawFn) -> str:
    """The SQL of a schema."""
    there: set[str] = set()
    chosen = []
    for number, part in enumerate(PARTS):
        # the table that the others are about is always there
        always = number == PARENTS
        choice = draw(st.integers(0 if not always else 1, len(part)))
        if choice and part[choice - 1].needs <= there:
            chosen.append(part[choice - 1].sql)
            there |= part[choice - 1].gives
    return ";\n".join(chosen)


PARENTS = next(number for number, part in enumerate(PARTS) if "TABLE parents" in part[0].sql)
