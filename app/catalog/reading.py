"""A whole database as plain, comparable objects, and what needs what among them.

https://www.postgresql.org/docs/current/catalogs.html
"""

import gc
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import count

import peewee

from app.catalog.objects import KINDS, Column, Comment, Key, Object, Sequence
from app.catalog.refuse import refuse
from app.catalog.spelling import canonical
from app.errors import UnreadableSchemaError

Address = tuple[int, int, int]
_EDGES = """
SELECT classid, objid, objsubid, refclassid, refobjid, refobjsubid FROM pg_depend
WHERE objid >= 16384 AND refobjid >= 16384 AND deptype IN ('n', 'a', 'i')
"""
# the addresses under which pg_depend means something else: a view by its rule, a table by its row type,
# an array by its element, a constraint by its index, a generated column by its expression
_ALIASES = """
SELECT 'pg_rewrite'::regclass::oid, oid, 0, 'pg_class'::regclass::oid, ev_class, 0 FROM pg_rewrite
    WHERE oid >= 16384
UNION ALL SELECT 'pg_type'::regclass, oid, 0, 'pg_class'::regclass, typrelid, 0 FROM pg_type
WHERE typrelid >= 16384 AND typelem = 0
UNION ALL SELECT 'pg_type'::regclass, t.oid, 0, CASE e.typrelid WHEN 0 THEN 'pg_type'::regclass
    ELSE 'pg_class' END,
    CASE e.typrelid WHEN 0 THEN e.oid ELSE e.typrelid END, 0
FROM pg_type t JOIN pg_type e ON e.typarray = t.oid WHERE e.oid >= 16384
UNION ALL SELECT 'pg_class'::regclass, conindid, 0, 'pg_constraint'::regclass, oid, 0 FROM pg_constraint
WHERE contype IN ('p', 'u', 'x')
UNION ALL SELECT 'pg_attrdef'::regclass, d.oid, 0, 'pg_class'::regclass, d.adrelid, d.adnum
FROM pg_attrdef d JOIN pg_attribute a ON (a.attrelid, a.attnum) = (d.adrelid, d.adnum)
    WHERE a.attgenerated <> ''
"""


@dataclass(frozen=True)
class Reading:
    """A database: its objects by key, and for each key the keys it needs."""

    objects: Mapping[Key, Object]
    needs: Mapping[Key, frozenset[Key]]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reading) and self.objects == other.objects

    __hash__ = None  # type: ignore[assignment] # equal by a mapping, which has no hash

    @cached_property
    def dependants(self) -> Mapping[Key, frozenset[Key]]:
        """For each key the keys that need it."""
        found: dict[Key, set[Key]] = defaultdict(set)
        for key, needed in self.needs.items():
            for one in needed:
                found[one].add(key)
        return {key: frozenset(keys) for key, keys in found.items()}

    def without(self, *tables: str) -> "Reading":
        """The same without these tables and all that belongs to them."""
        gone: set[Key] = set()
        waiting: list[Key] = [("table", table) for table in tables]
        waiting += [("sequence", obj.key[1]) for obj in self.objects.values() if self._is_owned(obj, tables)]
        while waiting:
            key = waiting.pop()
            if key in self.objects and key not in gone:
                gone.add(key)
                waiting += self.dependants.get(key, ())
        return Reading({key: obj for key, obj in self.objects.items() if key not in gone}, self.needs)

    def _is_owned(self, obj: Object, tables: tuple[str, ...]) -> bool:
        return isinstance(obj, Sequence) and any(
            key[0] == "sequence owner" and key[1] in tables for key in self.dependants.get(obj.key, ())
        )


def read(database: peewee.Database) -> Reading:
    """Read a database whole, at one moment. Raises UnreadableSchemaError for what cannot be compared."""
    with _names_as_public_sees_them(database), _without_collections():
        refuse(database)
        found = dict(_objects(database))
        found |= dict(_comments(database, found))
        aliases = _addresses(database, _ALIASES)
        edges = _addresses(database, _EDGES)
    keys = {address: obj.key for address, obj in found.items()}
    objects = {keys[address]: obj for address, obj in found.items()}
    return Reading(objects, _needs(objects, keys, dict(aliases), edges))


@contextmanager
def _without_collections() -> Iterator[None]:
    """Thousands of objects are made and none thrown away: looking for garbage takes a quarter of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def _names_as_public_sees_them(database: peewee.Database) -> Iterator[None]:
    """One snapshot, in which names in `public` are written without their schema."""
    with database.atomic():
        before = database.execute_sql("SHOW search_path").fetchone()[0]
        database.execute_sql("SELECT set_config('search_path', 'public', true)")
        yield
        database.execute_sql("SELECT set_config('search_path', %s, true)", (before,))


def _objects(database: peewee.Database) -> Iterator[tuple[Address, Object]]:
    unnoted = count()  # what has no place in pg_depend gets a number of its own
    for kind in KINDS:
        for class_, oid, sub, *row in database.execute_sql(kind.query).fetchall():
            values = (tuple(value) if isinstance(value, list) else value for value in row)
            address = (class_, oid, sub) if class_ else (0, next(unnoted), 0)
            yield address, kind(*values).respelled(canonical)


def _comments(
    database: peewee.Database, found: Mapping[Address, Object]
) -> Iterator[tuple[Address, Comment]]:
    unreadable = []
    for class_, oid, sub, column, text, described in database.execute_sql(Comment.query).fetchall():
        of = found.get((class_, oid, sub)) or found.get((class_, oid, 0))
        if of is None:
            unreadable.append(f"comment on {described}")
        else:
            of_view = sub and not isinstance(of, Column)
            on = f"COLUMN {of.key[-1]}.{column}" if of_view else of.target
            yield (-1 - class_, oid, sub), Comment(of.key, on, text)
    if unreadable:
        raise UnreadableSchemaError(names=", ".join(unreadable))


def _addresses(database: peewee.Database, query: str) -> list[tuple[Address, Address]]:
    rows = database.execute_sql(query).fetchall()
    return [((row[0], row[1], row[2]), (row[3], row[4], row[5])) for row in rows]


def _needs(
    objects: Mapping[Key, Object],
    keys: dict[Address, Key],
    aliases: Mapping[Address, Address],
    edges: Iterable[tuple[Address, Address]],
) -> dict[Key, frozenset[Key]]:
    keys |= {alias: keys[meant] for alias, meant in aliases.items() if meant in keys}
    needs: dict[Key, set[Key]] = {key: set(obj.needs) for key, obj in objects.items()}
    for dependant, needed in edges:
        one, other = _key(keys, dependant), _key(keys, needed)
        # that a sequence goes with its column is an object of its own
        if one and other and one != other and not (one[0] == "sequence" and other[0] == "column"):
            needs[one].add(other)
    return {key: frozenset(needed) for key, needed in needs.items()}


def _key(keys: Mapping[Address, Key], address: Address) -> Key | None:
    """The object at an address; a view's column is the view."""
    return keys.get(address) or keys.get((*address[:2], 0))
