"""Constraints: primary keys, uniques, checks, exclusions and foreign keys."""

from dataclasses import dataclass
from typing import ClassVar, Self

from app.catalog.objects.base import Key, Object, ours

_NOT_VALID = " NOT VALID"


@dataclass(frozen=True, slots=True)
class Constraint(Object):
    """A constraint; `type` is p(rimary), u(nique), c(heck), (e)x(clusion) or f(oreign).

    `clause` is what stands behind its name, DEFERRABLE and NOT VALID included.
    """

    query: ClassVar[str] = f"""
SELECT 'pg_constraint'::regclass::oid, k.oid, 0, c.oid::regclass::text, quote_ident(k.conname),
    k.contype::text,
       pg_get_constraintdef(k.oid, true), coalesce(f.oid::regclass::text, ''),
       ARRAY(SELECT quote_ident(a.attname) FROM pg_attribute a WHERE a.attrelid = c.oid
           AND a.attnum = ANY (k.conkey)
             ORDER BY 1)
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_class f ON f.oid = k.confrelid
WHERE k.contype IN ('p', 'u', 'c', 'x', 'f') AND {ours("n")}
ORDER BY 4, position(k.contype::text IN 'pfucx'), 5
"""
    kind: ClassVar[str] = "constraint"
    rank: ClassVar[int] = 20
    expressions: ClassVar[tuple[str, ...]] = ("clause",)
    table: str
    name: str
    type: str
    clause: str
    referenced: str
    columns: tuple[str, ...]

    @property
    def home(self) -> Key:
        """Its table."""
        return ("table", self.table)

    @property
    def comes_with_home(self) -> bool:
        """In CREATE TABLE, which would not heed NOT VALID."""
        return self.valid

    @property
    def valid(self) -> bool:
        """Whether the rows that were there were looked at."""
        return not self.clause.endswith(_NOT_VALID)

    @property
    def needs(self) -> tuple[Key, ...]:
        """Its table; a primary key NOT NULL as well, which it would otherwise leave behind."""
        if self.type != "p":
            return (self.home,)
        return (self.home, *(("not null", self.table, column) for column in self.columns))

    @property
    def relation(self) -> str:
        """Those that an index keeps take a name from the relations."""
        if self.type not in {"p", "u", "x"}:
            return ""
        schema, dot, _ = self.table.rpartition(".")
        return f"{schema}{dot}{self.name}"

    @property
    def parsed(self) -> bool:
        """Checks, exclusions and keys; a plain index is made anew by PostgreSQL itself.

        Not so one that INCLUDEs the column while a foreign key stands on it.
        """
        return self.type in {"c", "x", "f"} or " INCLUDE " in self.clause

    @property
    def target(self) -> str:
        """As COMMENT calls it."""
        return f"CONSTRAINT {self.name} ON {self.table}"

    @property
    def definition(self) -> str:
        """The constraint as CREATE TABLE takes it."""
        return f"CONSTRAINT {self.name} {self.clause}"

    def create(self) -> list[str]:
        """ADD CONSTRAINT."""
        return [f"ALTER TABLE {self.table} ADD {self.definition}"]

    def drop(self) -> list[str]:
        """DROP CONSTRAINT."""
        return [f"ALTER TABLE {self.table} DROP CONSTRAINT {self.name}"]

    def alter(self, old: Self) -> list[str] | None:
        """VALIDATE, where nothing else is missing."""
        if old.clause == self.clause + _NOT_VALID and self.type == old.type:
            return [f"ALTER TABLE {self.table} VALIDATE CONSTRAINT {self.name}"]
        return None

    def rename(self, old: Self) -> str:
        """RENAME CONSTRAINT."""
        return f"ALTER TABLE {self.table} RENAME CONSTRAINT {old.name} TO {self.name}"
