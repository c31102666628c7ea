"""Schemas and enums."""

from dataclasses import dataclass
from typing import ClassVar, Self

from app.catalog.objects.base import Object, ours

IN_SCHEMA = "CASE n.nspname WHEN 'public' THEN '' ELSE quote_ident(n.nspname) || '.' END"
"""What stands in front of a name: nothing in `public`, where unqualified names are looked for."""


@dataclass(frozen=True, slots=True)
class Schema(Object):
    """A schema other than `public`, which every database has."""

    query: ClassVar[str] = f"""
SELECT 'pg_namespace'::regclass::oid, n.oid, 0, quote_ident(n.nspname) FROM pg_namespace n
WHERE {ours("n")} AND n.nspname <> 'public'
"""
    kind: ClassVar[str] = "schema"
    rank: ClassVar[int] = 1
    name: str

    def create(self) -> list[str]:
        """CREATE SCHEMA."""
        return [f"CREATE SCHEMA {self.name}"]

    def drop(self) -> list[str]:
        """DROP SCHEMA, which refuses while anything is left in it."""
        return [f"DROP SCHEMA {self.name}"]


@dataclass(frozen=True, slots=True)
class Enum(Object):
    """An enumerated type; its labels as literals, in their order."""

    query: ClassVar[str] = f"""
SELECT 'pg_type'::regclass::oid, t.oid, 0, {IN_SCHEMA} || quote_ident(t.typname), {IN_SCHEMA},
       ARRAY(SELECT quote_literal(enumlabel) FROM pg_enum WHERE enumtypid = t.oid ORDER BY enumsortorder)
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE t.typtype = 'e' AND {ours("n")}
"""
    kind: ClassVar[str] = "type"
    rank: ClassVar[int] = 2
    name: str
    schema: str
    labels: tuple[str, ...]

    @property
    def relation(self) -> str:
        """A table's row type would take the same name."""
        return self.name

    def create(self) -> list[str]:
        """CREATE TYPE … AS ENUM."""
        return [f"CREATE TYPE {self.name} AS ENUM ({', '.join(self.labels)})"]

    def drop(self) -> list[str]:
        """DROP TYPE."""
        return [f"DROP TYPE {self.name}"]

    def grows_from(self, old: Self) -> bool:
        """Whether labels only came."""
        return [label for label in self.labels if label in old.labels] == list(old.labels)

    def alter(self, old: Self) -> list[str]:
        """ALTER TYPE … ADD VALUE for each label that came."""
        place = f"BEFORE {old.labels[0]}" if old.labels else ""
        statements = []
        for label in self.labels:
            if label not in old.labels:
                statements.append(f"ALTER TYPE {self.name} ADD VALUE {label} {place}".rstrip())
            place = f"AFTER {label}"
        return statements

    def replace(self, columns: list[tuple[str, str, str]]) -> list[str]:
        """A new type under the name, with the columns (table, name, type) that have it taken along.

        A new label could not be used in the transaction that adds it, and none can be taken away.
        https://www.postgresql.org/docs/current/sql-altertype.html#SQL-ALTERTYPE-NOTES
        """
        before = f'{self.name[:-1]}_before"' if self.name.endswith('"') else f"{self.name}_before"
        return [
            f"ALTER TYPE {self.name} RENAME TO {before.removeprefix(self.schema)}",
            *self.create(),
            *(
                f"ALTER TABLE {table} ALTER {column} TYPE {kind} USING {column}::text::{kind}"
                for table, column, kind in columns
            ),
            f"DROP TYPE {before}",
        ]
