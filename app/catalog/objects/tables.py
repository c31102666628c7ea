"""Tables: what they are besides their columns."""

from dataclasses import dataclass
from typing import ClassVar, Self

from app.catalog.objects.base import Object, ours


@dataclass(frozen=True, slots=True)
class Table(Object):
    """A table and its storage options, such as fillfactor=70; its columns are objects of their own."""

    query: ClassVar[str] = f"""
SELECT 'pg_class'::regclass::oid, c.oid, 0, c.oid::regclass::text,
       ARRAY(SELECT o FROM unnest(c.reloptions) AS o ORDER BY o)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND {ours("n")}
"""
    kind: ClassVar[str] = "table"
    rank: ClassVar[int] = 10
    name: str
    options: tuple[str, ...] = ()

    @property
    def group(self) -> str:
        """Itself."""
        return self.name

    @property
    def relation(self) -> str:
        """A table is a relation."""
        return self.name

    def create(self) -> list[str]:
        """CREATE TABLE without a column; the plan puts in what can come with it."""
        return [self.create_with([])]

    def create_with(self, parts: list[str]) -> str:
        """CREATE TABLE with these columns and constraints."""
        inner = "\n" + ",\n".join(f"    {part}" for part in parts) + "\n" if parts else ""
        options = f" WITH ({', '.join(self.options)})" if self.options else ""
        return f"CREATE TABLE {self.name} ({inner}){options}"

    def drop(self) -> list[str]:
        """DROP TABLE."""
        return [f"DROP TABLE {self.name}"]

    def alter(self, old: Self) -> list[str]:
        """Storage options set and reset."""
        gone = {option.partition("=")[0] for option in old.options}
        gone -= {option.partition("=")[0] for option in self.options}
        new = [option for option in self.options if option not in old.options]
        return [
            *([f"ALTER TABLE {self.name} SET ({', '.join(new)})"] if new else []),
            *([f"ALTER TABLE {self.name} RESET ({', '.join(sorted(gone))})"] if gone else []),
        ]

    def loses(self) -> str:
        """Every row."""
        return f"every row of {self.name}"
