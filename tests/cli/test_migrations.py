"""flask db-bootstrap, db-migrate, db-rollback, db-status: as somebody at a shell sees them."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from app.bootstrap import bootstrap
from app.config import Settings
from app.migrate import file_names
from tests.factories import make_environment
from tests.logins import as_owner

ROOT = Path(__file__).parents[2]
NAMES = file_names()


@pytest.fixture
def fresh(settings: Settings) -> Iterator[Settings]:
    """The settings of a database that is not there yet."""
    yield replace(settings, db_name="fixapp_shell")
    with closing(as_owner(settings, "postgres")) as conn, conn.cursor() as cursor:
        cursor.execute("DROP DATABASE IF EXISTS fixapp_shell WITH (FORCE)")


def test_from_nothing_to_everything_and_back(fresh: Settings) -> None:
    assert "✓ database fixapp_shell" in flask(fresh, "db-bootstrap")
    assert f"0 applied, {len(NAMES)} pending" in flask(fresh, "db-status")
    assert [line.split()[2] for line in flask(fresh, "db-migrate").splitlines()] == NAMES
    assert "Nothing to do" in flask(fresh, "db-migrate")
    assert f"✓ reverted {NAMES[-1]}" in flask(fresh, "db-rollback")
    assert json.loads(flask(fresh, "db-status", "--json")) == {
        "applied": NAMES[:-1],
        "pending": NAMES[-1:],
        "unknown": [],
    }
    flask(fresh, "db-rollback", "--to", NAMES[0])
    assert f"1 applied, {len(NAMES) - 1} pending" in flask(fresh, "db-status")


def test_a_dry_run_prints_and_changes_nothing(fresh: Settings) -> None:
    list(bootstrap(fresh))
    printed = flask(fresh, "db-migrate", "--dry-run", "--to", NAMES[1])
    assert printed.count("COMMIT;") == 2
    assert "CREATE TABLE tenants" in printed
    assert f"0 applied, {len(NAMES)} pending" in flask(fresh, "db-status")


def test_as_far_as_asked_recorded_and_shown_backwards(fresh: Settings) -> None:
    list(bootstrap(fresh))
    assert "✓ applied" in flask(fresh, "db-migrate", "--to", NAMES[0])
    assert f"✓ recorded {NAMES[-1]}" in flask(fresh, "db-migrate", "--fake")
    assert f"-- {NAMES[-1]}" in flask(fresh, "db-rollback", "--dry-run", "--count", "1")
    assert f"{len(NAMES)} applied, 0 pending" in flask(fresh, "db-status")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["db-rollback", "--to", "nowhere"], "'nowhere' is not among the applied migrations"),
        (["db-migrate", "--to", "nowhere"], "'nowhere' is not among the migrations"),
        (["db-rollback", "--count", "0"], "--count"),
        (["db-rollback", "--count", "1", "--to", "x"], "not both"),
        (["db-rollback", "--count", "9"], "only 0 are applied"),
    ],
)
def test_a_mistake_is_one_clear_line(fresh: Settings, arguments: list[str], said: str) -> None:
    list(bootstrap(fresh))
    result = started(fresh, *arguments)
    assert result.returncode in {1, 2}
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_migrating_before_bootstrapping_says_what_to_do(fresh: Settings) -> None:
    result = started(fresh, "db-migrate")
    assert result.returncode == 3
    assert "Traceback" not in result.stderr


def test_the_application_cannot_migrate(fresh: Settings) -> None:
    weak = replace(fresh, db_owner_user=fresh.db_user, db_owner_password=fresh.db_password)
    result = started(weak, "db-migrate")
    assert result.returncode == 78
    assert "it must be another role than DB_OWNER_USER" in result.stderr
    assert "Traceback" not in result.stderr


def test_without_the_owners_password_there_is_no_migration(fresh: Settings) -> None:
    result = started(replace(fresh, db_owner_password=""), "db-migrate")
    assert result.returncode == 78
    assert "DB_OWNER_PASSWORD is missing" in result.stderr


def flask(settings: Settings, *arguments: str) -> str:
    """Run a command that must succeed, and return what it says."""
    result = started(settings, *arguments)
    assert result.returncode == 0, result.stderr
    return result.stdout


def started(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a flask command as its user does."""
    return subprocess.run(
        [Path(sys.executable).with_name("flask"), *arguments],
        cwd=ROOT,
        env=make_environment(settings) | {"PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
