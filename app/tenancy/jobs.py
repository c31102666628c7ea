"""Work that is done for every tenant, a nightly job for example."""

import logging
from collections.abc import Callable
from uuid import UUID

from app.database import db
from app.tenancy.scope import platform_scope, tenant_scope

log = logging.getLogger(__name__)

ACTOR = "client:job"
_ACTIVE = "SELECT id FROM tenants WHERE status = 'active' ORDER BY created_at, id"


def for_each_tenant(reason: str, function: Callable[[UUID], object]) -> dict[UUID, Exception]:
    """Run a job for every active tenant, each in a unit of its own; returns what failed, by tenant.

    One tenant's failure is logged and is not the end of the others.
    """
    with platform_scope(reason, actor=ACTOR):
        tenants: list[UUID] = [tenant_id for (tenant_id,) in db.execute_sql(_ACTIVE).fetchall()]
    failures: dict[UUID, Exception] = {}
    for tenant_id in tenants:
        try:
            with tenant_scope(tenant_id, actor=ACTOR):
                function(tenant_id)
        except Exception as error:
            log.exception("%r failed for tenant %s", reason, tenant_id)
            failures[tenant_id] = error
    return failures
