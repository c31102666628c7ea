"""Drift is told object by object, and its remedies mend it."""

import pytest

from app.catalog import drift
from app.catalog.objects import Column, Table
from app.catalog.reading import Reading
from app.cli import renames
from app.errors import MigrationError
from tests.catalog.pairs import Place

WANTED = """
CREATE TABLE t (a int, b text DEFAULT 'x'); CREATE INDEX i ON t (a);
CREATE TABLE s (a int PRIMARY KEY)
"""
# what was done to the database, and what is said of it
CASES = [
    ("CREATE TABLE extra (a int NOT NULL)", [("unexpected", "table extra")]),
    ("CREATE INDEX j ON t (b)", [("unexpected", "index j on t")]),
    ("GRANT SELECT (a) ON t TO reader", [("unexpected", "access t.a.reader")]),
    ("COMMENT ON COLUMN t.a IS 'hm'", [("unexpected", "comment COLUMN t.a")]),
    ("DROP TABLE s", [("missing", "table s")]),
    ("DROP INDEX i", [("missing", "index i on t")]),
    ("ALTER TABLE t ALTER b SET DEFAULT 'y'", [("different", "default t.b")]),
    ("ALTER TABLE t ALTER a TYPE bigint", [("different", "column t.a")]),
]


@pytest.mark.parametrize(("done", "said"), CASES, ids=[case[0] for case in CASES])
def test_each_difference_is_told_once_and_its_remedy_mends_it(
    places: tuple[Place, Place], done: str, said: list[tuple[str, str]]
) -> None:
    here, there = places
    wanted = there.become(WANTED)
    found = drift(here.become(f"{WANTED}; {done}"), wanted, by="the migrations")
    assert [(finding.rule, finding.where) for finding in found] == said
    here.run([finding.remedy for finding in found])
    assert drift(here.read(), wanted, by="the migrations") == []


def test_no_difference_is_no_finding(places: tuple[Place, Place]) -> None:
    here, there = places
    assert drift(here.become(WANTED), there.become(WANTED), by="the migrations") == []


# --- renames are asked for, never guessed ------------------------------------------------------------


def reading(*objects: Table | Column) -> Reading:
    """A reading of nothing but these."""
    return Reading({obj.key: obj for obj in objects}, {})


BEFORE = reading(Table("t"), Column("t", "titel", "text", "", ""), Column("t", "size", "int", "", ""))
AFTER = reading(Table("t"), Column("t", "title", "text", "", ""), Column("t", "size", "int", "", ""))


@pytest.mark.parametrize(("answer", "renamed"), [(True, [("t", "titel", "title")]), (False, [])])
def test_a_rename_is_what_somebody_says_it_is(
    monkeypatch: pytest.MonkeyPatch, answer: bool, renamed: list[tuple[str, str, str]]
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("click.confirm", lambda text, **_: asked.append(text) or answer)
    found = list(renames.asked(BEFORE, AFTER))
    assert [(rename.table, rename.old, rename.new) for rename in found] == renamed
    assert asked == ["Is t.title the titel of before, renamed?"]


def test_a_rename_that_names_nothing_is_refused() -> None:
    assert renames.parsed(("t.titel=title",), AFTER, BEFORE)
    with pytest.raises(MigrationError, match=r"no model has the column t\.heading"):
        renames.parsed(("t.titel=heading",), AFTER, BEFORE)
