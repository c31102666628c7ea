"""Is it alive, is it ready: for orchestrators and load balancers, without internals.

Liveness must not depend on the database, or an outage restarts every instance. The others
ask on a connection of their own: a pool that is merely busy is no reason to take an instance
out of service.
https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/
"""

import logging
from functools import cache
from typing import Any

import psycopg2
from flask import Blueprint, Flask, current_app

from app.database import Databases
from app.errors import DatabaseUnavailableError
from app.migrate import APPLIED, compare, file_names

log = logging.getLogger(__name__)

blueprint = Blueprint("health", __name__, url_prefix="/health")
_REQUIRED = "required_migrations"
Probe = tuple[dict[str, Any], int]


def init_app(app: Flask) -> None:
    """Register the three probes, and note which migrations this process needs.

    From its start on, not from what lies in the folder later: a deployment that puts new files
    there must not take the old processes out of service.
    """
    app.extensions[_REQUIRED] = file_names()
    app.register_blueprint(blueprint)


@blueprint.get("/live")
def live() -> Probe:
    """The process answers; nothing else is asked."""
    return {"status": "ok"}, 200


@blueprint.get("")
def health() -> Probe:
    """The process and its database."""
    try:
        _databases().ask()
    except DatabaseUnavailableError as error:
        return _unavailable(error) | {"database": "unavailable"}, 503
    return {"status": "ok", "database": "ok"}, 200


@blueprint.get("/ready")
def ready() -> Probe:
    """Whether requests should be sent here: the database answers and has every migration."""
    try:
        done = [name for (name,) in _databases().ask(APPLIED)]
    except DatabaseUnavailableError as error:
        return _unavailable(error), 503
    except psycopg2.errors.UndefinedTable:
        done = []
    schema = compare(done, current_app.extensions[_REQUIRED])
    if schema.pending:
        return {"status": "schema_behind"}, 503
    _warn_of_newer(tuple(schema.unknown))
    return {"status": "ok"}, 200


def _databases() -> Databases:
    found: Databases = current_app.extensions["databases"]
    return found


def _unavailable(error: DatabaseUnavailableError) -> dict[str, Any]:
    log.warning("the database is not healthy: %s", error)
    return {"status": "unavailable"}


@cache
def _warn_of_newer(names: tuple[str, ...]) -> None:
    """Say once that the schema is ahead: migrations run before the code, so old instances go on."""
    if names:
        log.warning("the database is ahead of this code, which is served all the same: %s", ", ".join(names))
