"""Logs: JSON in production, readable in development, the request and its tenant in every line."""

import logging
import sys
import time
from typing import Any
from urllib.parse import quote

from flask import Flask, Response, g, has_app_context, request
from pythonjsonlogger.json import JsonFormatter

from app.config import Settings
from app.database import db, statement
from app.tenancy import scope_in_force

log = logging.getLogger(__name__)
sql_log = logging.getLogger("app.sql")

_HANDLER = "fixapp"
_READABLE = "%(asctime)s %(levelname)-7s %(name)-12s [%(request_id)s %(tenant_id)s] %(message)s"
_FIELDS = "%(asctime)s %(levelname)s %(name)s %(request_id)s %(tenant_id)s %(message)s"


def init_app(app: Flask, *, quiet: bool) -> None:
    """Log to standard error: requests, platform scopes and, in development, statements.

    When quiet, only what went wrong.
    """
    settings: Settings = app.config["SETTINGS"]
    configure(settings)
    logging.getLogger("app").setLevel(logging.WARNING if quiet else logging.INFO)
    app.before_request(_start_clock)
    app.after_request(_log_request)
    db.query_hooks[:] = [_log_statement] if settings.app_env == "development" and not quiet else []


class _Context(logging.Filter):
    """Adds the request's id and the tenant in force to a record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record through, with the two added."""
        record.request_id = g.get("request_id", "-") if has_app_context() else "-"
        record.tenant_id = _tenant()
        return True


def _tenant() -> str:
    scope = scope_in_force()
    if scope is not None:
        return str(scope.tenant_id or scope.name)
    # after the view its scope is left, but the request is still the tenant's
    return str(g.get("tenant_id", "-")) if has_app_context() else "-"


def configure(settings: Settings) -> None:
    """Write every line of this process to standard error, in the form the settings ask for."""
    handler = logging.StreamHandler(sys.stderr)
    handler.set_name(_HANDLER)
    handler.addFilter(_Context())
    if settings.in_production:
        handler.setFormatter(JsonFormatter(_FIELDS, rename_fields={"levelname": "level", "asctime": "time"}))
    else:
        handler.setFormatter(logging.Formatter(_READABLE, datefmt="%H:%M:%S"))
    root = logging.getLogger()
    root.handlers[:] = [other for other in root.handlers if other.get_name() != _HANDLER] + [handler]
    logging.getLogger("app").setLevel(logging.INFO)
    sql_log.setLevel(logging.DEBUG)
    logging.getLogger("werkzeug").addFilter(_is_no_request)


def _start_clock() -> None:
    g.started = time.perf_counter()


def _log_request(response: Response) -> Response:
    milliseconds = (time.perf_counter() - g.get("started", time.perf_counter())) * 1000
    # the path without its query, which may hold what a user typed; quoted, for it may hold a line feed
    log.info("%s %s %d %.1f ms", request.method, quote(request.path), response.status_code, milliseconds)
    return response


def _is_no_request(record: logging.LogRecord) -> bool:
    """Leave out the development server's line about each request, which shows the query.

    Of its own lines these alone have arguments at this level (werkzeug.serving, `log_request`).
    """
    return record.levelno != logging.INFO or not record.args


def _log_statement(event: Any) -> None:
    text = " ".join(statement(event.sql).split())
    sql_log.debug("%.1f ms  %s  %r", event.duration * 1000, text, event.params or ())
