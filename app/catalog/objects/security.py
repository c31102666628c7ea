"""Row-level security: enabled, forced, and the policies.

https://www.postgresql.org/docs/current/ddl-rowsecurity.html
"""

from dataclasses import dataclass
from typing import ClassVar, Self

from app.catalog.objects.base import Key, Object, ours


@dataclass(frozen=True, slots=True)
class _OfTable(Object):
    table: str

    @property
    def key(self) -> Key:
        """The table's name, under a kind of its own."""
        return (self.kind, self.table)

    @property
    def home(self) -> Key:
        """Its table."""
        return ("table", self.table)

    def _switched(self, verb: str) -> list[str]:
        return [f"ALTER TABLE {self.table} {verb} ROW LEVEL SECURITY"]


def _where(flag: str, number: int) -> str:
    return f"""
SELECT 0::oid, c.oid, {number}, c.oid::regclass::text FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.{flag} AND {ours("n")}
"""


@dataclass(frozen=True, slots=True)
class RowSecurity(_OfTable):
    """That a table's policies hold for everybody but its owner."""

    query: ClassVar[str] = _where("relrowsecurity", -1)
    kind: ClassVar[str] = "row security"
    rank: ClassVar[int] = 60

    def create(self) -> list[str]:
        """ENABLE ROW LEVEL SECURITY."""
        return self._switched("ENABLE")

    def drop(self) -> list[str]:
        """DISABLE ROW LEVEL SECURITY."""
        return self._switched("DISABLE")


@dataclass(frozen=True, slots=True)
class ForcedRowSecurity(_OfTable):
    """That they hold for the owner too."""

    query: ClassVar[str] = _where("relforcerowsecurity", -2)
    kind: ClassVar[str] = "forced row security"
    rank: ClassVar[int] = 61

    def create(self) -> list[str]:
        """FORCE ROW LEVEL SECURITY."""
        return self._switched("FORCE")

    def drop(self) -> list[str]:
        """NO FORCE ROW LEVEL SECURITY."""
        return self._switched("NO FORCE")


@dataclass(frozen=True, slots=True)
class Policy(Object):
    """A policy; an empty `using` or `check` means that it has none."""

    query: ClassVar[str] = f"""
SELECT 'pg_policy'::regclass::oid, p.oid, 0, c.oid::regclass::text, quote_ident(p.polname), p.polpermissive,
       CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
           WHEN 'd' THEN 'DELETE'
           ELSE 'ALL' END,
       ARRAY(SELECT CASE r WHEN 0 THEN 'PUBLIC' ELSE r::regrole::text END FROM unnest(p.polroles) AS r
           ORDER BY 1),
       coalesce(pg_get_expr(p.polqual, c.oid, true), ''), coalesce(pg_get_expr(p.polwithcheck, c.oid, true),
           '')
FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE {ours("n")}
"""
    kind: ClassVar[str] = "policy"
    rank: ClassVar[int] = 62
    expressions: ClassVar[tuple[str, ...]] = ("using", "check")
    table: str
    name: str
    permissive: bool
    command: str
    roles: tuple[str, ...]
    using: str
    check: str

    @property
    def home(self) -> Key:
        """Its table."""
        return ("table", self.table)

    @property
    def parsed(self) -> bool:
        """A policy holds on to the columns it names."""
        return True

    @property
    def target(self) -> str:
        """As COMMENT calls it."""
        return f"POLICY {self.name} ON {self.table}"

    def create(self) -> list[str]:
        """CREATE POLICY."""
        clauses = [
            "" if self.permissive else " AS RESTRICTIVE",
            "" if self.command == "ALL" else f" FOR {self.command}",
            "" if self.roles == ("PUBLIC",) else f" TO {', '.join(self.roles)}",
            f"\n    USING ({self.using})" if self.using else "",
            f"\n    WITH CHECK ({self.check})" if self.check else "",
        ]
        return [f"CREATE POLICY {self.name} ON {self.table}{''.join(clauses)}"]

    def drop(self) -> list[str]:
        """DROP POLICY."""
        return [f"DROP POLICY {self.name} ON {self.table}"]

    def rename(self, old: Self) -> str:
        """ALTER POLICY … RENAME."""
        return f"ALTER POLICY {old.name} ON {self.table} RENAME TO {self.name}"
