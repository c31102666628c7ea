"""Which step comes before which: a graph of what is to be done, put in line.

Dependants are dropped before what they need and created after it. Steps that one
statement can do together are merged, as long as nothing has to come in between.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

from app.catalog.compare import Changes
from app.catalog.objects import Key
from app.catalog.reading import Reading

Verb = Literal["drop", "alter", "create"]


class Task(NamedTuple):
    """Something to be done with one object."""

    verb: Verb
    key: Key


class Graph:
    """Tasks, and which has to be done before which."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        self.before: dict[Task, set[Task]] = {task: set() for task in tasks}
        self.after: dict[Task, set[Task]] = {task: set() for task in self.before}
        self.merged: dict[Task, list[Task]] = defaultdict(list)

    def add(self, first: Task, second: Task) -> None:
        """Have one done before the other, where both are to be done."""
        if first in self.before and second in self.before and first != second:
            self.before[second].add(first)
            self.after[first].add(second)

    def merge(self, part: Task, whole: Task) -> None:
        """Do a part together with the whole, unless something has to come between them."""
        if self._something_between(part, whole):
            return
        for one in self.before.pop(part):
            self.after[one].discard(part)
            self.add(one, whole)
        for one in self.after.pop(part):
            self.before[one].discard(part)
            self.add(whole, one)
        self.merged[whole] += [part, *self.merged.pop(part, [])]

    def _something_between(self, part: Task, whole: Task) -> bool:
        backwards = part.verb == "create"
        steps = self.before if backwards else self.after
        waiting, seen = [one for one in steps[part] if one != whole], set()
        while waiting:
            one = waiting.pop()
            if one == whole:
                return True
            if one not in seen:
                seen.add(one)
                waiting += steps[one]
        return False

    def line(self, place: Any) -> Iterator[Task]:
        """The tasks in an order in which each can be done; `place` decides where that leaves a choice."""
        missing = {task: len(before) for task, before in self.before.items()}
        ready = [(place(task), task) for task, number in missing.items() if not number]
        heapq.heapify(ready)
        while ready:
            _, task = heapq.heappop(ready)
            yield task
            for one in self.after[task]:
                missing[one] -= 1
                if not missing[one]:
                    heapq.heappush(ready, (place(one), one))


def graph(changes: Changes, old: Reading, new: Reading) -> Graph:
    """What is to be done, with everything that is known about its order."""
    made = Graph(
        [
            *(Task("drop", key) for key in sorted(changes.dropped)),
            *(Task("alter", key) for key in sorted(changes.altered)),
            *(Task("create", key) for key in sorted(changes.created)),
        ]
    )
    _order_by_old_needs(made, changes, old, new)
    _order_by_new_needs(made, changes, new)
    _free_names_first(made, changes, old, new)
    _merge_with_homes(made, changes.dropped, "drop", old)
    _merge_with_homes(made, changes.created, "create", new)
    return made


def _order_by_old_needs(made: Graph, changes: Changes, old: Reading, new: Reading) -> None:
    for key in changes.dropped | changes.altered:
        for needed in old.needs[key]:
            made.add(Task("drop", key), Task("drop", needed))
            made.add(Task("drop", key), Task("alter", needed))
            if key in changes.altered:
                made.add(Task("alter", key), Task("drop", needed))
                if needed not in new.needs[key]:
                    made.add(Task("alter", key), Task("alter", needed))


def _order_by_new_needs(made: Graph, changes: Changes, new: Reading) -> None:
    for key in changes.created | changes.altered:
        made.add(Task("drop", key), Task("create", key))
        for needed in new.needs[key]:
            for verb in ("alter", "create"):
                made.add(Task(verb, needed), Task("create", key))
                if key in changes.altered:
                    made.add(Task(verb, needed), Task("alter", key))


def _free_names_first(made: Graph, changes: Changes, old: Reading, new: Reading) -> None:
    freed = {old.objects[key].relation: key for key in changes.dropped}
    for key in changes.created:
        name = new.objects[key].relation
        if name and name in freed:
            made.add(Task("drop", freed[name]), Task("create", key))


def _merge_with_homes(made: Graph, keys: set[Key], verb: Verb, reading: Reading) -> None:
    """What belongs to a column goes to the column first, and with it to the table."""
    objects = [reading.objects[key] for key in keys]
    for obj in sorted(
        objects, key=lambda one: (one.home is None or one.home[0] == "table", one.rank, one.key)
    ):
        if obj.home in keys and (verb == "drop" or obj.comes_with_home):
            made.merge(Task(verb, obj.key), Task(verb, obj.home))
