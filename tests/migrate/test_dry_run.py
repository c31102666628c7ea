"""The SQL of a run, written down and not sent; and what squawk says of the product's own."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app.config import Settings
from app.errors import MigrationError, MigrationFilesError
from app.migrate import MigrationDatabase, Recorder, applied, file_names, migrate, migrate_sql, rollback_sql
from tests.logins import as_owner
from tests.scratch import Folder

ROOT = Path(__file__).parents[2]
SQUAWK = Path(sys.executable).with_name("squawk")


@pytest.fixture
def recorder(fresh: Settings, folder: Folder) -> Iterator[Recorder]:
    """The owner's database, which writes down what it is sent."""
    database = Recorder(fresh, folder.path)
    yield database
    database.close_all()


def test_nothing_is_sent(owner: MigrationDatabase, recorder: Recorder, folder: Folder) -> None:
    folder.write("001_t", "CREATE TABLE t (id int)")
    assert len(list(migrate_sql(recorder))) == 1
    assert applied(owner) == []
    assert owner.execute_sql("SELECT to_regclass('t')").fetchone() == (None,)


def test_not_even_the_history_is_made(fresh: Settings, recorder: Recorder, folder: Folder) -> None:
    folder.write("001_t", "CREATE TABLE t (id int)")
    list(migrate_sql(recorder))
    with closing(as_owner(fresh)) as conn, conn.cursor() as cursor:
        cursor.execute("SELECT to_regclass('migratehistory')")
        assert cursor.fetchone() == (None,)


def test_what_is_printed_does_what_the_run_does(
    fresh: Settings, owner: MigrationDatabase, recorder: Recorder, folder: Folder
) -> None:
    folder.write("001_t", "CREATE TABLE t (n text DEFAULT '50 %%')", "DROP TABLE t")
    owner.connect()
    text = next(iter(migrate_sql(recorder)))
    with closing(as_owner(fresh)) as conn, conn.cursor() as cursor:
        cursor.execute(text)
    assert applied(owner) == ["001_t"]
    assert list(migrate(owner)) == []
    assert "DROP TABLE t;" in next(iter(rollback_sql(recorder)))


def test_a_file_reads_in_order(recorder: Recorder, folder: Folder) -> None:
    folder.write("001_t", "CREATE TABLE t (id int)", head='statement_timeout = "5min"')
    lines = next(iter(migrate_sql(recorder))).splitlines()
    assert lines[:2] == ["-- 001_t", "BEGIN;"]
    assert "SET LOCAL lock_timeout = '1s'" in lines[3]
    assert "SET LOCAL statement_timeout = '5min'" in lines[3]
    assert lines[4] == "CREATE TABLE t (id int);"
    assert lines[5].startswith("INSERT INTO migratehistory (name, checksum) VALUES ('001_t', '")
    assert lines[6] == "COMMIT;"


def test_a_file_outside_a_transaction_has_none(recorder: Recorder, folder: Folder) -> None:
    sql = "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (id)"
    folder.write("001_i", sql, head="transactional = False")
    text = next(iter(migrate_sql(recorder)))
    assert f"{sql};" in text
    assert "BEGIN" not in text


def test_a_backfill_shows_its_batch(recorder: Recorder, folder: Folder) -> None:
    folder.write_python("001_b", "migrator.run(backfill, database, 't', 'n = 1', where='n IS NULL')")
    assert "UPDATE t SET n = 1 FROM chosen" in next(iter(migrate_sql(recorder)))


def test_a_question_is_answered_and_a_change_is_not(recorder: Recorder, folder: Folder) -> None:
    question = "assert database.execute_sql('SELECT 1').fetchone() == (1,)"
    folder.write_python("001_q", question)
    assert "SELECT 1;" in next(iter(migrate_sql(recorder)))
    folder.write_python("001_q", "database.execute_sql('CREATE TABLE t (id int)').fetchone()")
    with pytest.raises(Exception, match="read-only transaction"):
        list(migrate_sql(recorder))


def test_a_target_and_a_doubt_are_as_in_a_run(recorder: Recorder, folder: Folder) -> None:
    for name in ("001_a", "002_b"):
        folder.write(name, "SELECT 1")
    assert len(list(migrate_sql(recorder, to="001_a"))) == 1
    with pytest.raises(MigrationError, match="only 0 are applied"):
        list(rollback_sql(recorder))
    folder.write("004_d", "SELECT 1")
    with pytest.raises(MigrationFilesError):
        list(migrate_sql(recorder))


def test_a_faked_run_shows_the_history_alone(recorder: Recorder, folder: Folder) -> None:
    folder.write("001_a", "CREATE TABLE t (id int)")
    text = next(iter(migrate_sql(recorder, fake=True)))
    assert "INSERT INTO migratehistory" in text
    assert "CREATE TABLE" not in text


def test_squawk_passes_every_file_of_the_product(fresh: Settings) -> None:
    recorder = Recorder(fresh)
    for name, text in zip(file_names(), migrate_sql(recorder), strict=True):
        assert squawk(text) == "", name
    recorder.close_all()


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        ("ALTER TABLE t ALTER COLUMN n SET NOT NULL", "adding-not-nullable-field"),
        ("CREATE INDEX i ON t (n)", "require-concurrent-index-creation"),
        ("ALTER TABLE t DROP COLUMN n", "ban-drop-column"),
        ("ALTER TABLE t RENAME COLUMN n TO m", "renaming-column"),
        ("ALTER TABLE t ALTER COLUMN n TYPE bigint", "changing-column-type"),
    ],
)
def test_squawk_finds_a_step_that_stops_the_traffic(
    recorder: Recorder, folder: Folder, statement: str, rule: str
) -> None:
    folder.write("001_bad", statement)
    assert rule in squawk(next(iter(migrate_sql(recorder))))


def squawk(text: str) -> str:
    """What squawk has to say of a file's SQL; nothing when it is content."""
    command = [SQUAWK, "--config", ROOT / ".squawk.toml", "--reporter=gcc"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode else ""
