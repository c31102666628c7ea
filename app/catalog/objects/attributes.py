"""What can come to a column and go from it: its default, NOT NULL, identity."""

from dataclasses import dataclass
from typing import ClassVar, Self

from app.catalog.objects.base import Key, Object
from app.catalog.objects.columns import FROM, LIVE
from app.catalog.objects.sequences import MAXIMUM


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
{FROM} JOIN pg_attrdef e ON (e.adrelid, e.adnum) = (c.oid, a.attnum)
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
{FROM} WHERE {LIVE} AND a.attnotnull
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
{FROM} JOIN pg_sequence s ON s.seqrelid = pg_get_serial_sequence(quote_ident(n.nspname) || '.'
    || quote_ident(c.relname), a.attname)::regclass
WHERE {LIVE} AND a.attidentity <> ''
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

    def loses(self) -> str:
        """Where the numbering stands."""
        return f"the number at which {self.table}.{self.column} stands"
