"""One run at a time: the second waits, and knows whom it waits for."""

import threading
from contextlib import closing

import psycopg2
import pytest

from app.cli.exits import exit_code
from app.config import Settings
from app.errors import MigrationLockedError
from app.migrate import MigrationDatabase, file_names, lock, migrate
from app.migrate.files import FOLDER
from tests.logins import as_application, as_owner
from tests.scratch import migrated


def test_a_second_run_waits_and_then_finds_nothing_to_do(
    fresh: Settings, product: MigrationDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    product.connect()  # holds the lock
    found: list[object] = []
    second = threading.Thread(target=lambda: found.append(migrated(fresh, FOLDER)))
    second.start()
    second.join(0.3)
    assert second.is_alive()
    list(migrate(product))
    product.close_all()
    second.join(10)
    assert found == [[]]
    assert caplog.text.count("waiting for the migration lock: fixapp owner") == 1


def test_whoever_waits_too_long_says_who_has_the_lock(
    fresh: Settings, product: MigrationDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    product.connect()
    monkeypatch.setattr(lock, "LOCK_WAIT", 0.1)
    pid = product._holder.info.backend_pid if product._holder else 0
    with pytest.raises(MigrationLockedError, match=rf"for 0.1 s \(fixapp owner \d+, server process {pid}"):
        MigrationDatabase(fresh).connect()


def test_it_waits_for_a_minute_and_ends_with_the_code_for_later() -> None:
    assert lock.LOCK_WAIT == 60
    assert exit_code(MigrationLockedError(seconds=60, holder="", what="", remedy="")) == 75


def test_the_application_cannot_take_the_lock(fresh: Settings, product: MigrationDatabase) -> None:
    product.connect()
    with closing(as_application(fresh)) as conn, conn.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM migratehistory")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("BEGIN; LOCK TABLE migratehistory IN SHARE UPDATE EXCLUSIVE MODE NOWAIT")


def test_the_owner_could_take_it(fresh: Settings, product: MigrationDatabase) -> None:
    product.connect()
    product.close_all()
    with closing(as_owner(fresh)) as conn, conn.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE migratehistory IN SHARE UPDATE EXCLUSIVE MODE NOWAIT")


def test_while_it_is_held_the_history_can_be_read(fresh: Settings, product: MigrationDatabase) -> None:
    list(migrate(product))
    with closing(as_application(fresh)) as conn, conn.cursor() as cursor:
        cursor.execute("SET lock_timeout = '50ms'; SELECT count(*) FROM migratehistory")
        assert cursor.fetchone() == (len(file_names()),)


def test_a_run_that_loses_its_lock_stops(fresh: Settings, product: MigrationDatabase) -> None:
    steps = migrate(product)
    next(steps)
    assert product._holder is not None
    with closing(as_owner(fresh)) as conn, conn.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 1000)", (product._holder.info.backend_pid,))
    with pytest.raises(Exception, match="held the migration lock was lost"):
        next(steps)
