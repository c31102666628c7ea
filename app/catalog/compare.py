"""Two readings compared: what has to go, to come, to change, and to be out of the way meanwhile."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from app.catalog.objects import Column, Comment, Enum, Key, Object, same_but_name
from app.catalog.reading import Reading


@dataclass(slots=True)
class Changes:
    """The keys to drop, to create and to alter; what is made anew is in the first two.

    Types that are replaced are among the altered: they take their columns along.
    """

    dropped: set[Key] = field(default_factory=set)
    created: set[Key] = field(default_factory=set)
    altered: set[Key] = field(default_factory=set)
    replaced: set[Key] = field(default_factory=set)


def changes(old: Reading, new: Reading) -> Changes:
    """What turns one reading into another."""
    both = [key for key in old.objects if key in new.objects]
    found = Changes(
        dropped={key for key in old.objects if key not in new.objects},
        created={key for key in new.objects if key not in old.objects},
        altered={key for key in both if old.objects[key] != new.objects[key]},
    )
    for key in sorted(found.altered):
        if alteration(old.objects[key], new.objects[key]) is None:
            _rebuild(found, key)
    found.replaced = {key for key in found.altered if _is_replaced(found, old, new, key)}
    _clear_the_way(found, old, new)
    return found


def alteration(old: Object, new: Object) -> list[str] | None:
    """The statements that make one out of the other, of the same kind; None where there are none."""
    return new.alter(old)


def carried(old: Reading, new: Reading, key: Key) -> list[Column]:
    """The columns that have a type before and after it is replaced."""
    found = old.dependants.get(key, frozenset()) & new.dependants.get(key, frozenset())
    columns = (new.objects.get(one) for one in sorted(found))
    return [column for column in columns if isinstance(column, Column)]


def _rebuild(found: Changes, key: Key) -> None:
    found.altered.discard(key)
    found.dropped.add(key)
    found.created.add(key)


def _is_replaced(found: Changes, old: Reading, new: Reading, key: Key) -> bool:
    """A label cannot be taken away, nor be used in the transaction that adds it."""
    before, after = old.objects[key], new.objects[key]
    if not isinstance(before, Enum) or not isinstance(after, Enum):
        return False
    users = new.dependants.get(key, frozenset()) & (found.created | found.altered)
    texts = [text for user in users for text in new.objects[user].create()]
    added = set(after.labels) - set(before.labels)
    return not after.grows_from(before) or any(label in text for label in added for text in texts)


def _clear_the_way(found: Changes, old: Reading, new: Reading) -> None:
    """Make anew whatever stands on something that goes, is made anew, or changes under it."""
    taken_along = {column.key for key in found.replaced for column in carried(old, new, key)}
    waiting = [*found.dropped, *found.altered, *taken_along]
    while waiting:
        key = waiting.pop()
        for dependant in old.dependants.get(key, ()):
            both = dependant in old.objects and dependant in new.objects
            if not both or dependant in found.dropped:
                continue
            if _stands_on(found, old, new, key, dependant) or (
                key in taken_along and old.objects[dependant].parsed
            ):
                _rebuild(found, dependant)
                waiting.append(dependant)


def _stands_on(found: Changes, old: Reading, new: Reading, key: Key, dependant: Key) -> bool:
    if key in found.dropped:
        # what is altered so that it no longer needs it is altered before it goes
        leaves = dependant in found.altered and new.objects[dependant].rebinds
        return not leaves or key in new.needs[dependant]
    if key in found.replaced:
        return dependant[0] != Column.kind
    return key in found.altered and _disturbs(old.objects[key], new.objects[key], old.objects[dependant])


def _disturbs(old: Object, new: Object, dependant: Object) -> bool:
    return new.disturbs(old, dependant)


def renames(old: Reading, new: Reading) -> Iterator[tuple[Object, Object]]:
    """What differs in nothing but its name: indexes, constraints, triggers, policies."""
    taken = {obj.relation for obj in old.objects.values()} - {""}
    made = [obj for key, obj in new.objects.items() if key not in old.objects]
    for key, obj in old.objects.items():
        if key in new.objects:
            continue
        for other in made:
            if same_but_name(obj, other) and other.rename(obj) and other.relation not in taken:
                made.remove(other)
                yield obj, other
                break


def renamed(old: Reading, pairs: list[tuple[Object, Object]]) -> Reading:
    """The reading as it is once these have their new names."""
    names = {before.key: after for before, after in pairs}
    for obj in old.objects.values():
        if isinstance(obj, Comment) and obj.of in names:
            after = names[obj.of]
            names[obj.key] = replace(obj, of=after.key, on=after.target)
    keys = {key: obj.key for key, obj in names.items()}
    objects = [names.get(key, obj) for key, obj in old.objects.items()]
    needs = {
        keys.get(key, key): frozenset(keys.get(one, one) for one in needed)
        for key, needed in old.needs.items()
    }
    return Reading({obj.key: obj for obj in objects}, needs)
