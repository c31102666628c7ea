"""Is it alive, is it ready: for orchestrators and load balancers, without internals.

Liveness must not depend on the database, or an outage restarts every instance.
https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/
"""

import logging
from functools import cache
from typing import Any

import peewee
from flask import Blueprint, Flask

from app.database import db
from app.errors import DatabaseUnavailableError, UnsafeRoleError
from app.migrate import standing
from app.tenancy import platform_scope

log = logging.getLogger(__name__)

blueprint = Blueprint("health", __name__, url_prefix="/health")
# seconds for a statement that asks for nothing: a probe must answer while a frozen server does not
PATIENCE = 1.0
Answer = tuple[dict[str, Any], int]
_UNHEALTHY = (DatabaseUnavailableError, UnsafeRoleError, peewee.OperationalError, peewee.InterfaceError)


def init_app(app: Flask) -> None:
    """Register the three probes."""
    app.register_blueprint(blueprint)


@blueprint.get("/live")
def live() -> Answer:
    """The process answers; nothing else is asked."""
    return {"status": "ok"}, 200


@blueprint.get("")
def health() -> Answer:
    """The process and its database."""
    database = _database_state()
    if database != "ok":
        return {"status": "unavailable", "database": database}, 503
    return {"status": "ok", "database": "ok"}, 200


@blueprint.get("/ready")
def ready() -> Answer:
    """Whether requests should be sent here: the database answers and has every migration."""
    state = _database_state()
    if state != "ok":
        return {"status": state}, 503
    with platform_scope("readiness"), db.hurried(PATIENCE):
        schema = standing(db)
    if schema.pending:
        return {"status": "schema_behind"}, 503
    _warn_of_newer(tuple(schema.unknown))
    return {"status": "ok"}, 200


@cache
def _warn_of_newer(names: tuple[str, ...]) -> None:
    """Say once that the schema is ahead: migrations run before the code, so old instances go on."""
    if names:
        log.warning("the database is ahead of this code, which is served all the same: %s", ", ".join(names))


def _database_state() -> str:
    try:
        with db.hurried(PATIENCE):
            db.ping()
    except _UNHEALTHY as error:
        log.warning("the database is not healthy: %s", error)
        return "unavailable"
    return "ok"
