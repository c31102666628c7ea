"""A throw-away database with tenants and analyses in it."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
from psycopg2.extensions import make_dsn

from app.config import SettingsSchema
from dev.cluster import Cluster, throwaway

PROJECT = Path(__file__).resolve().parent.parent
TENANTS = 100
ANALYSES = 1000
NAME = "fixapp_bench"
# As a superuser, whom no policy holds. The planner is told what is there; log-ins are logged from then on.
FILL = (
    f"""
    INSERT INTO tenants (name, subdomain)
    SELECT 'Tenant ' || n, 'tenant-' || n FROM generate_series(1, {TENANTS}) n;
    INSERT INTO rcas (tenant_id, title, issue_description, equipment_type, created_at)
    SELECT id, 'Pump P-' || n || ' trips on overload', repeat('Three trips in one week. ', 8),
           'centrifugal pump', now() - n * interval '1 minute'
    FROM tenants, generate_series(1, {ANALYSES}) n
    """,
    "VACUUM ANALYZE tenants, rcas",
    "ALTER SYSTEM SET log_connections = on",
    "SELECT pg_reload_conf()",
)
SAMPLE = f"SELECT tenant_id::text, id::text FROM rcas ORDER BY random() LIMIT {20 * TENANTS}"


class Data:
    """The filled database: how to reach it, and what is in it."""

    def __init__(self, server: Cluster) -> None:
        self.server = server
        self.environment = environment(server)
        for command in ("db-bootstrap", "db-migrate"):
            flask(self.environment, command)
        self._fill()

    def _fill(self) -> None:
        dsn = make_dsn(
            host=self.server.host,
            port=self.server.port,
            user=self.server.user,
            password=self.server.password,
            dbname=NAME,
        )
        with closing(psycopg2.connect(dsn)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                for statement in FILL:
                    cursor.execute(statement)
                cursor.execute(SAMPLE)
                self.sample: list[tuple[str, str]] = cursor.fetchall()  # (tenant_id, id)

    def logins(self, application_name: str) -> int:
        """How often an application of this name, or one that begins so, has logged in."""
        return self.server.log.read_text().count(f" application_name={application_name}")


@contextmanager
def database() -> Iterator[Data]:
    """A server with a filled database, gone afterwards."""
    with throwaway() as server:
        yield Data(server)


def flask(environment: dict[str, str], *arguments: str) -> str:
    """Run a command of the application; raises CalledProcessError after its own complaint."""
    command = [sys.executable, "-m", "flask", *arguments]
    ended = subprocess.run(
        command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return ended.stdout


def environment(server: Cluster) -> dict[str, str]:
    """The settings of a process of its own on this server."""
    # Settings of the caller's own, a secret's file among them, must not get in.
    known = {name for field in SettingsSchema().fields for name in (field, f"{field}_FILE")}
    mine = {name: value for name, value in os.environ.items() if name not in known}
    # production would want TLS; `test` logs a line a request, as production does, and no SQL
    return mine | {
        "APP_ENV": "test",
        "DB_HOST": server.host,
        "DB_PORT": str(server.port),
        "DB_NAME": NAME,
        "DB_USER": "fixapp_bench_app",
        "DB_PASSWORD": secrets.token_urlsafe(),
        "DB_OWNER_USER": server.user,
        "DB_OWNER_PASSWORD": server.password,
        "DB_SSLMODE": "disable",
        "JWT_SECRET": secrets.token_urlsafe(48),
        "JWT_EXPIRY": "1h",
    }
