"""A migration that breaks the rules is taken back before it counts."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.cli.judged import JudgedDatabase
from app.config import Settings
from app.errors import MigrationError
from app.migrate import applied, migrate
from app.migrate.files import FOLDER
from tests.gizmos import CLEAN
from tests.scratch import Folder, migrated, scratch_database

FEATURE = CLEAN.partition("CREATE VIEW")[0]


@pytest.fixture
def database(settings: Settings, tmp_path: Path) -> Iterator[JudgedDatabase]:
    """A migrated database, and a copy of the product's files to add to."""
    for path in FOLDER.glob("[0-9]*.py"):
        (tmp_path / path.name).write_text(path.read_text())
    with scratch_database(settings, "fixapp_judged") as own:
        migrated(own, tmp_path)
        judged = JudgedDatabase(own, tmp_path)
        yield judged
        judged.close_all()


def add(database: JudgedDatabase, statements: str) -> str:
    """One more file, and its name."""
    name = f"{len(applied(database)) + 1:03}_gizmos"
    Folder(database.folder).write(name, " ".join(statements.split()), "DROP TABLE gizmos")
    return name


def test_a_table_by_the_rules_is_taken(database: JudgedDatabase) -> None:
    name = add(database, FEATURE)
    assert [step.name for step in migrate(database)] == [name]


@pytest.mark.parametrize(
    ("forgotten", "why"),
    [
        ("ALTER TABLE gizmos ENABLE ROW LEVEL SECURITY;", "every tenant sees every row"),
        ("ALTER TABLE gizmos FORCE ROW LEVEL SECURITY;", "the owner sees every tenant's rows"),
        ("uuid NOT NULL", "a row without a tenant is nobody's"),
    ],
)
def test_a_table_that_lacks_something_is_not(database: JudgedDatabase, forgotten: str, why: str) -> None:
    name, before = (
        add(database, FEATURE.replace(forgotten, "uuid" if "uuid" in forgotten else "")),
        applied(database),
    )
    with pytest.raises(MigrationError, match=f"{name} breaks the rules of this database: gizmos: {why}"):
        list(migrate(database))
    assert applied(database) == before
    assert database.execute_sql("SELECT to_regclass('gizmos')").fetchone() == (None,)


def test_what_was_wrong_before_stands_in_nobodys_way(database: JudgedDatabase) -> None:
    database.connect()
    database.execute_sql("CREATE TABLE strange (id int)")
    database.close_all()
    name = add(database, FEATURE)
    assert [step.name for step in migrate(database)] == [name]
