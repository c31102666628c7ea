"""The tree of errors.

A class's docstring is its message: it is filled with the values that broke the
rule and ends in the remedy, so whoever reads it knows what to do next. Over HTTP an
error answers with `status` and `code`; in a shell click prints it and exits with
`exit_code` (https://click.palletsprojects.com/en/stable/exceptions/).
"""

import re
from typing import ClassVar

import click

_WORD_START = re.compile(r"(?<=[a-z])(?=[A-Z])")


class AppError(click.ClickException):
    """Something went wrong that has no name yet. Look for the request id in the log."""

    status: ClassVar[int] = 500
    exit_code = 1
    headers: ClassVar[dict[str, str]] = {}

    def __init__(self, **values: object) -> None:
        self.values = values
        message = " ".join((type(self).__doc__ or "").split())
        super().__init__(message.format(**values))

    @property
    def code(self) -> str:
        """The error's name in snake_case, e.g. `pool_timeout`."""
        return _WORD_START.sub("_", type(self).__name__.removesuffix("Error")).lower()


class ConfigurationError(AppError):
    """The settings are wrong.

    Set these in the environment or in .env:{lines}
    """

    exit_code = 78  # EX_CONFIG of sysexits(3)

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__(lines="".join(f"\n  {line}" for line in problems))


class NamingError(AppError):
    """{what}, {given!r}, breaks the convention. Use {wanted}."""


# --- the tenant in force ---------------------------------------------------------------------------


class NoTenantError(AppError):
    """No tenant is in force for this statement.

    Run it inside `with tenant_scope(tenant):` or, for the registry, `with platform_scope(reason):`.
    """


class InvalidTenantError(AppError):
    """{given!r} is not a tenant. Pass a tenant, or its id as a UUID."""


class ScopeSwapError(AppError):
    """The scope in force is {current}; it cannot be swapped for {wanted}.

    Leave the scope and its transaction first.
    """


class WrongTenantError(AppError):
    """A row of tenant {given} was written while tenant {current} is in force.

    Leave `tenant_id` to the scope, or write the row in its own tenant's scope.
    """


class NamedCursorError(AppError):
    """A server-side cursor outside a transaction would lose the tenant.

    Open it inside `with db.atomic():`.
    """


class KeptValueError(AppError):
    """The rows of a statement that is compiled once hold values: {values!r}.

    They would be kept for every later caller. Pass such a value in `asked`, or query without compiling.
    """


class HardDeletionError(AppError):
    """{model} keeps its deleted rows, so `delete()` is refused.

    Use `delete_instance()` to mark a row, or `purge()` to remove rows for good.
    """


# --- the database ----------------------------------------------------------------------------------


class DatabaseUnavailableError(AppError):
    """The database does not answer. Try again in a moment."""

    status = 503
    exit_code = 3
    headers: ClassVar[dict[str, str]] = {"Retry-After": "2"}


class DatabaseNotReadyError(DatabaseUnavailableError):
    """The database {name} at {host}:{port} cannot be used: {reason}.

    Start it (`make run` does), or set DB_HOST, DB_PORT, DB_NAME, DB_USER and DB_PASSWORD.
    """


class PoolTimeoutError(DatabaseUnavailableError):
    """All database connections stayed busy for {seconds:g} s. Try again in a moment."""


class PoolFullError(PoolTimeoutError):
    """{waiting} callers are waiting for a database connection already. Try again in a moment."""


class PoolClosedError(DatabaseUnavailableError):
    """The connection pool is closed. Open it with `db.open(settings)` before using it again."""


class DatabaseLoginRefusedError(DatabaseUnavailableError):
    """The database refuses this application's log-in. Check DB_USER, DB_PASSWORD and DB_NAME."""


class TooManyConnectionsError(DatabaseUnavailableError):
    """The database has no connection left for this application. Try again in a moment.

    If it lasts: workers x DB_POOL_MAX must fit into max_connections.
    """


class PoolTooLargeError(AppError):
    """{processes} workers with {largest} connections each do not fit into the {room} the database has.

    Lower the workers or DB_POOL_MAX, or raise max_connections.
    """

    exit_code = 78  # EX_CONFIG of sysexits(3)


class DatabaseStartingError(DatabaseUnavailableError):
    """The database is starting or stopping. Try again in a moment."""


class UnsafeRoleError(AppError):
    """The database log-in {role!r} {why}, so row-level security would not hold.

    Run `flask db-bootstrap` and log in as the application role it makes (DB_USER, DB_PASSWORD).
    """


class MigrationError(AppError):
    """{what}. {remedy}."""


class DataLossError(AppError):
    """The migration would lose data.

    If something was renamed, say so: --rename rcas.titel=title. If it may be lost, run again
    with --confirm-data-loss. It would lose:{lines}
    """

    def __init__(self, losses: list[str]) -> None:
        super().__init__(lines="".join(f"\n  {loss}" for loss in losses))


class UnreadableSchemaError(AppError):
    """The schema has what cannot be compared: {names}. Drop it, or keep it in a database of its own."""


class MigrationFilesError(MigrationError):
    """The files of migrations/ and what ran here do not fit, so nothing was run.

    Put these in order and run again:{lines}
    """

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__(lines="".join(f"\n  {line}" for line in problems))


class MigrationLockedError(MigrationError):
    """Another run has held the migration lock for {seconds:g} s ({holder}).

    Wait until it ends, or end it, and run again.
    """

    exit_code = 75  # EX_TEMPFAIL of sysexits(3)


class MigrationBlockedError(MigrationError):
    """{name} was blocked {tries} times for a second each, and nothing of it was applied.

    In its way: {others}. Wait until they end, or end them, and run again.
    """

    exit_code = 75


class NotOwnerError(AppError):
    """The log-in {role!r} {why}, so it cannot migrate.

    Set DB_OWNER_USER and DB_OWNER_PASSWORD to the owner of the schema.
    """

    exit_code = 78  # EX_CONFIG


# --- requests --------------------------------------------------------------------------------------


class InvalidTokenError(AppError):
    """The bearer token is missing or not valid. Send `Authorization: Bearer <token>` with a fresh token."""

    status = 401
    headers: ClassVar[dict[str, str]] = {"WWW-Authenticate": "Bearer"}


class TenantNotActiveError(AppError):
    """The tenant is {status}. Ask the platform's operators to activate it."""

    status = 403


class PlatformOnlyError(AppError):
    """Only the platform's operators may do that. Use a platform token."""

    status = 403


class TenantOnlyError(AppError):
    """Only a tenant has that. Use a tenant's token."""

    status = 403


class NotFoundError(AppError):
    """There is no such {what}. Check its {by}."""

    status = 404


class ConflictError(AppError):
    """{what} is taken already. Choose another."""

    status = 409


class UnsupportedMediaTypeError(AppError):
    """The body is {given!r}. Send JSON with `Content-Type: application/json`."""

    status = 415


class InvalidInputError(AppError):
    """The {what} is not one this API takes: {why}. Mend it and send it again."""

    status = 400


class InvalidCursorError(AppError):
    """The cursor is not one this list gave out. Use `next_cursor` as it came, or leave it out."""

    status = 422
