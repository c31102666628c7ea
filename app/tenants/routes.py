"""/api/v1/tenants, for the platform's operators."""

from typing import Any
from uuid import UUID

from app.http import PlatformBlueprint, page_of, paginate
from app.tenants.models import Tenant
from app.tenants.schemas import TenantChangeSchema, TenantQuery, TenantSchema

blueprint = PlatformBlueprint(
    "tenants", __name__, url_prefix="/api/v1/tenants", description="The registry of tenants"
)
registry = Tenant.select()


@blueprint.route("", methods=["POST"])
@blueprint.arguments(TenantSchema())
@blueprint.response(201, TenantSchema())
def create(values: dict[str, Any]) -> Tenant:
    """Register a tenant."""
    return Tenant.register(**values)


@blueprint.route("", methods=["GET"])
@blueprint.arguments(TenantQuery(), location="query")
@blueprint.response(200, page_of(TenantSchema))
def listing(asked: dict[str, Any]) -> dict[str, Any]:
    """List tenants, newest first."""
    return paginate(registry, TenantSchema, asked)


@blueprint.route("/<uuid:tenant_id>", methods=["GET"])
@blueprint.response(200, TenantSchema())
def read(tenant_id: UUID) -> Tenant:
    """Read a tenant."""
    return Tenant.find(tenant_id)


@blueprint.route("/<uuid:tenant_id>", methods=["PATCH"])
@blueprint.arguments(TenantChangeSchema())
@blueprint.response(200, TenantSchema())
def change(values: dict[str, Any], tenant_id: UUID) -> Tenant:
    """Change a tenant's name, subdomain or settings."""
    return Tenant.change(tenant_id, **values)


@blueprint.route("/<uuid:tenant_id>/suspend", methods=["POST"])
@blueprint.response(200, TenantSchema())
def suspend(tenant_id: UUID) -> Tenant:
    """Turn a tenant away, within five seconds everywhere."""
    return Tenant.change(tenant_id, status="suspended")


@blueprint.route("/<uuid:tenant_id>/activate", methods=["POST"])
@blueprint.response(200, TenantSchema())
def activate(tenant_id: UUID) -> Tenant:
    """Let a tenant in again."""
    return Tenant.change(tenant_id, status="active")
