"""What `make run` says and does around the servers."""

import os
import re
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
from dev.home import Home
from dev.output import Output
from dev.port import Answer
from dev.run import prepare
from dev.step import step
from dev.web import WebServer

ROOT = Path(__file__).parents[2]
WSGI = """
import os
import signal

from flask import Flask
from werkzeug.serving import make_server

app = Flask("small")
app.get("/health/live")(lambda: {"status": "ok"})


@app.cli.command("serve")
def serve():
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    make_server("127.0.0.1", int(os.environ["PORT"]), app, threaded=True).serve_forever()
"""


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose application does nothing but live."""
    (tmp_path / "wsgi.py").write_text(WSGI)
    (tmp_path / ".env.example").write_text("DB_OWNER_PASSWORD=change-me\n")
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


def test_a_secret_that_came_to_the_example_is_told(served: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prepare(served)
    (served / ".env.example").write_text("DB_OWNER_PASSWORD=change-me\nNEW_KEY=change-me\n")
    prepare(served)
    assert capsys.readouterr().out.splitlines()[1] == "✓ .env, NEW_KEY added"


def test_a_port_of_another_run_is_told_as_such(served: Path) -> None:
    at = prepare(served).port
    with socket.create_server(("127.0.0.1", at)), Home(served).at(at):
        refused = rf"^port {at} is served by another `make run` of this folder: .*PORT=\d+ make run$"
        with pytest.raises(DevError, match=refused):
            prepare(served)


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
    (served / "wsgi.py").write_text("raise SystemExit(78)\n")
    with pytest.raises(DevError, match="its own lines above") as error:
        WebServer(served, prepare(served).port).start()
    assert error.value.exit_code == 78


def test_an_unknown_word_is_answered_with_the_known_ones() -> None:
    command = [sys.executable, "-m", "dev", "serve"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (64, "python -m dev run|stop\n")


@pytest.mark.parametrize(
    "line", ["17:01:02 ERROR   app.pool", "Traceback (most recent call last):", "(Pdb) "]
)
def test_what_is_no_routine_is_passed_on_at_once(capfd: pytest.CaptureFixture[str], line: str) -> None:
    assert passed_on("17:01:02 INFO    app.logs", "17:01:02 DEBUG   app.sql", line, capfd=capfd) == [line]


def test_a_server_that_may_speak_is_passed_on_whole(capfd: pytest.CaptureFixture[str]) -> None:
    line = "17:01:02 INFO    app.logs"
    assert passed_on(line, quiet=False, capfd=capfd) == [line]


def passed_on(*lines: str, quiet: bool = True, capfd: pytest.CaptureFixture[str]) -> list[str]:
    """What is passed on of some lines, the first of which was written before anybody could say a word."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as source, os.fdopen(writing, "wb", buffering=0) as target:
        target.write(b"17:01:02 INFO    before\n")
        output = Output(source)
        output.be(quiet=quiet)
        target.write("\n".join(lines).encode())
        target.close()
        output.end()
    return capfd.readouterr().err.splitlines()


def test_make_tells_what_there_is() -> None:
    environment = os.environ | {"PORT": "3333"}
    told = subprocess.run(
        ["make"], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert "3001" not in told
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


def told_until_ctrl_c(project: Path, at: int, database: int) -> list[str]:
    """Run the project, ask it what it says to ask, press Ctrl-C; return its lines."""
    variables = {name: os.environ[name] for name in ("PATH", "HOME", "PG_BINDIR") if name in os.environ}
    with subprocess.Popen(
        [sys.executable, "-m", "dev", "run"],
        cwd=project,
        env=variables | {"PORT": str(at), "DB_PORT": str(database)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        lines = list(until_tried(process, at))
    assert process.returncode == 0
    return [line.split(" (")[0].strip() for line in lines]


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


def steps(lines: list[str]) -> list[str]:
    """The steps, which are all there is before the welcome; after it only requests are told."""
    welcome = next(number for number, line in enumerate(lines) if line.startswith("Serving on "))
    assert lines[welcome + 1].startswith("Try: ")
    assert all(re.match(r"[\d:]+ (INFO |DEBUG) +app\.(logs|sql)", line) for line in lines[welcome + 2 :])
    assert any("GET /api/v1/rcas 200" in line for line in lines[welcome + 2 :])
    return lines[:welcome]


def test_the_whole_story_twice(cloned: Path) -> None:
    at, database = port.free(), port.free()
    first = steps(told_until_ctrl_c(cloned, at, database))
    assert first[0] == "✓ .env made from .env.example, with fresh secrets"
    assert first[1].startswith("✓ PostgreSQL ")
    rest = ["✓ database and role", "✓ migrations", "✓ demo tenants"]
    assert first[2:] == [*rest[:2], "✓ demo tenants Acme and Globex, with analyses"]
    second = steps(told_until_ctrl_c(cloned, at, database))
    assert second[2:] == rest
    assert port.answer("127.0.0.1", database) is Answer.NOTHING
    assert port.obstacle(at) is None
