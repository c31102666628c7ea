"""Logs: JSON in production, readable in development; tenant, actor and request id in every line."""

import logging
import sys
from typing import Any
from urllib.parse import quote

from flask import Flask, g, has_app_context
from pythonjsonlogger.orjson import OrjsonFormatter

from app.config import Settings
from app.database import principal_in_force

log = logging.getLogger(__name__)
sql_log = logging.getLogger("app.sql")

_HANDLER = "fixapp"
_READABLE = "%(asctime)s %(levelname)-7s %(name)-12s [%(request_id)s %(tenant_id)s %(actor)s] %(message)s"
_FIELDS = "%(asctime)s %(levelname)s %(name)s %(request_id)s %(tenant_id)s %(actor)s %(message)s"
_NOBODY = ("-", "-", "-")


def init_app(app: Flask, *, quiet: bool) -> None:
    """Log to standard error: requests, platform scopes and, in development, this app's statements.

    When quiet, only what went wrong.
    """
    settings: Settings = app.config["SETTINGS"]
    configure(settings)
    logging.getLogger("app").setLevel(logging.WARNING if quiet else logging.INFO)
    if not quiet:
        app.extensions["observers"].append(_log_answer)
        if settings.app_env == "development":
            app.extensions["databases"].observers.append(_log_statement)


class _Context(logging.Filter):
    """Adds the request's id, the tenant in force and the actor to a record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record through, with the three added."""
        record.request_id, record.tenant_id, record.actor = _who()
        return True


def _who() -> tuple[str, str, str]:
    """Whom a line is about: the request, also when its scope was left already; else the scope."""
    exchange = g.get("exchange") if has_app_context() else None
    if exchange is not None:
        return exchange.request_id, exchange.tenant, exchange.actor
    principal = principal_in_force()
    if principal is None:
        return _NOBODY
    return principal.request_id or "-", str(principal.tenant_id or "platform"), principal.actor or "-"


def configure(settings: Settings) -> None:
    """Write every line of this process to standard error, in the form the settings ask for."""
    handler = logging.StreamHandler(sys.stderr)
    handler.set_name(_HANDLER)
    handler.addFilter(_Context())
    if settings.in_production:
        names = {"levelname": "level", "asctime": "time"}
        handler.setFormatter(OrjsonFormatter(_FIELDS, rename_fields=names))
    else:
        handler.setFormatter(logging.Formatter(_READABLE, datefmt="%H:%M:%S"))
    # nobody reads these of a record, and to find them takes time
    # https://docs.python.org/3/howto/logging.html#optimization
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    root = logging.getLogger()
    root.handlers[:] = [other for other in root.handlers if other.get_name() != _HANDLER] + [handler]
    logging.getLogger("app").setLevel(logging.INFO)
    sql_log.setLevel(logging.DEBUG)
    logging.getLogger("werkzeug").addFilter(_is_no_request)


def _log_answer(exchange: Any) -> None:
    # the path without its query, which may hold what a user typed; quoted, for it may hold a line feed
    path, milliseconds = quote(exchange.path, errors="replace"), exchange.seconds * 1000
    if log.isEnabledFor(logging.INFO):
        said = (exchange.method, path, exchange.status, milliseconds)
        # past `log.info`, which looks through the stack for its caller
        log.handle(logging.LogRecord(log.name, logging.INFO, __file__, 0, "%s %s %d %.1f ms", said, None))


def _is_no_request(record: logging.LogRecord) -> bool:
    """Leave out the development server's line about each request, which shows the query.

    Of its own lines these alone have arguments at this level (werkzeug.serving, `log_request`).
    """
    return record.levelno != logging.INFO or not record.args


def _log_statement(sql: str, params: Any, seconds: float) -> None:
    sql_log.debug("%.1f ms  %s  %r", seconds * 1000, " ".join(sql.split()), params or ())
