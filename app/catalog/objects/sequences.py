"""Sequences, and the columns they belong to."""

from dataclasses import dataclass
from typing import ClassVar, Self

from app.catalog.objects.base import Key, Object, ours
from app.catalog.objects.schemas import IN_SCHEMA

_OF_IDENTITY = """EXISTS (SELECT FROM pg_depend d
    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'i')"""
_OPTIONS = """concat('INCREMENT ', s.seqincrement, ' MINVALUE ', s.seqmin, ' START ', s.seqstart,
    CASE WHEN s.seqcache > 1 THEN ' CACHE ' || s.seqcache END, CASE WHEN s.seqcycle THEN ' CYCLE' END)"""
"""What is said of a sequence but its type and its greatest value, which follows from the type."""
MAXIMUM = """CASE s.seqtypid WHEN 'smallint'::regtype THEN 32767 WHEN 'integer'::regtype THEN 2147483647
    ELSE 9223372036854775807 END"""


@dataclass(frozen=True, slots=True)
class Sequence(Object):
    """A sequence of its own or of a serial column; an identity column's belongs to the identity."""

    query: ClassVar[str] = f"""
SELECT 'pg_class'::regclass::oid, c.oid, 0, {IN_SCHEMA} || quote_ident(c.relname),
       s.seqtypid::regtype::text, {_OPTIONS}, s.seqmax
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_sequence s ON s.seqrelid = c.oid
WHERE {ours("n")} AND NOT {_OF_IDENTITY}
"""
    kind: ClassVar[str] = "sequence"
    rank: ClassVar[int] = 3
    name: str
    type: str
    options: str
    maximum: int

    @property
    def relation(self) -> str:
        """A sequence is a relation."""
        return self.name

    def create(self) -> list[str]:
        """CREATE SEQUENCE."""
        return [f"CREATE SEQUENCE {self.name} AS {self.type} {self.options} MAXVALUE {self.maximum}"]

    def drop(self) -> list[str]:
        """DROP SEQUENCE."""
        return [f"DROP SEQUENCE {self.name}"]

    def loses(self) -> str:
        """Where it stands."""
        return f"the number at which {self.name} stands"

    def alter(self, old: Self) -> list[str]:
        """ALTER SEQUENCE; where it stands stays, and what may now be left out is said."""
        more = "" if "CACHE" in self.options else " CACHE 1"
        more += "" if "CYCLE" in self.options or "CYCLE" not in old.options else " NO CYCLE"
        return [
            f"ALTER SEQUENCE {self.name} AS {self.type} {self.options} MAXVALUE {self.maximum}{more}",
        ]


@dataclass(frozen=True, slots=True)
class Ownership(Object):
    """The column with which a sequence is dropped."""

    query: ClassVar[str] = f"""
SELECT 0::oid, c.oid, 1, r.oid::regclass::text, quote_ident(a.attname), {IN_SCHEMA} || quote_ident(c.relname)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'a'
    AND d.refobjsubid > 0
JOIN pg_class r ON r.oid = d.refobjid
JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum = d.refobjsubid
WHERE c.relkind = 'S' AND {ours("n")}
"""
    kind: ClassVar[str] = "sequence owner"
    rank: ClassVar[int] = 21
    rebinds: ClassVar[bool] = True
    table: str
    column: str
    name: str

    @property
    def needs(self) -> tuple[Key, ...]:
        """The sequence and the column."""
        return (("sequence", self.name), ("column", self.table, self.column))

    def create(self) -> list[str]:
        """ALTER SEQUENCE … OWNED BY."""
        return [f"ALTER SEQUENCE {self.name} OWNED BY {self.table}.{self.column}"]

    def drop(self) -> list[str]:
        """ALTER SEQUENCE … OWNED BY NONE, so that the sequence's end is its own."""
        return [f"ALTER SEQUENCE {self.name} OWNED BY NONE"]

    def alter(self, old: Self) -> list[str]:  # noqa: ARG002 - whoever owned it before
        """Another owner."""
        return self.create()
