"""Killed, doubled, or cut off from its server: all or nothing, and a rerun ends where it should."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from app.config import Settings
from app.errors import DatabaseUnavailableError, MigrationError
from app.migrate import MigrationDatabase, migrate
from dev.cluster import Cluster, throwaway
from tests.dumps import dump
from tests.factories import make_settings
from tests.logins import as_owner
from tests.migrators import start
from tests.scratch import Folder, empty, migrated, scratch_database

FILES = [f"00{number}_step" for number in range(1, 6)]
POINTS = 20
# what the history says, and the tables that are there with their index: in one look
_STATE = """
SELECT ARRAY(SELECT left(name, 3) FROM migratehistory WHERE name < '005' ORDER BY 1),
       ARRAY(SELECT '00' || right(relname, 1) FROM pg_class
             WHERE relname ~ '^t[1-4]$' AND to_regclass('idx_' || relname) IS NOT NULL ORDER BY 1)
"""


@pytest.fixture(autouse=True)
def files(folder: Folder) -> None:
    """Four files that are transactions, slow enough to be hit in the middle, and one that is none."""
    for number, name in enumerate(FILES[:-1], 1):
        table = f"t{number}"
        up = f"CREATE TABLE {table} (id int)\nSELECT pg_sleep(0.01)\nCREATE INDEX idx_{table} ON {table} (id)"
        folder.write(name, f"{up}\nSELECT pg_sleep(0.01)", f"DROP TABLE {table}")
    up = "CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_a ON t1 (id)\nSELECT pg_sleep(0.01)"
    folder.write(FILES[-1], up, "DROP INDEX CONCURRENTLY IF EXISTS idx_a", head="transactional = False")


@pytest.fixture
def duration(fresh: Settings, folder: Folder) -> float:
    """How long a run takes that nobody disturbs, in seconds."""
    process = start(fresh, folder.path)
    began = time.monotonic()
    process.join(10)
    return time.monotonic() - began


def state(settings: Settings) -> tuple[list[str], list[str]]:
    """The numbers of the files the history has, and of those whose tables are there."""
    with closing(as_owner(settings)) as conn, conn.cursor() as cursor:
        cursor.execute("SELECT to_regclass('migratehistory') IS NULL")
        if cursor.fetchone() == (True,):
            return [], []
        cursor.execute(_STATE)
        recorded, made = cursor.fetchone() or ([], [])
    return recorded, made


def test_killed_at_any_point_it_is_all_or_nothing(
    server: Cluster, settings: Settings, fresh: Settings, folder: Folder, duration: float
) -> None:
    wanted, seen = dump(server, fresh), set()
    for point in range(POINTS):
        empty(settings, fresh.db_name)
        process = start(fresh, folder.path)
        time.sleep(duration * random.Random(point).random())
        process.kill()
        process.join()
        recorded, made = state(fresh)
        assert recorded == made
        seen.add(len(recorded))
        migrated(fresh, folder.path)
        assert dump(server, fresh) == wanted
    assert len(seen) > 2  # or every point was the same one


def test_a_state_that_is_neither_would_be_found(fresh: Settings, folder: Folder) -> None:
    migrated(fresh, folder.path)
    with closing(as_owner(fresh)) as conn, conn.cursor() as cursor:
        cursor.execute("DROP INDEX idx_t3")
    recorded, made = state(fresh)
    assert recorded != made


@pytest.mark.parametrize("number", [2, 5, 8])
def test_many_at_once_run_each_file_once(
    fresh: Settings, folder: Folder, number: int, server: Cluster
) -> None:
    processes = [start(fresh, folder.path) for _ in range(number)]
    for process in processes:
        process.join(30)
    assert [process.exitcode for process in processes] == [0] * number
    assert state(fresh) == (["001", "002", "003", "004"],) * 2


@pytest.fixture
def other(folder: Folder) -> Iterator[tuple[Cluster, MigrationDatabase]]:
    """A server of this test's own, to be stopped, and a migrator on it."""
    with throwaway() as cluster, scratch_database(make_settings(cluster), "fixapp_restart") as settings:
        yield cluster, MigrationDatabase(settings, folder.path)


def test_a_server_that_restarts_in_the_middle_costs_one_file(
    other: tuple[Cluster, MigrationDatabase],
) -> None:
    cluster, database = other
    steps = migrate(database)
    assert next(steps).name == "001_step"
    stop = threading.Timer(0.012, cluster.stop, ["fast"])
    stop.start()
    with pytest.raises((DatabaseUnavailableError, MigrationError)):  # inside a file, or between two
        list(steps)
    stop.join()
    cluster.start()
    assert state(database.settings) == (["001"], ["001"])
    again = migrated(database.settings, database.folder)
    assert again == FILES[1:]
    assert state(database.settings) == (["001", "002", "003", "004"],) * 2
