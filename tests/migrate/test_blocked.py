"""A file that is blocked gives way to the traffic behind it, and tries again."""

import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from app.config import Settings
from app.errors import MigrationBlockedError
from app.migrate import MigrationDatabase, applied, migrate, retry
from tests.logins import as_application
from tests.scratch import Folder

BUSY = "CREATE TABLE busy (id int)\nGRANT SELECT ON busy TO fixapp_app"


@pytest.fixture(autouse=True)
def busy(owner: MigrationDatabase, folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table, a file that wants it for itself, and short pauses between its tries."""
    folder.write("001_busy", BUSY)
    list(migrate(owner))
    folder.write("002_wider", "CREATE TABLE other (id int)\nALTER TABLE busy ADD COLUMN more int")
    monkeypatch.setattr(retry, "PAUSES", (0.05, 0.1))


@contextmanager
def reader(settings: Settings) -> Iterator[None]:
    """Somebody who has read the table and forgets to end his transaction."""
    with closing(as_application(settings)) as conn, conn.cursor() as cursor:
        cursor.execute("BEGIN; SELECT * FROM busy")
        yield


def test_when_the_way_is_free_again_the_file_runs(
    fresh: Settings, owner: MigrationDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    steps: list[object] = []
    with reader(fresh):
        run = threading.Thread(target=lambda: steps.extend(migrate(owner)))
        run.start()
        run.join(1.3)
    run.join(5)
    assert [step.name for step in steps] == ["002_wider"]  # type: ignore[attr-defined]  # a list for a thread
    assert "002_wider was blocked by fixapp_app (server process" in caplog.text


def test_after_the_last_try_nothing_is_changed_and_the_blocker_is_named(
    fresh: Settings, owner: MigrationDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "TRIES", 2)
    with reader(fresh), pytest.raises(MigrationBlockedError, match=r"blocked 2 times .*fixapp_app \(server"):
        list(migrate(owner))
    assert applied(owner) == ["001_busy"]
    assert owner.execute_sql("SELECT to_regclass('other')").fetchone() == (None,)


def test_there_are_ten_tries_and_pauses_that_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "PAUSES", (1.0, 30.0))
    pauses = [[retry._pause(number) for number in range(1, 11)] for _ in range(50)]
    assert retry.TRIES == 10
    assert all(1 <= pause <= 30 for series in pauses for pause in series)
    assert len({series[9] for series in pauses}) == 50


def test_traffic_is_delayed_by_no_more_than_a_second(
    fresh: Settings, owner: MigrationDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "TRIES", 3)
    with reader(fresh), traffic(fresh, 4) as delays, pytest.raises(MigrationBlockedError):
        list(migrate(owner))
    assert len(delays) > 20
    assert 0.5 < max(delays) <= 1.1, max(delays)


@contextmanager
def traffic(settings: Settings, callers: int) -> Iterator[list[float]]:
    """Callers who read the table all the time; how long each statement took, in seconds."""
    delays: list[float] = []
    over = threading.Event()
    threads = [threading.Thread(target=call, args=(settings, delays, over)) for _ in range(callers)]
    for thread in threads:
        thread.start()
    yield delays
    over.set()
    for thread in threads:
        thread.join(10)


def call(settings: Settings, delays: list[float], over: threading.Event) -> None:
    """One caller."""
    with closing(as_application(settings)) as conn, conn.cursor() as cursor:
        cursor.execute("SET lock_timeout = 0")
        while not over.wait(0.01):
            began = time.monotonic()
            cursor.execute("SELECT count(*) FROM busy")
            delays.append(time.monotonic() - began)
