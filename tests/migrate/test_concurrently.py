"""CREATE INDEX CONCURRENTLY: outside a transaction, and whole in the end whatever happened."""

from contextlib import closing

import psycopg2
import pytest

from app.config import Settings
from app.errors import MigrationError
from app.migrate import MigrationDatabase, applied, migrate, rollback
from app.migrate.concurrently import is_meant
from tests.logins import as_owner
from tests.scratch import Folder

OUTSIDE = "transactional = False"
CREATE = "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS uniq_t_n ON t (n)"
DROP = "DROP INDEX CONCURRENTLY IF EXISTS uniq_t_n"


@pytest.fixture(autouse=True)
def table(owner: MigrationDatabase, folder: Folder) -> None:
    """A table with a row, and a file that adds an index."""
    folder.write("001_t", "CREATE TABLE t (n int)\nINSERT INTO t VALUES (1)")
    list(migrate(owner))
    folder.write("002_index", CREATE, DROP, head=OUTSIDE)


def is_valid(owner: MigrationDatabase) -> bool | None:
    """Whether the index is there and whole."""
    query = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('uniq_t_n')"
    row = owner.execute_sql(query).fetchone()
    return row[0] if row else None


def test_up_and_down(owner: MigrationDatabase) -> None:
    list(migrate(owner))
    assert is_valid(owner) is True
    list(rollback(owner))
    assert is_valid(owner) is None
    assert applied(owner) == ["001_t"]


def test_an_invalid_index_is_replaced(owner: MigrationDatabase) -> None:
    plant_invalid(owner)
    list(migrate(owner))
    assert is_valid(owner) is True


def test_without_us_it_would_stay_invalid(owner: MigrationDatabase) -> None:
    plant_invalid(owner)
    with closing(as_owner(owner.settings)) as conn, conn.cursor() as cursor:
        cursor.execute(CREATE)
    assert is_valid(owner) is False


def test_what_ran_before_the_crash_runs_again(owner: MigrationDatabase) -> None:
    list(migrate(owner))
    owner.execute_sql("DELETE FROM migratehistory WHERE name = '002_index'")
    assert [step.name for step in migrate(owner)] == ["002_index"]


def test_it_waits_for_a_long_transaction_as_long_as_it_takes(
    fresh: Settings, owner: MigrationDatabase
) -> None:
    with closing(as_owner(fresh)) as conn, conn.cursor() as cursor:
        cursor.execute("BEGIN; INSERT INTO t VALUES (2)")
        limited = "transactional = False\nstatement_timeout = '1500ms'"
        (path := owner.folder / "002_index.py").write_text(path.read_text().replace(OUTSIDE, limited))
        with pytest.raises(MigrationError, match="statement timeout"):  # and not lock timeout, after 1 s
            list(migrate(owner))


@pytest.mark.parametrize("statement", [CREATE.replace("IF NOT EXISTS ", ""), DROP.replace("IF EXISTS ", "")])
def test_what_could_not_run_again_is_refused(
    owner: MigrationDatabase, folder: Folder, statement: str
) -> None:
    folder.write("002_index", statement, head=OUTSIDE)
    with pytest.raises(MigrationError, match=r"cannot be run again after a crash\. Write IF"):
        list(migrate(owner))


def test_in_a_transaction_it_is_refused_with_the_remedy(owner: MigrationDatabase, folder: Folder) -> None:
    folder.write("002_index", CREATE)
    with pytest.raises(MigrationError, match="Say `transactional = False` in its file"):
        list(migrate(owner))


def test_a_file_outside_a_transaction_keeps_what_it_did(owner: MigrationDatabase, folder: Folder) -> None:
    folder.write("002_index", f"{CREATE}\nSELECT nonsense", head=OUTSIDE)
    with pytest.raises(MigrationError, match="002_index failed and what it did before that stays"):
        list(migrate(owner))
    assert is_valid(owner) is True
    assert applied(owner) == ["001_t"]


@pytest.mark.parametrize(
    ("sql", "meant"),
    [
        ("create index concurrently if not exists i on t (n)", True),
        ("-- why\nDROP INDEX CONCURRENTLY IF EXISTS i", True),
        ("REFRESH MATERIALIZED VIEW CONCURRENTLY m", True),
        ("CREATE INDEX i ON t (n)", False),
        ("COMMENT ON TABLE t IS 'CREATE INDEX CONCURRENTLY'", False),
        ("CREATE TABLE t (n text DEFAULT 'CONCURRENTLY')", False),
    ],
)
def test_the_word_counts_only_where_postgresql_heeds_it(sql: str, *, meant: bool) -> None:
    assert is_meant(sql) is meant


def plant_invalid(owner: MigrationDatabase) -> None:
    """What a build that failed half way leaves: an index nobody may rely on."""
    with closing(as_owner(owner.settings)) as conn, conn.cursor() as cursor:
        cursor.execute("INSERT INTO t VALUES (1)")
        with pytest.raises(psycopg2.errors.UniqueViolation):
            cursor.execute(CREATE)
        cursor.execute("DELETE FROM t WHERE ctid = (SELECT max(ctid) FROM t)")
    assert is_valid(owner) is False
