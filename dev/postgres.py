"""The PostgreSQL that a development server works with."""

import ipaddress
import time
from contextlib import closing
from pathlib import Path

import psycopg2
from psycopg2.extensions import connection

from dev import DevError, binaries, port
from dev.cluster import Cluster
from dev.env_file import Settings
from dev.home import Home, shown
from dev.port import Answer
from dev.postmaster import Postmaster

PATIENCE = 60  # seconds for a server that is starting, recovering or stopping
FAREWELL = 1  # seconds until the connections of a program that ended are gone
OTHERS = """
SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
"""


class Postgres:
    """The server at DB_HOST and DB_PORT: one that answers already, or else the project's own.

    Whoever works with it holds a shared lock, so that the last one to leave can stop the own one.
    """

    def __init__(self, settings: Settings, home: Home) -> None:
        self._settings = settings
        self._where = f"{settings.db_host}:{settings.db_port}"
        self._home = home

    def open(self) -> str:
        """Find or start the server and say which; raises DevError where neither is possible."""
        with self._home.gate:
            self._home.use.take(shared=True)
            found = self._answer()
            if found is Answer.POSTGRESQL:
                return self._join()
            if found is Answer.NOTHING and _is_loopback(self._settings.db_host):
                return self._start()
        raise DevError(self._obstacle(found))

    def close(self) -> str:
        """Stop the server if it is the own one and nobody else uses it; say so where somebody does."""
        with self._home.gate:
            own = self._own()
            company = self._company() if own else ""
            if own and not company:
                own.stop()
            self._home.use.release()
        return f"PostgreSQL is left running for {company}: `make stop` ends it" if company else ""

    def _own(self) -> Postmaster | None:
        here = _is_loopback(self._settings.db_host)
        return self._home.on_port(self._settings.db_port) if here else None

    def _answer(self) -> Answer:
        deadline = time.monotonic() + PATIENCE
        while (found := port.answer(self._settings.db_host, self._settings.db_port)) is Answer.STARTING:
            if time.monotonic() > deadline:
                break
            time.sleep(0.1)
        return found

    def _join(self) -> str:
        if refusal := self._refusal():
            own = self._own()
            access = "set the right DB_OWNER_USER and DB_OWNER_PASSWORD in .env"
            raise DevError(_stale(own.data) if own else f"{refusal}: {access}, or {self._another_port()}")
        return f"PostgreSQL already running at {self._where}"

    def _start(self) -> str:
        programs, settings = binaries.find(), self._settings
        data = self._home.data(programs.major)
        self._leave_other_port(Postmaster(data))
        owner = (settings.db_owner_user, settings.db_owner_password)
        programs = programs.reachable_by(self._home.account)
        cluster = Cluster(data, settings.db_port, *owner, programs, settings.db_host)
        if not cluster.exists():
            cluster.create()
        cluster.start()
        if self._refusal():
            raise DevError(_stale(data))
        return f"PostgreSQL {programs.major} started at {self._where}, data in {shown(data)}"

    def _leave_other_port(self, own: Postmaster) -> None:
        """Stop the own server where it runs on another port; raises DevError where somebody uses it there."""
        elsewhere = own.port()
        if not elsewhere:
            return
        if not self._home.use.take(wait=False):
            raise DevError(
                f"the project's PostgreSQL is in use on port {elsewhere}: DB_PORT={elsewhere} make run"
            )
        own.stop()
        self._home.use.take(shared=True)

    def _connect(self) -> connection:
        settings = self._settings
        return psycopg2.connect(
            host=settings.db_host,
            port=settings.db_port,
            user=settings.db_owner_user,
            password=settings.db_owner_password,
            dbname="postgres",
            connect_timeout=5,
        )

    def _refusal(self) -> str:
        try:
            self._connect().close()
        except psycopg2.OperationalError as error:
            return " ".join(str(error).split())
        return ""

    def _company(self) -> str:
        """Say who else uses the own server, if anybody does."""
        if not self._home.use.take(wait=False):
            return "another `make run`"
        deadline = time.monotonic() + FAREWELL
        while others := self._others():
            if time.monotonic() > deadline:
                return f"{others} other connection{'s' if others > 1 else ''}"
            time.sleep(0.05)
        return ""

    def _others(self) -> int:
        try:
            with closing(self._connect()) as server, server.cursor() as cursor:
                cursor.execute(OTHERS)
                ((others,),) = cursor.fetchall()
                return int(others)
        except psycopg2.OperationalError:  # nobody can use a server that lets nobody in
            return 0

    def _obstacle(self, found: Answer) -> str:
        if found is Answer.NOTHING:
            return f"nothing answers at {self._where}: start it, or set DB_HOST=127.0.0.1 to get one"
        if found is Answer.STARTING:
            return f"PostgreSQL at {self._where} accepts no connections for {PATIENCE} s: see its log"
        return f"what answers at {self._where} is not PostgreSQL: {self._another_port()}"

    def _another_port(self) -> str:
        return f"choose another port, DB_PORT={port.free(after=self._settings.db_port)} make run"


def _stale(data: Path) -> str:
    return (
        f"{shown(data)} was made for another DB_OWNER_USER or DB_OWNER_PASSWORD: put that back into .env, "
        f"or start over with `make stop` and rm -r {shown(data)}"
    )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
