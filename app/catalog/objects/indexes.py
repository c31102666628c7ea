"""Indexes that belong to no constraint."""

from dataclasses import dataclass
from typing import ClassVar, Self

from app.catalog.objects.base import Key, Object, ours
from app.catalog.objects.schemas import IN_SCHEMA

_HEAD = """concat('CREATE ', CASE WHEN x.indisunique THEN 'UNIQUE ' END, 'INDEX ', quote_ident(i.relname),
    ' ON ', c.oid::regclass, ' ')"""


@dataclass(frozen=True, slots=True)
class Index(Object):
    """An index; `clause` is what stands behind the table's name, `computed` its expressions and condition."""

    query: ClassVar[str] = f"""
SELECT 'pg_class'::regclass::oid, i.oid, 0, c.oid::regclass::text, quote_ident(i.relname), {IN_SCHEMA},
       x.indisunique, concat(pg_get_expr(x.indexprs, c.oid), pg_get_expr(x.indpred, c.oid)),
       regexp_replace(substr(pg_get_indexdef(i.oid, 0, true), length({_HEAD}) + 1), '^USING btree ', '')
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class c ON c.oid = x.indrelid
    AND c.relkind = 'r'
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {ours("n")} AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.oid
    AND k.contype IN ('p', 'u', 'x'))
ORDER BY 4, 5
"""
    kind: ClassVar[str] = "index"
    rank: ClassVar[int] = 30
    expressions: ClassVar[tuple[str, ...]] = ("computed", "clause")
    table: str
    name: str
    schema: str
    unique: bool
    computed: str
    clause: str

    @property
    def home(self) -> Key:
        """Its table."""
        return ("table", self.table)

    @property
    def relation(self) -> str:
        """An index is a relation."""
        return self.schema + self.name

    @property
    def parsed(self) -> bool:
        """When it has an expression or a condition, or INCLUDEs what a foreign key does not need."""
        return bool(self.computed) or " INCLUDE " in self.clause

    def parsed_with(self, column: str) -> bool:
        """Plain columns are no matter: PostgreSQL makes the index anew."""
        return column in self.computed or " INCLUDE " in self.clause

    @property
    def target(self) -> str:
        """As COMMENT calls it."""
        return f"INDEX {self.schema}{self.name}"

    def create(self) -> list[str]:
        """CREATE INDEX."""
        unique = "UNIQUE " if self.unique else ""
        return [f"CREATE {unique}INDEX {self.name} ON {self.table} {self.clause}"]

    def drop(self) -> list[str]:
        """DROP INDEX."""
        return [f"DROP INDEX {self.schema}{self.name}"]

    def rename(self, old: Self) -> str:
        """ALTER INDEX … RENAME."""
        return f"ALTER INDEX {old.schema}{old.name} RENAME TO {self.name}"
