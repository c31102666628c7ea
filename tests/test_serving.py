"""The life of a server: refused with one clear line, serving in one voice, ended in peace."""

import os
import re
import socket
import time
from collections.abc import Iterator

import pytest
from psycopg2.extensions import connection as Connection

from app.config import Settings
from app.http import FixApp
from app.tenants import Tenant
from dev import port
from tests import processes
from tests.factories import bearer, make_environment
from tests.processes import FLASK, PW_MIGRATE, run, serving
from tests.test_logs import READABLE
from tests.waiting import held_up, one, wait_until, wait_until_held_up, writing

SERVERS = processes.SERVERS | {"flask run": [*FLASK, "run"]}
CHECKED = SERVERS | {"pw_migrate": [*PW_MIGRATE, "list"], "a command": [*FLASK, "db-status"]}
WRONG = {
    "APP_ENV": "banana",
    "DB_PORT": "70000",
    "DB_USER": "postgres",
    "DB_OWNER_USER": "postgres",
    "DB_POOL_MIN": "11",
    "JWT_SECRET": "my-very-own-secret",
    "JWT_EXPIRY": "soon",
    "DB_PASSWORD": "my-password",
    "DB_PASSWORD_FILE": "/nowhere",
    "SENTRY_DSN": "my-sentry",
}
NAMED = [
    "APP_ENV",
    "DB_PORT",
    "DB_USER",
    "DB_PASSWORD",
    "DB_POOL_MIN",
    "JWT_SECRET",
    "JWT_EXPIRY",
    "SENTRY_DSN",
]
_BACKENDS = """
SELECT count(*) FROM pg_stat_activity
WHERE application_name LIKE 'fixapp %%' AND application_name NOT IN (%s, %s)
"""


each_server = pytest.mark.parametrize("command", processes.SERVERS.values(), ids=processes.SERVERS)


# --- before a port is bound ------------------------------------------------------------------------


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody else has: who tries to bind it says so."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.mark.parametrize("command", CHECKED.values(), ids=CHECKED)
def test_wrong_settings_are_all_named_and_nothing_starts(command: list[str], taken: int) -> None:
    ended = run(command, WRONG | {"PORT": str(taken)})
    assert (ended.returncode, ended.stdout) == (78, "")
    first, *lines = ended.stderr.splitlines()
    assert "The settings are wrong." in first
    assert sorted(re.findall(r"^  (\w+)", "\n".join(lines), re.MULTILINE)) == sorted(NAMED)
    assert len(lines) == len(NAMED)
    assert not re.search(r"my-|in use|Traceback", ended.stderr)


def test_a_port_that_is_taken_is_told(app: FixApp, settings: Settings, taken: int) -> None:
    """The positive control of "nothing starts" above."""
    ended = run([*FLASK, "run", "--port", str(taken)], make_environment(settings))
    assert "in use" in ended.stderr


def test_with_wrong_settings_help_is_still_there() -> None:
    ended = run([*FLASK, "--help"], WRONG)
    assert (ended.returncode, "Usage: " in ended.stdout) == (0, True)
    assert ended.stderr.startswith("Error: The settings are wrong. ")
    assert not re.search("my-|Traceback", ended.stderr)


@pytest.mark.parametrize("command", SERVERS.values(), ids=SERVERS)
def test_without_a_database_no_server_starts(settings: Settings, command: list[str]) -> None:
    nowhere = str(port.free())
    ended = run(command, make_environment(settings) | {"DB_PORT": nowhere, "PORT": str(port.free())})
    assert ended.returncode == 3
    assert re.search(
        rf"^Error: The database \w+ at 127.0.0.1:{nowhere} .*DB_HOST", ended.stderr, re.MULTILINE
    )
    assert not re.search(r"Traceback|Listening|Running on|password|secret", ended.stdout + ended.stderr)


@pytest.mark.parametrize("command", SERVERS.values(), ids=SERVERS)
def test_a_log_in_that_passes_the_policies_is_refused(
    app: FixApp, settings: Settings, command: list[str]
) -> None:
    superuser = {"DB_USER": settings.db_owner_user, "DB_PASSWORD": settings.db_owner_password}
    variables = (
        make_environment(settings) | superuser | {"DB_OWNER_USER": "somebody", "PORT": str(port.free())}
    )
    ended = run(command, variables)
    assert ended.returncode == 78
    assert re.search(r"^Error: The database log-in 'postgres' .*db-bootstrap", ended.stderr, re.MULTILINE)
    assert not re.search(r"Traceback|Listening|Running on", ended.stdout + ended.stderr)
    assert settings.db_owner_password not in ended.stdout + ended.stderr


@each_server
def test_a_wrong_password_is_one_line(app: FixApp, settings: Settings, command: list[str]) -> None:
    variables = make_environment(settings) | {"DB_PASSWORD": "not the password", "PORT": str(port.free())}
    ended = run(command, variables)
    assert (ended.returncode, "authentication failed" in ended.stderr) == (3, True)
    assert not re.search("Traceback|not the password", ended.stderr)


# --- while it serves -------------------------------------------------------------------------------


@pytest.mark.parametrize("command", SERVERS.values(), ids=SERVERS)
def test_what_is_written_is_in_one_form(
    app: FixApp, settings: Settings, acme: Tenant, command: list[str]
) -> None:
    with serving(command, make_environment(settings)) as served:
        answer, _ = served.ask("GET", "/api/v1/rcas?equipment_type=private", headers=bearer(app, acme))
        assert answer.status == 200
        lines = [line for line in served.lines() if not line.startswith(" * ")]  # click's banner
    assert [line for line in lines if not READABLE.fullmatch(line)] == []
    assert any(f"{acme.id} client:cli] GET /api/v1/rcas 200" in line for line in lines)
    assert "private" not in "".join(lines)


@each_server
def test_sigterm_lets_a_running_request_finish(
    app: FixApp, settings: Settings, acme: Tenant, admin: Connection, command: list[str]
) -> None:
    with (
        held_up(settings) as let_go,
        serving(command, make_environment(settings)) as served,
        writing(served, bearer(app, acme)) as answer,
    ):
        wait_until_held_up(settings)
        served.process.terminate()
        time.sleep(0.4)
        assert not answer.done()
        let_go()
        assert answer.result(5)[0].status == 201
        assert served.process.wait(5) == 0
    wait_until(lambda: one(admin, _BACKENDS, _own_names()) == 0)
    assert one(admin, "SELECT count(*) FROM rcas") == 1


@each_server
def test_after_sigterm_nobody_else_is_let_in(app: FixApp, settings: Settings, command: list[str]) -> None:
    with serving(command, make_environment(settings)) as served:
        assert served.stop() == 0
        with pytest.raises(OSError, match="refused"):
            served.ask("GET", "/health/live")


@each_server
def test_a_server_has_backends_while_it_serves(
    app: FixApp, settings: Settings, admin: Connection, command: list[str]
) -> None:
    """The positive control of "no backend is left"."""
    with serving(command, make_environment(settings)) as served:
        assert served.ask("GET", "/health")[0].status == 200
        assert one(admin, _BACKENDS, _own_names()) >= 1
        assert served.stop() == 0
    wait_until(lambda: one(admin, _BACKENDS, _own_names()) == 0)


def test_an_interrupted_development_server_ends_in_peace(app: FixApp, settings: Settings) -> None:
    with serving([*FLASK, "run"], make_environment(settings)) as served:
        assert served.ask("GET", "/health")[0].status == 200
        served.process.send_signal(2)
        assert served.process.wait(5) == 0
        assert "Traceback" not in "\n".join(served.lines())


def _own_names() -> tuple[str, str]:
    return f"fixapp {os.getpid()}", f"fixapp owner {os.getpid()}"
