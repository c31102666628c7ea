"""Columns."""

from dataclasses import dataclass
from typing import ClassVar, Self

from app.catalog.objects.base import Key, Object, ours
from app.catalog.objects.conversions import conversion, may_lose

FROM = f"""FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid AND c.relkind = 'r'
JOIN pg_namespace n ON n.oid = c.relnamespace AND {ours("n")}"""
LIVE = "a.attnum > 0 AND NOT a.attisdropped"


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
{FROM} JOIN pg_type t ON t.oid = a.atttypid LEFT
    JOIN pg_attrdef e ON (e.adrelid, e.adnum) = (c.oid, a.attnum)
WHERE {LIVE} ORDER BY c.oid, a.attnum
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
        return self._retyped(old) and dependant.parsed_with(self.name)

    def loses(self) -> str:
        """Every value, unless they are computed."""
        return "" if self.generated else f"every value of {self.table}.{self.name}"

    def loses_from(self, old: Self) -> str:
        """What the change of type may cut off."""
        if not may_lose(old.type, self.type):
            return ""
        return f"what {self.table}.{self.name} holds as {old.type} and cannot hold as {self.type}"
