"""Every error as problem details, HTML never (RFC 9457): the one place that knows statuses.

https://www.rfc-editor.org/rfc/rfc9457
"""

import logging
from http import HTTPStatus
from itertools import islice
from typing import Any

import peewee
from flask import Flask, Response, g, has_app_context, json
from werkzeug.exceptions import HTTPException

from app import errors
from app.errors import AppError, DatabaseUnavailableError, PoolTimeoutError

log = logging.getLogger(__name__)

# the nearest of an error's classes counts; what is not here is our own mistake, 500
_STATUS: dict[type[AppError], int] = {
    DatabaseUnavailableError: 503,
    errors.OutcomeUnknownError: 503,
    errors.StreamsFullError: 503,
    errors.InvalidTokenError: 401,
    errors.TenantNotActiveError: 403,
    errors.PlatformOnlyError: 403,
    errors.TenantOnlyError: 403,
    errors.NotFoundError: 404,
    errors.ConflictError: 409,
    errors.UnsupportedMediaTypeError: 415,
    errors.InvalidInputError: 400,
    errors.InvalidCursorError: 422,
}
_RETRY_SOON = {"Retry-After": "2"}
# nothing tells a client to repeat what may have been done
_HEADERS: dict[type[AppError], dict[str, str]] = {
    DatabaseUnavailableError: _RETRY_SOON,
    errors.StreamsFullError: _RETRY_SOON,
    errors.InvalidTokenError: {"WWW-Authenticate": "Bearer"},
}
_UNEXPECTED = "Something went wrong on our side. Tell us the request id."
_MAX_ERRORS = 50
_NAME_LENGTH = 100
# SQLSTATE classes and codes, https://www.postgresql.org/docs/current/errcodes-appendix.html
_BY_SQLSTATE = {
    "23505": (409, "conflict", "The same value exists already. Choose another."),
    "23503": (
        409,
        "conflict",
        "The row refers to something that is not there, or is referred to. Check the ids.",
    ),
    "23502": (422, "invalid", "A required value is missing. Check the fields."),
    "23514": (422, "invalid", "A value is outside what is allowed. Check the fields."),
    # of class 22 those that a caller's value can cause; the others are mistakes in our own SQL
    **dict.fromkeys(
        ("22001", "22003", "22007", "22008", "22021", "22023", "22P02", "22P05"),
        (422, "invalid", "A value does not fit its field. Check the fields."),
    ),
    "40": (503, "try_again", "Another request was in the way. Try again."),
    "55P03": (503, "try_again", "Another request was in the way. Try again."),
    "57014": (503, "statement_timeout", "The request took too long. Ask for less, or try again."),
    "25006": (503, "database_read_only", "The database takes no writes for the moment. Try again."),
    **dict.fromkeys(
        ("08", "57P01", "57P02", "57P03", "57P05"),
        (503, "database_unavailable", "The database does not answer. Try again in a moment."),
    ),
    "53": (503, "database_unavailable", "The database is out of resources. Try again in a moment."),
}


def init_app(app: Flask) -> None:
    """Answer each kind of error; register last, for later handlers replace earlier ones."""
    app.register_error_handler(AppError, _app_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(peewee.PeeweeException, _database_error)
    app.register_error_handler(Exception, _unexpected)


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    errors: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """One problem-details answer, with the request's id and, if given, errors by field."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": _request_id(),
    }
    if errors:
        body["errors"] = errors
    answer = Response(json.dumps(body), status=status, content_type="application/problem+json")
    answer.headers.update(headers or {})
    return answer


def _request_id() -> str:
    exchange = g.get("exchange") if has_app_context() else None
    return exchange.request_id if exchange else ""


def _code(status: int) -> str:
    return HTTPStatus(status).phrase.lower().replace(" ", "_").replace("-", "_")


def status_of(error: AppError) -> int:
    """The HTTP status of an error; 500 for a mistake of our own."""
    return next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), 500)


def _app_error(error: AppError) -> Response:
    status = status_of(error)
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        # a programmer's mistake: its text is for the log, not for the caller
        log.error("%s", error, exc_info=error)
        return problem(status, "internal", _UNEXPECTED)
    # an unreachable database is logged by the pool: once in a while, not for each request
    told = _without_internals(error)
    headers = next((_HEADERS[kind] for kind in type(told).__mro__ if kind in _HEADERS), None)
    return problem(status, told.code, str(told), headers=headers)


def _without_internals(error: AppError) -> AppError:
    """Why there is no database is the log's matter; a caller learns whether it or the pool is to blame."""
    if isinstance(error, DatabaseUnavailableError) and not isinstance(error, PoolTimeoutError):
        return DatabaseUnavailableError()
    return error


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    headers = {name: value for name, value in error.get_headers() if name in {"Allow", "Retry-After"}}
    messages = getattr(error, "data", {}).get("messages")
    if messages:
        detail = "Some fields are not valid. Correct those named in `errors`."
        return problem(status, "invalid", detail, errors=_by_field(messages), headers=headers)
    return problem(status, _code(status), error.description or HTTPStatus(status).phrase, headers=headers)


def _by_field(messages: dict[str, Any]) -> dict[str, Any]:
    """Drop webargs' outer level, the place a field came from (json, query)."""
    flat: dict[str, Any] = {}
    for fields in messages.values():
        flat.update(fields if isinstance(fields, dict) else {"_body": fields})
    # the names are the caller's: who sends a hundred thousand does not get them all back
    return {str(name)[:_NAME_LENGTH]: flat[name] for name in islice(flat, _MAX_ERRORS)}


def _database_error(error: peewee.PeeweeException) -> Response:
    original = getattr(error, "orig", None)
    state = getattr(original, "pgcode", None) or ""
    found = _BY_SQLSTATE.get(state) or _BY_SQLSTATE.get(state[:2])
    if not found:
        return _unexpected(error)
    # with what was refused, for it may as well be a mistake in our own SQL; never with its values
    message = getattr(getattr(original, "diag", None), "message_primary", None)
    log.warning("the database refused a statement: SQLSTATE %s: %s", state, message)
    status, code, detail = found
    headers = {"Retry-After": "1"} if status == HTTPStatus.SERVICE_UNAVAILABLE else None
    return problem(status, code, detail, headers=headers)


def _unexpected(error: Exception) -> Response:
    log.error("%s: %s", type(error).__name__, error, exc_info=error)
    return problem(500, "internal", _UNEXPECTED)
