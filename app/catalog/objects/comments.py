"""Comments on anything."""

from dataclasses import dataclass
from typing import ClassVar, Self

from app.catalog.objects.base import Key, Object

_FIRST_OWN = 16384  # objects below came with the server


@dataclass(frozen=True, slots=True)
class Comment(Object):
    """A comment, as a literal."""

    # the reader adds which object is meant
    query: ClassVar[str] = f"""
SELECT d.classoid, d.objoid, d.objsubid, quote_ident(a.attname), quote_literal(d.description),
       pg_describe_object(d.classoid, d.objoid, d.objsubid)
FROM pg_description d LEFT JOIN pg_attribute a ON d.classoid = 'pg_class'::regclass
    AND (a.attrelid, a.attnum) = (d.objoid, d.objsubid) AND d.objsubid > 0
WHERE d.objoid >= {_FIRST_OWN}
"""
    kind: ClassVar[str] = "comment"
    rank: ClassVar[int] = 80
    of: Key
    on: str
    text: str

    @property
    def key(self) -> Key:
        """What it is on."""
        return (self.kind, self.on)

    @property
    def home(self) -> Key:
        """What it is on."""
        return self.of

    def create(self) -> list[str]:
        """COMMENT ON."""
        return [f"COMMENT ON {self.on} IS {self.text}"]

    def drop(self) -> list[str]:
        """COMMENT ON … IS NULL."""
        return [f"COMMENT ON {self.on} IS NULL"]

    def alter(self, old: Self) -> list[str]:  # noqa: ARG002 - whatever it was before
        """Another comment."""
        return self.create()
