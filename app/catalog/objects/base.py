"""What every object of a schema has in common: what it is called, how it is made, dropped and changed."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any, ClassVar, Self

Key = tuple[str, ...]
"""What an object is called within its database: ("column", "rcas", "title")."""


@dataclass(frozen=True, slots=True)
class Object:
    """One object of a schema, as plain values that compare.

    Names and expressions are text as PostgreSQL itself writes it, quoted where needed.
    A subclass's `query` yields the object's address in `pg_depend` (the catalog's oid, the
    object's oid, the column's number) and then its fields in their order.
    https://www.postgresql.org/docs/current/catalog-pg-depend.html
    """

    query: ClassVar[str] = ""
    kind: ClassVar[str] = ""
    # what comes first where nothing else decides; what is dropped goes the other way round
    rank: ClassVar[int] = 0
    # whether altering it leaves behind what it needed before
    rebinds: ClassVar[bool] = False
    # the fields that PostgreSQL wrote from a parsed expression
    expressions: ClassVar[tuple[str, ...]] = ()

    @classmethod
    @cache
    def names(cls) -> tuple[str, ...]:
        """The fields that name an object of this kind; of those with a table, table and name."""
        known = {field.name for field in fields(cls)}
        return tuple(name for name in ("table", "name") if name in known)

    @property
    def key(self) -> Key:
        """What the object is called."""
        return (self.kind, *(str(getattr(self, name)) for name in self.names()))

    @property
    def group(self) -> str:
        """The table it belongs to, so that what belongs together stands together."""
        return str(getattr(self, "table", ""))

    @property
    def home(self) -> Key | None:
        """The object that can be made or dropped together with this one in one statement."""
        return None

    @property
    def needs(self) -> tuple[Key, ...]:
        """What it needs that PostgreSQL does not note in pg_depend."""
        return (self.home,) if self.home else ()

    @property
    def parsed(self) -> bool:
        """Whether it was parsed with the types of its columns, so that they cannot change under it."""
        return False

    def parsed_with(self, column: str) -> bool:  # noqa: ARG002 - for the kinds that can tell
        """Whether it was parsed with the type of this column of its table."""
        return self.parsed

    @property
    def definition(self) -> str:
        """What stands for it in the statement that makes its home."""
        return ""

    @property
    def comes_with_home(self) -> bool:
        """Whether the statement that makes its home can make this one too."""
        return False

    @property
    def relation(self) -> str:
        """The name it takes among tables, views, indexes, sequences and types; empty when it takes none."""
        return ""

    @property
    def target(self) -> str:
        """How COMMENT calls it: TABLE rcas."""
        return f"{self.kind.upper()} {self.key[-1]}"

    def respelled(self, spell: Callable[[str], str]) -> Self:
        """The same object with its expressions in another spelling."""
        texts = {name: getattr(self, name) for name in self.expressions}
        changed = {name: new for name, text in texts.items() if (new := spell(text)) != text}
        return replace(self, **changed) if changed else self

    def create(self) -> list[str]:
        """The statements that make it."""
        raise NotImplementedError

    def drop(self) -> list[str]:
        """The statements that remove it."""
        raise NotImplementedError

    def alter(self, old: Self) -> list[str] | None:  # noqa: ARG002 - for the kinds that can
        """The statements that make it out of `old`; None where it has to be made anew."""
        return None

    def rename(self, old: Self) -> str | None:  # noqa: ARG002 - for the kinds that can
        """The statement that gives `old` this one's name, where nothing else differs."""
        return None

    def disturbs(self, old: Self, dependant: "Object") -> bool:  # noqa: ARG002 - for the kinds that do
        """Whether altering `old` into this one needs a dependant out of the way."""
        return False

    def loses(self) -> str:
        """What data is lost when it is dropped; empty when none is."""
        return ""


def same_but_name(one: Any, other: Any) -> bool:
    """Whether two objects of a kind differ in nothing but their own name."""
    if type(one) is not type(other):
        return False
    names = [field.name for field in fields(one) if field.name != "name"]
    return all(getattr(one, name) == getattr(other, name) for name in names)


def ours(schema: str) -> str:
    """The condition that a schema is not the system's."""
    return f"{schema}.nspname !~ '^pg_' AND {schema}.nspname <> 'information_schema'"
