"""Columns, and what can come to and go from a column: default, NOT NULL, identity."""

from dataclasses import dataclass
from typing import ClassVar, Self

from app.catalog.objects.base import Key, Object, ours
from app.catalog.objects.conversions import conversion, may_lose
from app.catalog.objects.sequences import MAXIMUM

_FROM = f"""FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid AND c.relkind = 'r'
JOIN pg_namespace n ON n.oid = c.relnamespace AND {ours("n")}"""
_LIVE = "a.attnum > 0 AND NOT a.attisdropped"


@dataclass(frozen=True, slots=True)
class Column(Object):
    """A column; `generated` is the whole clause, empty for a column that is written."""

    query: ClassVar[str] = f"""
SELECT 'pg_class'::regclass::oid, c.oid, a.attnum, c.oid::regclass::text, quote_ident(a.attname),
       format_type(a.atttypid, a.atttypmod),
       coalesce((SELECT ' COLLATE ' || l.oid::regcollation FROM pg_collation l
                 WHERE l.oid = a.attcollation AND l.oid <> t.typcollation), ''),
       CASE a.attgenerated WHEN '' THEN ''
           ELSE concat('GENERATED ALWAYS AS (', pg_get_expr(e.adbin, e.adrelid, true),
           CASE a.attgenerated WHEN 's' THEN ') STORED' ELSE ') VIRTUAL' END) END
{_FROM} JOIN pg_type t ON t.oid = a.atttypid LEFT
    JOIN pg_attrdef e ON (e.adrelid, e.adnum) = (c.oid, a.attnum)
WHERE {_LIVE} ORDER BY c.oid, a.attnum
"""
    kind: ClassVar[str] = "column"
    rank: ClassVar[int] = 11
    rebinds: ClassVar[bool] = True
    expressions: ClassVar[tuple[str, ...]] = ("generated",)
    table: str
    name: str
    type: str
    collation: str
    generated: str

    @property
    def home(self) -> Key:
        """Its table."""
        return ("table", self.table)

    @property
    def comes_with_home(self) -> bool:
        """In CREATE TABLE."""
        return True

    @property
    def parsed(self) -> bool:
        """When its values are computed from other columns."""
        return bool(self.generated)

    @property
    def target(self) -> str:
        """As COMMENT calls it."""
        return f"COLUMN {self.table}.{self.name}"

    @property
    def definition(self) -> str:
        """The column as CREATE TABLE and ADD COLUMN take it."""
        return " ".join(part for part in (f"{self.name} {self.type}{self.collation}", self.generated) if part)

    def create(self) -> list[str]:
        """ADD COLUMN."""
        return [self.create_with([])]

    def create_with(self, parts: list[str]) -> str:
        """ADD COLUMN with its default, NOT NULL or identity, so that rows that are there get a value."""
        return f"ALTER TABLE {self.table} ADD COLUMN {' '.join([self.definition, *parts])}"

    def drop(self) -> list[str]:
        """DROP COLUMN."""
        return [f"ALTER TABLE {self.table} DROP COLUMN {self.name}"]

    def alter(self, old: Self) -> list[str] | None:
        """Another type, or values that were generated and are written from now on."""
        if self.generated not in {"", old.generated} or "VIRTUAL" in old.generated:
            return None
        change = f"ALTER TABLE {self.table} ALTER {self.name}"
        using = conversion(self.name, old.type, self.type)
        return [
            *([f"{change} DROP EXPRESSION"] if old.generated != self.generated else []),
            *([f"{change} TYPE {self.type}{self.collation}{using}"] if self._retyped(old) else []),
        ]

    def _retyped(self, old: Self) -> bool:
        return (self.type, self.collation) != (old.type, old.collation)

    def disturbs(self, old: Self, dependant: Object) -> bool:
        """PostgreSQL refuses a new type under some dependants and rewrites the text of others."""
        return self._retyped(old) and dependant.parsed

    def loses(self) -> str:
        """Every value, unless they are computed."""
        return "" if self.generated else f"every value of {self.table}.{self.name}"

    def loses_from(self, old: Self) -> str:
        """What the change of type may cut off."""
        if not may_lose(old.type, self.type):
            return ""
        return f"what {self.table}.{self.name} holds as {old.type} and cannot hold as {self.type}"


@dataclass(frozen=True, slots=True)
class _OfColumn(Object):
    """Something a column has or has not."""

    table: str
    column: str

    @property
    def key(self) -> Key:
        """The column's key, under a kind of its own."""
        return (self.kind, self.table, self.column)

    @property
    def home(self) -> Key:
        """Its column."""
        return ("column", self.table, self.column)

    @property
    def comes_with_home(self) -> bool:
        """In CREATE TABLE and ADD COLUMN."""
        return True

    @property
    def _change(self) -> str:
        return f"ALTER TABLE {self.table} ALTER {self.column}"


@dataclass(frozen=True, slots=True)
class Default(_OfColumn):
    """The value a column has when none is given."""

    query: ClassVar[str] = f"""
SELECT 'pg_attrdef'::regclass::oid, e.oid, 0, c.oid::regclass::text, quote_ident(a.attname),
       regexp_replace(pg_get_expr(e.adbin, e.adrelid, true),
                      '^(''(?:[^'']|'''')*'')::' || regexp_replace(format_type(a.atttypid, NULL), '(\\W)',
                          '\\\\\\1', 'g') || '$',
                      '\\1')
{_FROM} JOIN pg_attrdef e ON (e.adrelid, e.adnum) = (c.oid, a.attnum)
WHERE a.attgenerated = ''
"""
    kind: ClassVar[str] = "default"
    rank: ClassVar[int] = 12
    rebinds: ClassVar[bool] = True
    expressions: ClassVar[tuple[str, ...]] = ("expression",)
    expression: str

    @property
    def parsed(self) -> bool:
        """A default has its column's type."""
        return True

    @property
    def definition(self) -> str:
        """The DEFAULT clause."""
        return f"DEFAULT {self.expression}"

    def create(self) -> list[str]:
        """SET DEFAULT."""
        return [f"{self._change} SET DEFAULT {self.expression}"]

    def drop(self) -> list[str]:
        """DROP DEFAULT."""
        return [f"{self._change} DROP DEFAULT"]

    def alter(self, old: Self) -> list[str]:  # noqa: ARG002 - whatever it was before
        """Another value."""
        return self.create()


@dataclass(frozen=True, slots=True)
class NotNull(_OfColumn):
    """That a column always has a value.

    The name PostgreSQL 18 gives this is not read: 15 to 17 have none.
    """

    query: ClassVar[str] = f"""
SELECT 0::oid, c.oid, 100000 + a.attnum, c.oid::regclass::text, quote_ident(a.attname)
{_FROM} WHERE {_LIVE} AND a.attnotnull
"""
    kind: ClassVar[str] = "not null"
    rank: ClassVar[int] = 13

    @property
    def definition(self) -> str:
        """NOT NULL."""
        return "NOT NULL"

    def create(self) -> list[str]:
        """SET NOT NULL."""
        return [f"{self._change} SET NOT NULL"]

    def drop(self) -> list[str]:
        """DROP NOT NULL."""
        return [f"{self._change} DROP NOT NULL"]


@dataclass(frozen=True, slots=True)
class Identity(_OfColumn):
    """That a column numbers its rows; `options` of its sequence without what follows from the type."""

    query: ClassVar[str] = f"""
SELECT 0::oid, c.oid, 200000 + a.attnum, c.oid::regclass::text, quote_ident(a.attname),
       CASE a.attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END,
       concat_ws(' ', CASE WHEN s.seqincrement <> 1 THEN 'INCREMENT ' || s.seqincrement END,
           CASE WHEN s.seqmin <> 1 THEN 'MINVALUE ' || s.seqmin END,
           CASE WHEN s.seqmax <> {MAXIMUM} THEN 'MAXVALUE ' || s.seqmax END,
           CASE WHEN s.seqstart <> 1 THEN 'START ' || s.seqstart END,
           CASE WHEN s.seqcache > 1 THEN 'CACHE ' || s.seqcache END, CASE WHEN s.seqcycle THEN 'CYCLE' END)
{_FROM} JOIN pg_sequence s ON s.seqrelid = pg_get_serial_sequence(quote_ident(n.nspname) || '.'
    || quote_ident(c.relname), a.attname)::regclass
WHERE {_LIVE} AND a.attidentity <> ''
"""
    kind: ClassVar[str] = "identity"
    rank: ClassVar[int] = 14
    mode: str
    options: str

    @property
    def needs(self) -> tuple[Key, ...]:
        """The column, and NOT NULL, which an identity has to have."""
        return (self.home, ("not null", self.table, self.column))

    @property
    def definition(self) -> str:
        """GENERATED … AS IDENTITY."""
        return f"GENERATED {self.mode} AS IDENTITY" + (f" ({self.options})" if self.options else "")

    def create(self) -> list[str]:
        """ADD GENERATED … AS IDENTITY."""
        return [f"{self._change} ADD {self.definition}"]

    def drop(self) -> list[str]:
        """DROP IDENTITY."""
        return [f"{self._change} DROP IDENTITY"]

    def alter(self, old: Self) -> list[str] | None:
        """Another mode; other options are another sequence."""
        return [f"{self._change} SET GENERATED {self.mode}"] if self.options == old.options else None
