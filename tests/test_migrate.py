"""Running migrations: one at a time, by two tools, and never past a doubt."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psycopg2
import pytest

from app import migrate as room
from app.bootstrap import bootstrap
from app.config import Settings
from app.errors import DatabaseUnavailableError, MigrationError
from app.migrate import MigrationDatabase, applied, file_names, migrate, pending, rollback
from tests.factories import make_environment
from tests.logins import as_application, as_owner

ROOT = Path(__file__).parents[1]
NAMES = file_names()


@pytest.fixture
def fresh(settings: Settings) -> Iterator[Settings]:
    """The settings of a database of this test's own."""
    own = replace(settings, db_name="fixapp_migrate")
    list(bootstrap(own))
    yield own
    with closing(as_owner(settings, "postgres")) as conn, conn.cursor() as cursor:
        cursor.execute("DROP DATABASE fixapp_migrate WITH (FORCE)")


@pytest.fixture
def owner(fresh: Settings) -> Iterator[MigrationDatabase]:
    """The owner of that database."""
    database = MigrationDatabase(fresh)
    yield database
    database.close_all()


def test_every_pending_file_runs_once(owner: MigrationDatabase) -> None:
    assert pending(owner) == NAMES
    assert [step.name for step in migrate(owner)] == NAMES
    assert list(migrate(owner)) == []
    assert applied(owner) == NAMES


def test_the_latest_file_is_reverted_first(owner: MigrationDatabase) -> None:
    list(migrate(owner))
    assert [step.name for step in rollback(owner)] == [NAMES[-1]]
    assert [step.name for step in rollback(owner, to=NAMES[0])] == NAMES[1:-1][::-1]
    assert applied(owner) == NAMES[:1]


def test_more_than_there_is_cannot_be_reverted(owner: MigrationDatabase) -> None:
    list(migrate(owner))
    with pytest.raises(MigrationError, match=rf"99 migrations .* only {len(NAMES)}"):
        list(rollback(owner, count=99))
    assert applied(owner) == NAMES


def test_a_target_that_is_not_applied_is_refused_by_name(owner: MigrationDatabase) -> None:
    with pytest.raises(MigrationError, match="'004_nothing'"):
        list(rollback(owner, to="004_nothing"))


def test_a_file_that_fails_leaves_nothing_and_is_named(
    owner: MigrationDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "def migrate(migrator, database, fake=False):\n    migrator.sql('CREATE TABLE x (id int)')\n"
    (tmp_path / "001_broken.py").write_text(f"{text}    migrator.sql('SELECT nonsense')\n")
    monkeypatch.setattr(room.runner, "FOLDER", tmp_path)
    with pytest.raises(MigrationError, match=r"001_broken failed and nothing of it was applied.*nonsense"):
        list(migrate(owner))
    assert owner.execute_sql("SELECT to_regclass('x')").fetchone() == (None,)


def test_a_database_that_knows_more_than_the_folder_is_refused(owner: MigrationDatabase) -> None:
    owner.connect()
    owner.execute_sql("INSERT INTO migratehistory (name) VALUES ('000_from_the_future')")
    with pytest.raises(MigrationError, match="000_from_the_future"):
        list(migrate(owner))


def test_a_second_run_waits_and_then_finds_nothing_to_do(fresh: Settings, owner: MigrationDatabase) -> None:
    owner.connect()  # holds the lock
    second = MigrationDatabase(fresh)
    found: list[object] = []
    waiting = threading.Thread(target=lambda: found.append(list(migrate_and_close(second))))
    waiting.start()
    time.sleep(0.3)
    assert waiting.is_alive()
    list(migrate(owner))
    owner.close_all()
    waiting.join(10)
    assert found == [[]]


def test_a_run_that_waits_too_long_says_who_has_the_lock(
    fresh: Settings, owner: MigrationDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner.connect()
    monkeypatch.setattr(room.owner, "LOCK_WAIT", "100ms")
    with pytest.raises(MigrationError, match="held the lock for 100ms \\(fixapp owner"):
        MigrationDatabase(fresh).connect()


def test_the_application_cannot_take_the_lock(fresh: Settings, owner: MigrationDatabase) -> None:
    owner.connect()
    with closing(as_application(fresh)) as conn, conn.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM migratehistory")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("BEGIN; LOCK TABLE migratehistory IN SHARE UPDATE EXCLUSIVE MODE")


def test_waiting_for_a_table_has_an_end(owner: MigrationDatabase) -> None:
    owner.connect()
    limits = owner.execute_sql("SELECT current_setting('lock_timeout'), current_setting('statement_timeout')")
    assert limits.fetchone() == ("5s", "1min")


def test_a_wrong_password_is_told_as_a_database_that_does_not_answer(fresh: Settings) -> None:
    with pytest.raises(DatabaseUnavailableError):
        MigrationDatabase(replace(fresh, db_owner_password="wrong")).connect()


def test_peewee_migrates_own_command_runs_the_same_files(fresh: Settings, owner: MigrationDatabase) -> None:
    assert f"Pending: {len(NAMES)}" in pw_migrate(fresh, "list")
    assert NAMES[-1] in pw_migrate(fresh, "migrate")
    pw_migrate(fresh, "rollback")
    assert f"[ ] {NAMES[-1]}" in pw_migrate(fresh, "list")
    assert applied(owner) == NAMES[:-1]


def test_two_of_peewee_migrates_commands_at_once_run_each_file_once(fresh: Settings) -> None:
    both = [start_pw_migrate(fresh, "migrate") for _ in range(2)]
    outputs = [process.communicate(timeout=30)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    with closing(as_owner(fresh)) as conn, conn.cursor() as cursor:
        cursor.execute("SELECT name FROM migratehistory ORDER BY id")
        assert [name for (name,) in cursor.fetchall()] == NAMES


def migrate_and_close(database: MigrationDatabase) -> list[object]:
    """Migrate and give the lock back."""
    try:
        return list(migrate(database))
    finally:
        database.close_all()


def pw_migrate(settings: Settings, *arguments: str) -> str:
    """Run the console script as its user does, and return what it says."""
    process = start_pw_migrate(settings, *arguments)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0, output
    return output


def start_pw_migrate(settings: Settings, *arguments: str) -> subprocess.Popen[str]:
    """Start the console script in the project's folder."""
    return subprocess.Popen(
        [Path(sys.executable).with_name("pw_migrate"), *arguments],
        cwd=ROOT,
        env=make_environment(settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
