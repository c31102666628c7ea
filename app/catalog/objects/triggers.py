"""Triggers."""

from dataclasses import dataclass
from typing import ClassVar, Self

from app.catalog.objects.base import Key, Object, ours

_HEAD = """concat('CREATE ', CASE WHEN g.tgconstraint <> 0 THEN 'CONSTRAINT ' END, 'TRIGGER ',
    quote_ident(g.tgname), ' ')"""
_STATES = {"D": "DISABLE", "R": "ENABLE REPLICA", "A": "ENABLE ALWAYS", "O": "ENABLE"}


@dataclass(frozen=True, slots=True)
class Trigger(Object):
    """A trigger; `clause` is what stands behind its name, `state` O(n), D(isabled), R(eplica) or A(lways)."""

    query: ClassVar[str] = f"""
SELECT 'pg_trigger'::regclass::oid, g.oid, 0, c.oid::regclass::text, quote_ident(g.tgname),
       c.relkind = 'v', g.tgconstraint <> 0, substr(pg_get_triggerdef(g.oid, true), length({_HEAD}) + 1),
           g.tgenabled::text
FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT g.tgisinternal AND {ours("n")}
"""
    kind: ClassVar[str] = "trigger"
    rank: ClassVar[int] = 50
    expressions: ClassVar[tuple[str, ...]] = ("clause",)
    table: str
    name: str
    of_view: bool
    deferrable: bool
    clause: str
    state: str

    @property
    def home(self) -> Key:
        """Its table or view."""
        return ("view" if self.of_view else "table", self.table)

    @property
    def parsed(self) -> bool:
        """A trigger that names columns holds on to them."""
        return True

    @property
    def target(self) -> str:
        """As COMMENT calls it."""
        return f"TRIGGER {self.name} ON {self.table}"

    def create(self) -> list[str]:
        """CREATE TRIGGER, and its state where it is not the usual one."""
        kind = "CONSTRAINT TRIGGER" if self.deferrable else "TRIGGER"
        return [f"CREATE {kind} {self.name} {self.clause}", *(self._set_state() if self.state != "O" else [])]

    def drop(self) -> list[str]:
        """DROP TRIGGER."""
        return [f"DROP TRIGGER {self.name} ON {self.table}"]

    def alter(self, old: Self) -> list[str] | None:
        """Another state."""
        return self._set_state() if self.clause == old.clause else None

    def rename(self, old: Self) -> str:
        """ALTER TRIGGER … RENAME."""
        return f"ALTER TRIGGER {old.name} ON {self.table} RENAME TO {self.name}"

    def _set_state(self) -> list[str]:
        return [f"ALTER TABLE {self.table} {_STATES[self.state]} TRIGGER {self.name}"]
