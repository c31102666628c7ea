"""flask db-check: is this database right? A line a check, with its remedy."""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import click
import peewee
from flask import current_app
from flask.cli import with_appcontext

from app import migrate
from app.catalog import Finding, judge, tenant_tables
from app.cli.drift import drifted
from app.cli.judged import DEFINERS
from app.config import Settings
from app.database import databases_in_force, db
from app.errors import DatabaseUnavailableError, MigrationError, UnreadableSchemaError, UnsafeRoleError
from app.tenancy import platform_scope

FINDINGS = 1
UNREACHABLE = 3
_OLDEST = 150000
_SERVER = """
SELECT current_setting('server_version_num')::int, current_setting('server_version'),
       current_setting('TimeZone'), current_setting('server_encoding'), current_user,
       has_schema_privilege('public', 'CREATE'), has_database_privilege(current_database(), 'CREATE'),
       (SELECT count(*) FROM pg_auth_members WHERE member = current_user::regrole)
"""


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report; a remedy is given where it is not right, and with advice."""

    name: str
    detail: str
    remedy: str = ""
    advice: bool = False

    @property
    def right(self) -> bool:
        """Whether nothing has to be done."""
        return self.advice or not self.remedy


Checks = Iterator[Check]


@click.command("db-check")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_appcontext
def db_check(as_json: bool) -> None:
    """Report whether the database is right: exit 0 right, 1 findings, 3 unreachable."""
    settings: Settings = current_app.config["SETTINGS"]
    checks, code = [_settings(settings)], 0
    try:
        with platform_scope("flask db-check"):
            checks += _all(settings)
    except UnsafeRoleError as error:
        checks.append(Check("role", str(error), "flask db-bootstrap"))
    except DatabaseUnavailableError as error:
        checks.append(
            Check("connection", str(error.__cause__ or error).strip(), "make run, or set DB_HOST and DB_PORT")
        )
        code = UNREACHABLE
    except (peewee.OperationalError, peewee.InterfaceError) as error:
        checks.append(Check("connection", f"lost: {' '.join(str(error).split())}", "flask db-check, again"))
        code = UNREACHABLE
    code = code or (FINDINGS if any(not check.right for check in checks) else 0)
    _print_json(checks, code) if as_json else _print(checks)
    sys.exit(code)


def _all(settings: Settings) -> Checks:
    yield _connection(settings)
    yield from _server()
    yield _pool(settings)
    yield _migrations()
    yield from _schema(settings)
    yield from _drift(settings)


def _settings(settings: Settings) -> Check:
    return Check("settings", f"valid, {settings.app_env}")


def _connection(settings: Settings) -> Check:
    db.execute_sql("SELECT 1")
    started = time.perf_counter()
    db.execute_sql("SELECT 1")
    milliseconds = (time.perf_counter() - started) * 1000
    where = f"{settings.db_name} at {settings.db_host}:{settings.db_port}"
    return Check("connection", f"{where}, {milliseconds:.1f} ms a round trip")


def _pool(settings: Settings) -> Check:
    now = databases_in_force().shared.get_stats()
    warm_up = now["connections_ms"] / max(1, now["pool_size"])
    in_use = now["pool_size"] - now["pool_available"]
    return Check(
        "pool",
        f"{warm_up:.0f} ms to warm up one connection, {in_use} in use, {now['pool_available']} idle; "
        f"{now['pool_min']} to {now['pool_max']}, {settings.db_connect_timeout:g} s to get one, "
        f"closed after {settings.db_pool_idle_timeout:g} s idle",
    )


def _server() -> Checks:
    number, version, zone, encoding, role, may_create, may_extend, memberships = db.execute_sql(
        _SERVER
    ).fetchone()
    yield Check("server", f"PostgreSQL {version}", "" if number >= _OLDEST else "use PostgreSQL 15 or newer")
    powers = [
        *(["may create tables"] if may_create else []),
        *(["may create schemas"] if may_extend else []),
        *([f"is member of {memberships} roles"] if memberships else []),
    ]
    yield Check(
        "role",
        f"{role}: owns nothing, bypasses nothing" + "".join(f", {power}" for power in powers),
        "flask db-bootstrap, then REVOKE what is left" if powers else "",
    )
    yield Check("time zone", zone, "" if zone == "UTC" else f"ALTER ROLE {role} SET timezone = 'UTC'")
    right = encoding == "UTF8"
    yield Check("encoding", encoding, "" if right else "create the database again with ENCODING 'UTF8'")


def _migrations() -> Check:
    done, waiting = len(migrate.applied(db)), migrate.pending(db)
    if waiting:
        return Check("migrations", f"{done} applied, pending: {', '.join(waiting)}", "flask db-migrate")
    return Check("migrations", f"{done} applied, none pending")


def _schema(settings: Settings) -> Checks:
    findings = judge(db, settings.db_user, definers=DEFINERS)
    for finding in findings:
        yield Check(finding.rule, f"{finding.where}: {finding.why}", finding.remedy, finding.advice)
    if not _wrong(findings):
        scoped = tenant_tables(db)
        yield Check("names", "tables, columns, keys and indexes by the convention")
        yield Check("tenants", f"{len(scoped)} tenant tables, each closed to everybody but its tenant")


def _wrong(findings: list[Finding]) -> bool:
    return any(not finding.advice for finding in findings)


def _drift(settings: Settings) -> Checks:
    if not settings.db_owner_password:
        # only the owner may make the scratch database that the migrations are run in
        yield Check(
            "drift", "not looked for: it takes DB_OWNER_PASSWORD, which a serving process does not need"
        )
        return
    try:
        findings = drifted(settings)
    except (MigrationError, UnreadableSchemaError) as error:
        yield Check("drift", "not to be told", str(error))
        return
    for finding in findings:
        yield Check(finding.rule, f"{finding.where}: {finding.why}", finding.remedy)
    if not findings:
        yield Check("drift", "none: the migrations make what is there, and what the models say")


def _print(checks: list[Check]) -> None:
    for check in checks:
        click.echo(f"{_mark(check)} {check.name:<12} {check.detail}")
        if check.remedy:
            click.echo(f"  {'':<12} → {check.remedy}")


def _mark(check: Check) -> str:
    if check.advice:
        return click.style("·", fg="yellow")
    return click.style("✓", fg="green") if check.right else click.style("✗", fg="red")


def _print_json(checks: list[Check], code: int) -> None:
    rows = [asdict(check) | {"right": check.right} for check in checks]
    click.echo(json.dumps({"exit_code": code, "checks": rows}, indent=2))
