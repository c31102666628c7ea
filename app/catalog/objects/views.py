"""Views."""

from dataclasses import dataclass
from typing import ClassVar, Self

from app.catalog.objects.base import Object, ours


@dataclass(frozen=True, slots=True)
class View(Object):
    """A view; `options` such as security_invoker=true decide whose rights count."""

    query: ClassVar[str] = f"""
SELECT 'pg_class'::regclass::oid, c.oid, 0, c.oid::regclass::text,
       ARRAY(SELECT o FROM unnest(c.reloptions) AS o ORDER BY o), rtrim(pg_get_viewdef(c.oid, true), ';')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'v' AND {ours("n")}
"""
    kind: ClassVar[str] = "view"
    rank: ClassVar[int] = 40
    expressions: ClassVar[tuple[str, ...]] = ("select",)
    name: str
    options: tuple[str, ...]
    select: str

    @property
    def group(self) -> str:
        """Itself."""
        return self.name

    @property
    def relation(self) -> str:
        """A view is a relation."""
        return self.name

    @property
    def parsed(self) -> bool:
        """A view's columns have the types of its tables' columns."""
        return True

    def create(self) -> list[str]:
        """CREATE VIEW."""
        options = f" WITH ({', '.join(self.options)})" if self.options else ""
        return [f"CREATE VIEW {self.name}{options} AS\n{self.select}"]

    def drop(self) -> list[str]:
        """DROP VIEW."""
        return [f"DROP VIEW {self.name}"]

    def alter(self, old: Self) -> list[str] | None:
        """Other options; another select is another view."""
        if self.select != old.select:
            return None
        gone = {option.partition("=")[0] for option in old.options}
        gone -= {option.partition("=")[0] for option in self.options}
        return [
            *([f"ALTER VIEW {self.name} SET ({', '.join(self.options)})"] if self.options else []),
            *([f"ALTER VIEW {self.name} RESET ({', '.join(sorted(gone))})"] if gone else []),
        ]
