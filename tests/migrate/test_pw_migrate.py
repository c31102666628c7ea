"""peewee-migrate's own command works on the same files, under the same lock and history."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path

from app.config import Settings
from app.migrate import MigrationDatabase, applied, file_names, migrate
from app.migrate.files import FOLDER
from app.migrate.history import trusted
from tests.factories import make_environment
from tests.logins import as_owner
from tests.scratch import migrated

ROOT = Path(__file__).parents[2]
NAMES = file_names()


def test_it_runs_lists_and_reverts(fresh: Settings, product: MigrationDatabase) -> None:
    assert f"Pending: {len(NAMES)}" in pw_migrate(fresh, "list")
    assert NAMES[-1] in pw_migrate(fresh, "migrate")
    pw_migrate(fresh, "rollback")
    assert f"[ ] {NAMES[-1]}" in pw_migrate(fresh, "list")
    assert applied(product) == NAMES[:-1]


def test_what_it_ran_has_its_checksum(fresh: Settings, product: MigrationDatabase) -> None:
    pw_migrate(fresh, "migrate")
    with closing(as_owner(fresh)) as conn, conn.cursor() as cursor:
        cursor.execute("SELECT name FROM migratehistory WHERE checksum IS NULL")
        assert cursor.fetchall() == []
    assert trusted(product, FOLDER)[1] == NAMES
    assert list(migrate(product)) == []


def test_it_refuses_a_file_in_doubt_as_ours_does(fresh: Settings) -> None:
    migrated(fresh, FOLDER)
    with closing(as_owner(fresh)) as conn, conn.cursor() as cursor:
        cursor.execute("UPDATE migratehistory SET checksum = 'another' WHERE name = %s", (NAMES[0],))
    process = start_pw_migrate(fresh, "migrate")
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert f"{NAMES[0]} was edited after it ran here" in output


def test_two_at_once_run_each_file_once(fresh: Settings) -> None:
    both = [start_pw_migrate(fresh, "migrate") for _ in range(2)]
    outputs = [process.communicate(timeout=30)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    with closing(as_owner(fresh)) as conn, conn.cursor() as cursor:
        cursor.execute("SELECT name FROM migratehistory ORDER BY id")
        assert [name for (name,) in cursor.fetchall()] == NAMES


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
