"""Functions."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from app.catalog.objects.base import Object, ours

_HEAD = "CREATE OR REPLACE FUNCTION "


@dataclass(frozen=True, slots=True)
class Function(Object):
    """A function, named with the types of its arguments.

    `bound` says that its body was parsed when it was made (RETURN …, BEGIN ATOMIC …), so
    that PostgreSQL knows what it needs; any other body is text until it is called.
    """

    query: ClassVar[str] = f"""
SELECT 'pg_proc'::regclass::oid, p.oid, 0, p.oid::regprocedure::text, pg_get_function_arguments(p.oid),
       pg_get_function_result(p.oid), pg_get_functiondef(p.oid), l.lanname = 'sql', p.prosqlbody IS NOT NULL
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
WHERE p.prokind = 'f' AND {ours("n")}
"""
    kind: ClassVar[str] = "function"
    rank: ClassVar[int] = 5
    rebinds: ClassVar[bool] = True
    name: str
    arguments: str
    result: str
    text: str
    in_sql: bool
    bound: bool

    def respelled(self, spell: Callable[[str], str]) -> Self:
        """Only where PostgreSQL wrote the body; any other is its author's."""
        return replace(self, text=spell(self.text)) if self.bound else self

    @property
    def parsed(self) -> bool:
        """When its body was."""
        return self.bound

    @property
    def unchecked(self) -> bool:
        """Whether its body may name what is made after it."""
        return self.in_sql and not self.bound

    def create(self) -> list[str]:
        """CREATE FUNCTION."""
        return ["CREATE FUNCTION " + self.text.removeprefix(_HEAD).rstrip()]

    def drop(self) -> list[str]:
        """DROP FUNCTION."""
        return [f"DROP FUNCTION {self.name}"]

    def alter(self, old: Self) -> list[str] | None:
        """CREATE OR REPLACE, which takes neither another result nor other arguments."""
        if (self.arguments, self.result) != (old.arguments, old.result):
            return None
        return [self.text.rstrip()]
