"""The statements that turn one reading into another, in an order in which each can run.

The way back is the same with the readings swapped.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from app.catalog.compare import Changes, alteration, carried, changes, renamed, renames
from app.catalog.notes import about_alteration, about_creation, about_replacement
from app.catalog.objects import (
    Column,
    Constraint,
    Enum,
    ForcedRowSecurity,
    Function,
    Key,
    Object,
    Table,
)
from app.catalog.order import Graph, Task, graph
from app.catalog.reading import Reading

_PHASES = {"drop": 0, "alter": 1, "create": 2}
_ACCESS = 90
_SECTION = 10  # ranks with the same tens stand together in a file


@dataclass(frozen=True, slots=True)
class Step:
    """Statements with one purpose: the table they are about, whom they keep waiting, what data they lose."""

    statements: tuple[str, ...]
    group: str = ""
    note: str = ""
    loses: str = ""
    section: int = 0


def plan(old: Reading, new: Reading) -> list[Step]:
    """The steps from one reading to the other; none where they are equal."""
    pairs = list(renames(old, new))
    names = [
        Step((statement,), after.group) for before, after in pairs if (statement := after.rename(before))
    ]
    old = renamed(old, pairs)
    found = changes(old, new)
    steps = list(_lifting(_Writer(found, old, new), old))
    unchecked = any(_is_unchecked(new.objects[key]) for key in found.created | found.altered)
    first = [Step(("SET LOCAL check_function_bodies = off",))] if unchecked else []
    return [*names, *first, *steps]


def statements(steps: list[Step]) -> list[str]:
    """Nothing but the SQL."""
    return [statement for step in steps for statement in step.statements]


class _Writer:
    """Writes the steps of a graph in order."""

    def __init__(self, found: Changes, old: Reading, new: Reading) -> None:
        self.found, self.old, self.new = found, old, new
        self.graph: Graph = graph(found, old, new)
        self.numbers = {key: number for number, key in enumerate(new.objects)}

    def __iter__(self) -> Iterator[tuple[Task, Object, Step]]:
        for task in self.graph.line(self._place):
            obj = (self.old if task.verb == "drop" else self.new).objects[task.key]
            yield task, obj, replace(self._step(task, obj), section=obj.rank // _SECTION)

    def _place(self, task: Task) -> tuple[int, str, int, Key]:
        if task.verb == "drop":
            obj = self.old.objects[task.key]
            return (0, "", -obj.rank, task.key)
        obj = self.new.objects[task.key]
        last = obj.rank >= _ACCESS
        return (_PHASES[task.verb] + last, obj.group, obj.rank, task.key)

    def _step(self, task: Task, obj: Object) -> Step:
        if task.verb == "drop":
            parts = [self.old.objects[part.key] for part in self.graph.merged[task]]
            lost = [loss for one in [obj, *parts] if (loss := one.loses())]
            return Step(tuple(obj.drop()), obj.group, loses=lost[0] if lost else "")
        there = ("table", obj.group) in self.old.objects
        if task.verb == "create":
            parts = [self.new.objects[part.key] for part in self.graph.merged[task]]
            note = about_creation(obj, parts) if there else ""
            return Step(tuple(self._creation(task, obj)), obj.group, note)
        return self._alteration(obj)

    def _alteration(self, obj: Object) -> Step:
        old = self.old.objects[obj.key]
        if isinstance(obj, Enum) and obj.key in self.found.replaced:
            columns = [(one.table, one.name, one.type) for one in carried(self.old, self.new, obj.key)]
            return Step(tuple(obj.replace(columns)), obj.group, about_replacement(old, obj, columns))
        lost = obj.loses_from(old) if isinstance(obj, Column) and isinstance(old, Column) else ""
        return Step(tuple(alteration(old, obj) or ()), obj.group, about_alteration(old, obj), lost)

    def _creation(self, task: Task, obj: Object) -> list[str]:
        keys = {part.key for part in self.graph.merged[task]}
        parts = [self.new.objects[key] for key in sorted(keys, key=self.numbers.__getitem__)]
        if isinstance(obj, Table):
            columns = [part for part in parts if isinstance(part, Column)]
            others = [part.definition for part in parts if part.home == obj.key and part not in columns]
            return [obj.create_with([_whole(column, parts) for column in columns] + others)]
        if isinstance(obj, Column):
            return [obj.create_with([part.definition for part in parts])]
        return obj.create()


def _whole(column: Column, parts: list[Object]) -> str:
    return " ".join([column.definition, *(part.definition for part in parts if part.home == column.key)])


def _is_unchecked(obj: Object) -> bool:
    return isinstance(obj, Function) and obj.unchecked


def _lifting(written: _Writer, old: Reading) -> Iterator[Step]:
    """The steps, with FORCE lifted wherever the owner has to see rows.

    Forced row-level security blinds the owner too: a foreign key would be validated over a row
    that points nowhere, or refused for a row it cannot see. All in one transaction.
    https://www.postgresql.org/docs/current/ddl-rowsecurity.html
    """
    forced = {key[1] for key in old.objects if key[0] == ForcedRowSecurity.kind}
    for task, obj, step in written:
        if isinstance(obj, ForcedRowSecurity):
            (forced.discard if task.verb == "drop" else forced.add)(obj.table)
        blind = forced & _looked_into(task, obj)
        yield replace(step, statements=_lifted(step.statements, sorted(blind))) if blind else step


def _looked_into(task: Task, obj: Object) -> set[str]:
    key = isinstance(obj, Constraint) and obj.type == "f" and obj.valid and task.verb != "drop"
    return {obj.table, obj.referenced} if key and isinstance(obj, Constraint) else set()


def _lifted(inner: tuple[str, ...], tables: list[str]) -> tuple[str, ...]:
    forced = [ForcedRowSecurity(table) for table in tables]
    return (
        *(statement for one in forced for statement in one.drop()),
        *inner,
        *(statement for one in forced for statement in one.create()),
    )
