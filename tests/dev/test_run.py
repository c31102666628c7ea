"""What `make run` says and does around the servers."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev import DevError, port
from dev.command import flask
from dev.port import Answer
from dev.run import prepare
from dev.step import step
from dev.web import WebServer

ROOT = Path(__file__).parents[2]
WSGI = """
def app(environ, start_response):
    found = environ["PATH_INFO"] == "/health/live"
    start_response("200 OK" if found else "404 NOT FOUND", [])
    return [b'{"status": "ok"}' if found else b"{}"]
"""
CONF = """
import os
bind = f"127.0.0.1:{os.environ['PORT']}"
loglevel = "warning"
no_control_socket = True
"""


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose application does nothing but live."""
    (tmp_path / "wsgi.py").write_text(WSGI)
    (tmp_path / ".env.example").write_text("DB_OWNER_PASSWORD=change-me\n")
    (tmp_path / "gunicorn.conf.py").write_text(CONF)
    monkeypatch.setenv("PORT", str(port.free()))
    return tmp_path


def test_a_step_is_ticked_off(capsys: pytest.CaptureFixture[str]) -> None:
    with step("migrations"):
        pass
    assert capsys.readouterr().out == "✓ migrations\n"


def test_a_long_step_tells_its_seconds(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dev.step.NOTICEABLE", -1)
    with step("") as this:
        this.done = "PostgreSQL"
    assert capsys.readouterr().out == "✓ PostgreSQL (0.0 s)\n"


def test_settings_come_first(served: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prepare(served)
    prepare(served)
    assert capsys.readouterr().out == "✓ .env made from .env.example, with fresh secrets\n✓ .env\n"


def test_a_taken_port_is_said_in_one_line(served: Path) -> None:
    with socket.create_server(("127.0.0.1", prepare(served).port)) as listener:
        at = listener.getsockname()[1]
        with pytest.raises(DevError, match=rf"^port {at} is taken: choose another, PORT=\d+ make run$"):
            prepare(served)


def test_a_failing_command_speaks_for_itself(tmp_path: Path) -> None:
    (tmp_path / "wsgi.py").write_text("import flask\napp = flask.Flask('empty')\n")
    with pytest.raises(DevError, match=r"^flask no-such --json\n(.*\n)*.*No such command 'no-such'") as error:
        flask(tmp_path, "no-such", "--json")
    assert error.value.exit_code == 2


def test_the_web_server_serves_until_it_is_stopped(served: Path) -> None:
    at = prepare(served).port
    server = WebServer(served, at)
    server.start()
    assert server.request("GET", "/health/live") == {"status": "ok"}
    with pytest.raises(DevError, match="GET /elsewhere: 404"):
        server.request("GET", "/elsewhere")
    server.stop()
    assert server.wait() == 0
    assert port.obstacle(at) is None


def test_a_web_server_that_gives_up_hands_on_its_exit_code(served: Path) -> None:
    (served / "gunicorn.conf.py").write_text("raise SystemExit(78)\n")
    with pytest.raises(DevError, match="its own lines above") as error:
        WebServer(served, prepare(served).port).start()
    assert error.value.exit_code == 78


def test_an_unknown_word_is_answered_with_the_known_ones() -> None:
    command = [sys.executable, "-m", "dev", "serve"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (64, "python -m dev run|stop\n")


def test_make_tells_what_there_is() -> None:
    told = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "make run " in told
    assert "make stop " in told


@pytest.fixture
def cloned(project: Path) -> Path:
    """The whole project, as somebody has it who has just cloned it."""
    for name in ("app", "dev", "migrations"):
        shutil.copytree(ROOT / name, project / name)
    for name in ("wsgi.py", "gunicorn.conf.py", ".env.example"):
        shutil.copy(ROOT / name, project)
    return project


def steps_until_ctrl_c(project: Path, at: int, database: int) -> list[str]:
    """Run the project, ask it what it says to ask, press Ctrl-C; return its steps."""
    variables = {name: os.environ[name] for name in ("PATH", "HOME", "PG_BINDIR") if name in os.environ}
    with subprocess.Popen(
        [sys.executable, "-m", "dev", "run"],
        cwd=project,
        env=variables | {"PORT": str(at), "DB_PORT": str(database)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        lines = list(until_tried(process, at))
    assert process.returncode == 0
    return [line[2:].split(" (")[0].strip() for line in lines if line.startswith("✓")]


def until_tried(process: subprocess.Popen[str], at: int) -> Iterator[str]:
    assert process.stdout
    for line in process.stdout:
        yield line
        if line.startswith("Try:"):
            token = line.split("Bearer ")[1].split('"')[0]
            try:
                items = WebServer(ROOT, at).request("GET", "/api/v1/rcas", token)["items"]
            finally:
                process.send_signal(signal.SIGINT)
            assert "Feed pump P-101 trips on overload" in [item["title"] for item in items]


def test_the_whole_story_twice(cloned: Path) -> None:
    at, database = port.free(), port.free()
    first = steps_until_ctrl_c(cloned, at, database)
    assert first[0] == ".env made from .env.example, with fresh secrets"
    assert first[-1] == "demo analyses for Acme and Globex"
    second = steps_until_ctrl_c(cloned, at, database)
    assert second[2:] == ["database and role", "migrations", "demo tenants"]
    assert port.answer("127.0.0.1", database) is Answer.NOTHING
    assert port.obstacle(at) is None
