"""Where a database is not what it should be, object by object."""

from collections.abc import Iterator
from dataclasses import replace

from app.catalog.compare import alteration
from app.catalog.judge import Finding
from app.catalog.objects import Key, Object, Table
from app.catalog.plan import plan, statements
from app.catalog.reading import Reading


def drift(actual: Reading, expected: Reading, *, by: str, remedy: str = "") -> list[Finding]:
    """Each object that `by` (the migrations, the models) knows nothing of, misses, or has otherwise.

    What belongs to a table that is missing or unexpected goes without saying. Where no
    remedy is given it is the SQL that makes `actual` what is expected.
    """
    findings = [
        *_unexpected(actual, expected, by),
        *_missing(actual, expected, by),
        *_different(actual, expected, by),
    ]
    return [replace(finding, remedy=remedy) for finding in findings] if remedy else findings


def _unexpected(actual: Reading, expected: Reading, by: str) -> Iterator[Finding]:
    for obj in _only_in(actual, expected):
        yield Finding("unexpected", called(obj), f"{by} did not put it there", _sql(obj.drop()))


def _missing(actual: Reading, expected: Reading, by: str) -> Iterator[Finding]:
    missing = list(_only_in(expected, actual))
    steps = plan(actual, expected) if any(isinstance(obj, Table) for obj in missing) else []
    for obj in missing:
        whole = [step for step in steps if isinstance(obj, Table) and step.group == obj.group]
        yield Finding("missing", called(obj), f"{by} put it there", _sql(statements(whole) or obj.create()))


def _different(actual: Reading, expected: Reading, by: str) -> Iterator[Finding]:
    for key, wanted in expected.objects.items():
        found = actual.objects.get(key)
        if found is not None and found != wanted:
            remedy = alteration(found, wanted) or [*found.drop(), *wanted.create()]
            yield Finding("different", called(wanted), f"{by} have it otherwise", _sql(remedy))


def _only_in(one: Reading, other: Reading) -> Iterator[Object]:
    for key, obj in one.objects.items():
        if key not in other.objects and not _goes_without_saying(obj.home, one, other):
            yield obj


def _goes_without_saying(home: Key | None, one: Reading, other: Reading) -> bool:
    return home is not None and home in one.objects and home not in other.objects


def called(obj: Object) -> str:
    """How a person would call it: column rcas.title, policy rcas_tenant on rcas."""
    kind, *names = obj.key
    if kind in {"constraint", "index", "trigger", "policy"}:
        return f"{kind} {names[1]} on {names[0]}"
    return f"{kind} {'.'.join(name for name in names if name)}"


def _sql(texts: list[str]) -> str:
    return "; ".join(" ".join(text.split()) for text in texts)
