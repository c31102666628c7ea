"""The story of `make run`."""

import errno
from pathlib import Path

from dev import DevError, demo, endings, env_file, port
from dev.command import flask
from dev.env_file import Settings
from dev.home import Home
from dev.postgres import Postgres
from dev.step import say, step
from dev.web import WebServer


def run(project: Path) -> int:
    """Serve the project until Ctrl-C, after everything that needs; return the exit code.

    Raises DevError where a step fails.
    """
    endings.expect()
    try:
        settings = prepare(project)
        return _with_postgres(project, settings)
    except KeyboardInterrupt:
        return 0


def prepare(project: Path) -> Settings:
    """Make .env where there is none and read it; raises DevError at once where PORT is taken."""
    with step(".env") as this:
        if env_file.create(project / ".env.example", project / ".env"):
            this.done = ".env made from .env.example, with fresh secrets"
        settings = env_file.read(project / ".env")
    if obstacle := port.obstacle(settings.port):
        reason = "is taken" if obstacle.errno == errno.EADDRINUSE else f"cannot be used ({obstacle.strerror})"
        another = port.free(after=max(settings.port, 1024))
        raise DevError(f"port {settings.port} {reason}: choose another, PORT={another} make run")
    return settings


def _with_postgres(project: Path, settings: Settings) -> int:
    home, server = Home(project), WebServer(project, settings.port)
    postgres = Postgres(settings, home)
    try:
        with home.turn:
            token = _fill(project, postgres, server)
        at = f"http://127.0.0.1:{settings.port}"
        say(f"Serving on {at}   docs at /docs")
        say(f'Try:  curl -H "Authorization: Bearer {token}" {at}{demo.PATH}')
        return server.wait()
    finally:
        server.stop()
        endings.ignore()
        if remains := postgres.close():
            say(remains)


def _fill(project: Path, postgres: Postgres, server: WebServer) -> str:
    """Take every step until the server answers and has something to show; return a tenant's token."""
    with step("PostgreSQL") as this:
        this.done = postgres.open()
    with step("database and role"):
        flask(project, "db-bootstrap")
    with step("migrations"):
        flask(project, "db-migrate")
    with step("demo tenants"):
        tokens = demo.tenants(project)
    server.start()
    try:
        with step("") as this:
            this.done = demo.analyses(server, tokens)
    except DevError as error:  # an API that is being worked on is served all the same
        say(f"✗ demo analyses: {error}")
    return next(iter(tokens.values()))
