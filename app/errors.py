"""Everything that can go wrong, as plain exceptions.

A class's docstring is its message: it is filled with the values that broke the rule and
ends in the remedy, so whoever reads it knows what to do next. `app/http/problems.py` gives
each its HTTP status, `app/cli/exits.py` its exit code.
"""

import re

_WORD_START = re.compile(r"(?<=[a-z])(?=[A-Z])")


class AppError(Exception):
    """Something went wrong that has no name yet. Look for the request id in the log."""

    def __init__(self, **values: object) -> None:
        self.values = values
        message = " ".join((type(self).__doc__ or "").split())
        super().__init__(message.format(**values))

    @property
    def message(self) -> str:
        """What went wrong, and what to do about it."""
        return str(self)

    @property
    def code(self) -> str:
        """The error's name in snake_case, e.g. `pool_timeout`."""
        return _WORD_START.sub("_", type(self).__name__.removesuffix("Error")).lower()


class ConfigurationError(AppError):
    """The settings are wrong.

    Set these in the environment or in .env:{lines}
    """

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__(lines="".join(f"\n  {line}" for line in problems))


class NamingError(AppError):
    """{what}, {given!r}, breaks the convention. Use {wanted}."""


class UnknownFieldError(AppError):
    """{model} has no field {name!r}. Use one of {fields}."""


# --- the unit of work ------------------------------------------------------------------------------


class NoTenantError(AppError):
    """No tenant is in force for this statement.

    Run it inside `with tenant_scope(tenant):` or, for the registry, `with platform_scope(reason):`.
    In a thread, wrap its function in `in_scope()`; for an answer that is sent while it is read, wrap
    the generator in `stream()`.
    """


class InvalidTenantError(AppError):
    """{given!r} is not a tenant. Pass a tenant, or its id as a UUID."""


class ScopeSwapError(AppError):
    """The scope in force is {current}; it cannot be swapped for {wanted}. Leave it first."""


class ScopeInGeneratorError(AppError):
    """A scope is entered in the generator {name}, so it would be in force for whoever consumes it.

    Enter it around the loop instead, or hand the generator to `stream()`.
    """


class OpenTransactionError(AppError):
    """The unit of work of {who} ended in a transaction that was begun by hand at {where}.

    It was rolled back. Use `with db.atomic():`, or commit before the unit ends.
    """


class NoApplicationError(AppError):
    """{count} applications are open in this process and none is in force.

    Say which one with `with application(databases):`, or close the others.
    """


class StreamsFullError(AppError):
    """{most} answers are being streamed already, all that a pool of {size} allows. Try again in a moment."""


class StreamCutError(AppError):
    """The reader of a streamed answer took nothing for {seconds:g} s, so its transaction was ended.

    Ask again, and read faster.
    """


class WrongTenantError(AppError):
    """A row of tenant {given} was written while {current} is in force.

    Leave `tenant_id` to the scope, or write the row in its own tenant's scope.
    """


class NamedCursorError(AppError):
    """A server-side cursor outside a transaction would lose the tenant.

    Open it inside `with db.atomic():`.
    """


class HardDeletionError(AppError):
    """{model} keeps its deleted rows, so `delete()` is refused.

    Use `delete_instance()` to mark a row, or `purge()` to remove rows for good.
    """


# --- the database ----------------------------------------------------------------------------------


class DatabaseUnavailableError(AppError):
    """The database does not answer. Try again in a moment."""


class DatabaseNotReadyError(DatabaseUnavailableError):
    """The database {name} at {host}:{port} cannot be used: {reason}.

    Start it (`make run` does), or set DB_HOST, DB_PORT, DB_NAME, DB_USER and DB_PASSWORD.
    """


class PoolTimeoutError(DatabaseUnavailableError):
    """All database connections stayed busy for {seconds:g} s. Try again in a moment."""


class PoolFullError(PoolTimeoutError):
    """{waiting} callers are waiting for a database connection already. Try again in a moment."""


class OutcomeUnknownError(AppError):
    """The connection broke before the database acknowledged the write, so it may have happened or not.

    Look whether it did before you send it again.
    """


class PoolClosedError(DatabaseUnavailableError):
    """The application's connections are closed: it is shutting down. Ask another instance."""


class DatabaseLoginRefusedError(DatabaseUnavailableError):
    """The database refuses this application's log-in. Check DB_USER, DB_PASSWORD and DB_NAME."""


class TooManyConnectionsError(DatabaseUnavailableError):
    """The database has no connection left for this application. Try again in a moment.

    If it lasts: workers x DB_POOL_MAX must fit into max_connections.
    """


class PoolTooLargeError(AppError):
    """{processes} workers with {each} connections each do not fit into the {room} the database has.

    Each has DB_POOL_MAX and one more for its health. Lower the workers or DB_POOL_MAX, or raise
    max_connections.
    """


class DatabaseStartingError(DatabaseUnavailableError):
    """The database is starting or stopping. Try again in a moment."""


class UnsafeRoleError(DatabaseUnavailableError):
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


class MigrationBlockedError(MigrationError):
    """{name} was blocked {tries} times for a second each, and nothing of it was applied.

    In its way: {others}. Wait until they end, or end them, and run again.
    """


class NotOwnerError(AppError):
    """The log-in {role!r} {why}, so it cannot migrate.

    Set DB_OWNER_USER and DB_OWNER_PASSWORD to the owner of the schema.
    """


# --- requests --------------------------------------------------------------------------------------


class InvalidTokenError(AppError):
    """The bearer token is missing or not valid. Send `Authorization: Bearer <token>` with a fresh token."""


class InvalidActorError(AppError):
    """{given!r} is no actor. Name user:<uuid> or client:<name>, the name in lower case."""


class TenantNotActiveError(AppError):
    """The tenant is {status}. Ask the platform's operators to activate it."""


class PlatformOnlyError(AppError):
    """Only the platform's operators may do that. Use a platform token."""


class TenantOnlyError(AppError):
    """Only a tenant has that. Use a tenant's token."""


class NotFoundError(AppError):
    """There is no such {what}. Check its {by}."""


class ConflictError(AppError):
    """{what} is taken already. Choose another."""


class UnsupportedMediaTypeError(AppError):
    """The body is {given!r}. Send JSON with `Content-Type: application/json`."""


class InvalidInputError(AppError):
    """The {what} is not one this API takes: {why}. Correct it and send it again."""


class InvalidCursorError(AppError):
    """The cursor is not one this list gave out. Use `next_cursor` as it came, or leave it out."""
