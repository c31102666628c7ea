"""One message to the server: what travels in it, and what it means when it fails.

A statement's failure is told apart from a connection's, and of a connection's the two that
matter to whoever has to decide whether to try again: what was asked was not done, or nobody
knows whether it was.
"""

import logging
import math
import re
from typing import Any, NoReturn

import peewee
import psycopg2

from app.database.principal import Principal
from app.errors import DatabaseUnavailableError, OutcomeUnknownError, WrongTenantError

log = logging.getLogger(__name__)

_MILLISECONDS = 1000
_READS = re.compile(r"[\s(]*(SELECT|SHOW|EXPLAIN|VALUES|TABLE)\b", re.IGNORECASE)


def context_sql(principal: Principal, statement_timeout: float | None) -> str:
    """What goes in front of a statement: the principal's context and, if given in seconds, its time."""
    if statement_timeout is None:
        return principal.context_sql
    milliseconds = 0 if statement_timeout == math.inf else math.ceil(statement_timeout * _MILLISECONDS)
    # for this message or transaction only: a SET for the session would leak through PgBouncer
    return f"{principal.context_sql}, set_config('statement_timeout', '{milliseconds}', true)"


def only_reads(sql: str) -> bool:
    """Whether a statement changes nothing, as far as its first word tells."""
    return bool(_READS.match(sql))


def send(cursor: Any, text: str, params: Any, *, principal: Principal, at_stake: bool) -> None:
    """Send one message; `at_stake` when nobody knows what was done if its answer is lost.

    Raises OutcomeUnknownError or DatabaseUnavailableError when the connection breaks under it,
    WrongTenantError when a policy refuses a row, and else Peewee's errors.
    """
    try:
        cursor.execute(text, params)
    except psycopg2.Error as error:
        _raise(error, broken=bool(cursor.connection.closed), principal=principal, at_stake=at_stake)


def _raise(error: psycopg2.Error, *, broken: bool, principal: Principal, at_stake: bool) -> NoReturn:
    if broken:
        log.warning("a connection broke under a statement: %s", " ".join(str(error).split()))
        raise (OutcomeUnknownError if at_stake else DatabaseUnavailableError) from error
    if isinstance(error, psycopg2.errors.InsufficientPrivilege) and "row-level security" in str(error):
        raise WrongTenantError(given="another scope", current=principal) from error
    with peewee.__exception_wrapper__:
        raise error
