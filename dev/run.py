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
    """Make .env or what it lacks, and read it; raises DevError at once where PORT is taken."""
    example, target = project / ".env.example", project / ".env"
    with step(".env") as this:
        if env_file.create(example, target):
            this.done = ".env made from .env.example, with fresh secrets"
        elif added := env_file.complete(example, target):
            this.done = f".env, {' and '.join(added)} added"
        settings = env_file.read(target)
    if obstacle := port.obstacle(settings.port):
        another = port.free(after=max(settings.port, 1024))
        said = _reason(project, settings.port, obstacle)
        raise DevError(f"port {settings.port} {said}: choose another, PORT={another} make run")
    return settings


def _reason(project: Path, number: int, obstacle: OSError) -> str:
    if obstacle.errno != errno.EADDRINUSE:
        return f"cannot be used ({obstacle.strerror})"
    lock = Home(project).at(number)
    strange = lock.take(wait=False)
    lock.release()
    return "is taken" if strange else "is served by another `make run` of this folder"


def _with_postgres(project: Path, settings: Settings) -> int:
    home, server = Home(project), WebServer(project, settings.port)
    postgres = Postgres(settings, home)
    home.at(settings.port).take(wait=False)
    try:
        with home.turn:
            token = _fill(project, postgres, server)
        _welcome(settings, token)
        server.speak()
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
    server.start()
    with step("demo tenants") as this:
        tokens = demo.tenants(project)
        try:
            this.done += demo.analyses(server, tokens)
        except DevError as error:  # an API that is being worked on is served all the same
            say(f"✗ demo analyses: {error}")
    return next(iter(tokens.values()))


def _welcome(settings: Settings, token: str) -> None:
    at = f"http://127.0.0.1:{settings.port}"
    only = f"   (this run only: {settings.passing})" if settings.passing else ""
    say(f"Serving on {at}   docs at /docs{only}")
    say(f'Try:  curl -H "Authorization: Bearer {token}" {at}{demo.PATH}')
