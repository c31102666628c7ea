"""From one type to another: what the statement has to say, and whether a value can be lost."""

import re

_SIZED = re.compile(r"(?P<name>[^(]+?)\((?P<sizes>[\d,]+)\)(?P<rest>.*)")
_FAMILIES = [
    {"smallint", "integer", "bigint", "numeric", "real", "double precision"},
    {"date", "timestamp without time zone", "timestamp with time zone"},
    {"json", "jsonb"},
]
_TEXTS = {"text", "character varying", "character"}
# the types that hold every value of another
_WIDER = {
    "smallint": {"integer", "bigint", "numeric", "real", "double precision"},
    "integer": {"bigint", "numeric", "double precision"},
    "bigint": {"numeric"},
    "real": {"double precision"},
    "date": {"timestamp without time zone", "timestamp with time zone"},
    "json": {"jsonb"},
    "character varying": {"text"},
}


def conversion(column: str, old: str, new: str) -> str:
    """The USING clause, where PostgreSQL does not convert by itself.

    By itself it refuses a text that is too long, where an explicit cast would cut it off.
    https://www.postgresql.org/docs/current/sql-createcast.html
    """
    before, after = _named(old), _named(new)
    if before == after or after in _TEXTS or any({before, after} <= family for family in _FAMILIES):
        return ""
    return f" USING {column}::text::{new}"


def may_lose(old: str, new: str) -> bool:
    """Whether a value can be cut off without an error: rounded, or stripped of its time of day."""
    return _named(new) not in _TEXTS and not keeps_every_value(old, new)


def keeps_every_value(old: str, new: str) -> bool:
    """Whether the new type holds every value of the old one."""
    before, after = _named(old), _named(new)
    if before == after:
        return _fits(_sizes(old), _sizes(new))
    return after in _WIDER.get(before, set()) and not _sizes(new)


def is_rewritten(old: str, new: str) -> bool:
    """Whether every row is written again: not for a varchar that only gets longer."""
    texts = {_named(old), _named(new)} <= {"text", "character varying"}
    return old != new and not (texts and keeps_every_value(old, new))


def _fits(old: list[int], new: list[int]) -> bool:
    if not new:
        return True
    if not old or len(old) != len(new):
        return False
    before, after = [old[0] - sum(old[1:]), *old[1:]], [new[0] - sum(new[1:]), *new[1:]]
    return all(one <= other for one, other in zip(before, after, strict=True))


def _named(type_: str) -> str:
    sized = _SIZED.fullmatch(type_)
    return sized["name"] + sized["rest"] if sized else type_


def _sizes(type_: str) -> list[int]:
    sized = _SIZED.fullmatch(type_)
    return [int(size) for size in sized["sizes"].split(",")] if sized else []
